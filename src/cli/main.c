/*
 * main: finds the command that the words name, and runs it.  A command gets
 * only options that are in its row.  The heart is cli_run_command().
 */
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/login.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Take the command's name, one word or two, off the words. */
static void
cli_take_name(struct tool *tool, char *name, size_t size)
{
	size_t used = 1;

	if (command_is_family(tool->words[0]) && tool->word_count > 1)
		used = 2;
	snprintf(name, size, "%s%s%s", tool->words[0], used > 1 ? " " : "",
	    used > 1 ? tool->words[1] : "");
	tool->words += used;
	tool->word_count -= used;
}

static int
cli_check_arguments(
    const struct tool *tool, const struct command_row *row, uint64_t given)
{
	uint64_t surplus = given & ~(row->options | COMMAND_COMMON);

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
cli_run_command(struct tool *tool, uint64_t given)
{
	const struct command_row *row;
	char name[200];
	int status;

	cli_take_name(tool, name, sizeof(name));
	row = command_find(name);
	if (given & OPTION_BIT(OPTION_HELP))
		return help_print(tool, name);
	if (!row)
		return command_is_family(name)
			   ? tool_error(
				 "%s what? try dripgate %s --help", name, name)
			   : help_unknown(name);
	status = cli_check_arguments(tool, row, given);
	return status == STATUS_FINE ? row->run(tool) : status;
}

static int
cli_run(struct tool *tool, uint64_t given)
{
	if (given & OPTION_BIT(OPTION_VERSION)) {
		puts("dripgate " VERSION);
		return STATUS_FINE;
	}
	if (tool->word_count > 0)
		return cli_run_command(tool, given);
	if (!(given & OPTION_BIT(OPTION_HELP)))
		return tool_error("no command; try dripgate --help");
	return help_print(tool, NULL);
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
	    .is_terminal = cli_has_terminal(),
	};
	uint64_t given = 0;
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
