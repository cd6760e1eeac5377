/*
 * help: says what the tables of commands and options have.  The completions of
 * shells read what it prints.  Invariant: a name of a command is followed by
 * its arguments or by two blanks.  The heart is help_print().
 */
#include "cli/help.h"

#include "base/suggest.h"
#include "cli/commands.h"
#include "cli/json.h"

#include <stdio.h>
#include <string.h>

/*
 * as text
 */

static void
help_print_options(uint64_t options)
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
help_print_command(const struct command_row *row)
{
	printf("usage: dripgate %s%s%s [OPTION...]\n\n%s\n", row->name,
	    *row->arguments ? " " : "", row->arguments, row->help);
	if (row->more)
		printf("\n%s\n", row->more);
	printf("\noptions:\n");
	help_print_options(row->options | COMMAND_COMMON);
}

/* All commands, or those whose first word is ${family}. */
static void
help_print_commands(const char *family)
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
	help_print_options(COMMAND_COMMON);
	printf("\ndripgate COMMAND --help and dripgate(1) say more.\n");
}

/*
 * as JSON
 */

static void
help_write_options(struct json *json, uint64_t options)
{
	json_open(json, "options", '[');
	for (int i = 0; i < OPTION_ROWS; i++) {
		const struct option_row *row = &option_rows[i];
		const char letter[] = {(char)row->letter, '\0'};

		if (!(options & OPTION_BIT(i)))
			continue;
		json_open(json, NULL, '{');
		json_text(json, "name", row->name);
		if (row->letter)
			json_text(json, "letter", letter);
		if (row->argument)
			json_text(json, "argument", row->argument);
		json_text(json, "help", row->help);
		json_close(json, '}');
	}
	json_close(json, ']');
}

static void
help_write_command(struct json *json, const struct command_row *row)
{
	json_open(json, NULL, '{');
	json_text(json, "command", row->name);
	json_text(json, "arguments", row->arguments);
	json_text(json, "help", row->help);
	json_text(json, "more", row->more ? row->more : "");
	help_write_options(json, row->options | COMMAND_COMMON);
	json_close(json, '}');
}

/* The commands whose name begins so. */
static void
help_write_commands(const char *begin)
{
	struct json json = {.to = stdout};

	json_open(&json, NULL, '[');
	for (size_t i = 0; i < command_count; i++)
		if (strncmp(command_rows[i].name, begin, strlen(begin)) == 0)
			help_write_command(&json, &command_rows[i]);
	json_close(&json, ']');
	json_end(&json);
}

int
help_unknown(const char *name)
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

int
help_print(const struct tool *tool, const char *name)
{
	const struct command_row *row = name ? command_find(name) : NULL;
	struct json json = {.to = stdout};

	if (name && !row && !command_is_family(name))
		return help_unknown(name);
	if (tool->json && row) {
		help_write_command(&json, row);
		json_end(&json);
	} else if (tool->json) {
		help_write_commands(name ? name : "");
	} else if (row) {
		help_print_command(row);
	} else {
		help_print_commands(name);
	}
	return STATUS_FINE;
}

int
help_show(struct tool *tool)
{
	char name[200];

	if (tool->word_count == 0)
		return help_print(tool, NULL);
	snprintf(name, sizeof(name), "%s%s%s", tool->words[0],
	    tool->word_count > 1 ? " " : "",
	    tool->word_count > 1 ? tool->words[1] : "");
	return help_print(tool, name);
}
