/*
 * main: finds the command that the words name, and runs it.  A command gets
 * only options that are in its row.  The heart is cli_run_command().
 */
#include "base/suggest.h"
#include "cli/commands.h"
#include "cli/login.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* All commands take these. */
#define COMMON                                                                 \
	(OPTION_BIT(OPTION_CONFIG) | OPTION_BIT(OPTION_TIMEOUT) |              \
	    OPTION_BIT(OPTION_HELP) | OPTION_BIT(OPTION_VERSION))

#define WAIT_US INT64_C(1000000)

static void
cli_print_options(unsigned options)
{
	for (int i = 0; i < OPTION_ROWS; i++) {
		const struct option_row *row = &option_rows[i];
		char name[40];

		if (!(options & OPTION_BIT(i)))
			continue;
		snprintf(name, sizeof(name), "--%s%s%s", row->name,
		    row->argument ? " " : "",
		    row->argument ? row->argument : "");
		if (row->letter)
			printf(
			    "  -%c, %-24s  %s\n", row->letter, name, row->help);
		else
			printf("      %-24s  %s\n", name, row->help);
	}
}

static void
cli_print_help(const struct command_row *row)
{
	printf("usage: dripgate %s%s%s [OPTION...]\n\n%s\n", row->name,
	    *row->arguments ? " " : "", row->arguments, row->help);
	if (row->more)
		printf("\n%s\n", row->more);
	printf("\noptions:\n");
	cli_print_options(row->options | COMMON);
}

/* All commands, or those whose first word is ${family}. */
static void
cli_print_commands(const char *family)
{
	printf("usage: dripgate %s%sCOMMAND [ARGUMENT...] [OPTION...]\n\n"
	       "commands:\n",
	    family ? family : "", family ? " " : "");
	for (size_t i = 0; i < command_count; i++) {
		const struct command_row *row = &command_rows[i];
		char name[40];

		if (family && strncmp(row->name, family, strlen(family)) != 0)
			continue;
		snprintf(
		    name, sizeof(name), "%s %s", row->name, row->arguments);
		printf("  %-22s  %s\n", name, row->help);
	}
	printf("\noptions:\n");
	cli_print_options(COMMON);
	printf("\ndripgate COMMAND --help and dripgate(1) say more.\n");
}

/* Whether some command consists of ${word} and another. */
static bool
cli_is_family(const char *word)
{
	size_t len = strlen(word);

	for (size_t i = 0; i < command_count; i++)
		if (strncmp(command_rows[i].name, word, len) == 0 &&
		    command_rows[i].name[len] == ' ')
			return true;
	return false;
}

static const struct command_row *
cli_find_command(const char *name)
{
	for (size_t i = 0; i < command_count; i++)
		if (strcmp(command_rows[i].name, name) == 0)
			return &command_rows[i];
	return NULL;
}

static int
cli_unknown_command(const char *name)
{
	const char *names[64];
	const char *near;

	for (size_t i = 0; i < command_count; i++)
		names[i] = command_rows[i].name;
	near = suggest(name, names, command_count);
	if (near)
		return tool_error("unknown command '%s', did you mean "
				  "'%s'?",
		    name, near);
	return tool_error("unknown command '%s'; try dripgate --help", name);
}

/* Take the command's name, one word or two, off the words. */
static void
cli_take_name(struct tool *tool, char *name, size_t size)
{
	size_t used = 1;

	if (cli_is_family(tool->words[0]) && tool->word_count > 1)
		used = 2;
	snprintf(name, size, "%s%s%s", tool->words[0], used > 1 ? " " : "",
	    used > 1 ? tool->words[1] : "");
	tool->words += used;
	tool->word_count -= used;
}

static int
cli_check_arguments(
    const struct tool *tool, const struct command_row *row, unsigned given)
{
	unsigned surplus = given & ~(row->options | COMMON);

	for (int i = 0; i < OPTION_ROWS; i++)
		if (surplus & OPTION_BIT(i))
			return tool_error("%s takes no --%s; try dripgate "
					  "%s --help",
			    row->name, option_rows[i].name, row->name);
	if (tool->word_count < row->min || tool->word_count > row->max)
		return tool_error("%s; usage: dripgate %s%s%s",
		    tool->word_count < row->min ? "an argument is missing"
						: "too many arguments",
		    row->name, *row->arguments ? " " : "", row->arguments);
	return STATUS_FINE;
}

/* The one command that was asked for, or its help. */
static int
cli_run_command(struct tool *tool, unsigned given)
{
	const struct command_row *row;
	char name[200];
	int status;

	cli_take_name(tool, name, sizeof(name));
	row = cli_find_command(name);
	if (!row && cli_is_family(name)) {
		if (!(given & OPTION_BIT(OPTION_HELP)))
			return tool_error(
			    "%s what? try dripgate %s --help", name, name);
		cli_print_commands(name);
		return STATUS_FINE;
	}
	if (!row)
		return cli_unknown_command(name);
	if (given & OPTION_BIT(OPTION_HELP)) {
		cli_print_help(row);
		return STATUS_FINE;
	}
	status = cli_check_arguments(tool, row, given);
	return status == STATUS_FINE ? row->run(tool) : status;
}

static int
cli_run(struct tool *tool, unsigned given)
{
	if (given & OPTION_BIT(OPTION_VERSION)) {
		puts("dripgate " VERSION);
		return STATUS_FINE;
	}
	if (tool->word_count > 0)
		return cli_run_command(tool, given);
	if (!(given & OPTION_BIT(OPTION_HELP)))
		return tool_error("no command; try dripgate --help");
	cli_print_commands(NULL);
	return STATUS_FINE;
}

/* Whether standard output is a terminal that knows cursor codes. */
static bool
cli_has_terminal(void)
{
	const char *terminal = getenv("TERM");

	return isatty(STDOUT_FILENO) && terminal && *terminal &&
	       strcmp(terminal, "dumb") != 0;
}

static bool
cli_refuses_colours(void)
{
	const char *refused = getenv("NO_COLOR");

	return refused && *refused;
}

int
main(int argc, char **argv)
{
	char *words[COMMAND_WORDS_MAX + 2];
	struct tool tool = {
	    .words = words,
	    .wait_us = WAIT_US,
	    .is_terminal = cli_has_terminal(),
	};
	unsigned given = 0;
	int status;

	tool.colours = tool.is_terminal && !cli_refuses_colours();
	if (options_read(&tool, argc, argv, COUNT(words), &given) == -1)
		return STATUS_ERROR;
	status = cli_run(&tool, given);
	config_free(tool.config);
	login_free(tool.login);
	free(tool.password);
	/* If output could not be written, the command failed. */
	if (fflush(stdout) == EOF || ferror(stdout))
		return tool_error("standard output: %m");
	return status;
}
