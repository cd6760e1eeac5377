/*
 * limits: the commands check and diff.  They show a set as its lines, in order.
 * The heart is limits_show_diff().
 */
#include "cli/limits.h"

#include "base/attr.h"
#include "cli/commands.h"
#include "cli/diff.h"
#include "cli/json.h"
#include "cli/table.h"
#include "cli/text.h"

#include <stdio.h>
#include <string.h>

/*
 * check
 */

static void
limits_write_fine(const struct limit_set *set, size_t routes)
{
	struct json json = {.to = stdout};

	json_open(&json, NULL, '{');
	json_text(&json, "file", set->name);
	json_int(&json, "limits", (int64_t)(set->count - routes));
	json_int(&json, "routes", (int64_t)routes);
	json_close(&json, '}');
	json_end(&json);
}

static void
limits_say_fine(const struct tool *tool, const struct limit_set *set)
{
	size_t routes = 0;

	for (size_t i = 0; i < set->count; i++)
		routes += set->entries[i].route != NULL;
	if (tool->json)
		limits_write_fine(set, routes);
	else if (routes > 0)
		text_line("%s: %zu limits, %zu routes, fine", set->name,
		    set->count - routes, routes);
	else
		text_line("%s: %zu limits, fine", set->name, set->count);
}

int
limits_check(struct tool *tool)
{
	struct limit_set set;

	if (limit_set_read_file(&set, tool->words[0]) == -1)
		return STATUS_ERROR;
	limits_say_fine(tool, &set);
	limit_set_free(&set);
	return STATUS_FINE;
}

/*
 * diff
 */

struct diffing {
	const struct tool *tool;
	const struct limit_set *old;
	struct json json;
	char only; /* show these changes alone; 0: all */
};

/* Whether the removed line is not a limit. */
static bool
limits_is_wrong(const struct limit_set *old, const struct rules_line *line)
{
	return old->entries[line - old->lines].reason != NULL;
}

/* A removed member that is not a limit gets another sign. */
static void
limits_show_change(char sign, const struct rules_line *line, void *arg)
{
	const struct diffing *diffing = arg;
	bool is_wrong = sign == '-' && limits_is_wrong(diffing->old, line);

	printf("%s%c",
	    tool_colour(diffing->tool, sign == '-' ? COLOUR_RED : COLOUR_GREEN),
	    is_wrong ? '!' : sign);
	text_write(stdout, line->bytes, line->len);
	puts(tool_plain(diffing->tool));
}

static void
limits_write_change(char sign, const struct rules_line *line, void *arg)
{
	struct diffing *diffing = arg;

	if (sign == diffing->only)
		json_bytes(&diffing->json, NULL, line->bytes, line->len);
}

/* The members that are not limits, and why. */
static void
limits_write_wrong(struct json *json, const struct limit_set *set)
{
	json_open(json, "wrong", '[');
	for (size_t i = 0; i < set->count; i++) {
		if (!set->entries[i].reason)
			continue;
		json_open(json, NULL, '{');
		json_bytes(
		    json, "member", set->lines[i].bytes, set->lines[i].len);
		json_text(json, "error", set->entries[i].reason);
		json_close(json, '}');
	}
	json_close(json, ']');
}

static struct line_list
limits_list_of(const struct limit_set *set)
{
	return (struct line_list){set->lines, set->count};
}

/* Return whether they differ, or -1. */
static int
limits_write_diff(struct diffing *diffing, const struct line_list *old,
    const struct line_list *new)
{
	struct json *json = &diffing->json;
	int gone, come;

	json_open(json, NULL, '{');
	json_open(json, "removed", '[');
	diffing->only = '-';
	gone = diff_lines(old, new, limits_write_change, diffing);
	json_close(json, ']');
	json_open(json, "added", '[');
	diffing->only = '+';
	come = diff_lines(old, new, limits_write_change, diffing);
	json_close(json, ']');
	if (diffing->old->wrong > 0)
		limits_write_wrong(json, diffing->old);
	json_close(json, '}');
	json_end(json);
	return gone == -1 || come == -1 ? -1 : gone || come;
}

int
limits_show_diff(const struct tool *tool, const struct limit_set *old_set,
    const struct limit_set *new_set)
{
	struct diffing diffing = {
	    .tool = tool, .old = old_set, .json = {.to = stdout}};
	const struct line_list old = limits_list_of(old_set),
			       new = limits_list_of(new_set);
	int differ = tool->json
			 ? limits_write_diff(&diffing, &old, &new)
			 : diff_lines(&old, &new, limits_show_change, &diffing);

	if (differ == -1)
		return tool_error("out of memory");
	return differ ? STATUS_DIFFERENT : STATUS_FINE;
}

static int
limits_diff_with(struct tool *tool, const struct limit_set *file)
{
	struct limit_set key;
	int status;

	if (limit_set_fetch(&key, tool) == -1)
		return STATUS_ERROR;
	status = limits_show_diff(tool, &key, file);
	if (limit_set_check(&key, "") == STATUS_ERROR)
		status = STATUS_ERROR;
	limit_set_free(&key);
	return status;
}

/* Whether it is a number of the history, and no file's name. */
static bool
limits_is_number(const char *word)
{
	return word[strspn(word, "0123456789")] == '\0';
}

int
limits_diff(struct tool *tool)
{
	struct limit_set file;
	int status;

	if (limits_is_number(tool->words[0]))
		return limits_diff_numbers(tool);
	if (tool->word_count > 1)
		return tool_error("a file is compared with what is in Redis; "
				  "numbers of the history with each other");
	if (limit_set_read_file(&file, tool->words[0]) == -1)
		return STATUS_ERROR;
	status = limits_diff_with(tool, &file);
	limit_set_free(&file);
	return status;
}
