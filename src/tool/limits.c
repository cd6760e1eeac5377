/*
 * limits check, diff, list.
 */
#include "tool/limits.h"

#include "base/attr.h"
#include "tool/commands.h"
#include "tool/diff.h"
#include "tool/json.h"
#include "tool/table.h"

#include <stdio.h>
#include <string.h>

/*
 * check
 */

int
limits_check(struct tool *tool)
{
	struct limit_set set;

	if (limit_set_read_file(&set, tool->words[0]) == -1)
		return STATUS_ERROR;
	printf("%s: %zu limits, fine\n", tool->words[0], limit_set_count(&set));
	limit_set_free(&set);
	return STATUS_FINE;
}

/*
 * diff
 */

struct diffing {
	const struct tool *tool;
	struct json json;
	char only; /* show these changes alone; 0: all */
};

static void
show_change(char sign, const struct rules_line *line, void *arg)
{
	const struct diffing *diffing = arg;

	printf("%s%c%.*s%s\n",
	    tool_colour(diffing->tool, sign == '-' ? COLOUR_RED : COLOUR_GREEN),
	    sign, (int)line->len, line->bytes, tool_plain(diffing->tool));
}

static void
write_change(char sign, const struct rules_line *line, void *arg)
{
	struct diffing *diffing = arg;

	if (sign == diffing->only)
		json_bytes(&diffing->json, NULL, line->bytes, line->len);
}

static struct line_list
list_of(const struct limit_set *set)
{
	return (struct line_list){set->lines, limit_set_count(set)};
}

/* Return whether they differ, or -1. */
static int
write_diff(struct diffing *diffing, const struct line_list *old,
    const struct line_list *new)
{
	struct json *json = &diffing->json;
	int differ;

	json_open(json, NULL, '{');
	json_open(json, "removed", '[');
	diffing->only = '-';
	differ = diff_lines(old, new, write_change, diffing);
	json_close(json, ']');
	json_open(json, "added", '[');
	diffing->only = '+';
	differ = diff_lines(old, new, write_change, diffing);
	json_close(json, ']');
	json_close(json, '}');
	json_end(json);
	return differ;
}

int
limits_show_diff(const struct tool *tool, const struct limit_set *old_set,
    const struct limit_set *new_set)
{
	struct diffing diffing = {.tool = tool, .json = {.to = stdout}};
	const struct line_list old = list_of(old_set), new = list_of(new_set);
	int differ = tool->json ? write_diff(&diffing, &old, &new)
				: diff_lines(&old, &new, show_change, &diffing);

	if (differ == -1)
		return tool_complain("out of memory");
	return differ ? STATUS_DIFFERENT : STATUS_FINE;
}

static int
diff_with(struct tool *tool, const struct limit_set *file)
{
	struct limit_set key;
	int status;

	if (limit_set_fetch(&key, tool) == -1)
		return STATUS_ERROR;
	status = limits_show_diff(tool, &key, file);
	limit_set_free(&key);
	return status;
}

int
limits_diff(struct tool *tool)
{
	struct limit_set file;
	int status;

	if (limit_set_read_file(&file, tool->words[0]) == -1)
		return STATUS_ERROR;
	status = diff_with(tool, &file);
	limit_set_free(&file);
	return status;
}

/*
 * list
 */

/* The words that have a column of their own; all others share the last. */
static const struct {
	const char *word, *heading;
} columns[] = {
    {"match", "MATCH"},
    {"capacity", " CAPACITY"},
    {"recharge", " RECHARGE"},
    {"window", " WINDOW"},
};

/* One limit's cells. */
struct listing {
	char cells[COUNT(columns) + 1][RULES_LINE_MAX];
};

static void
list_word(const char *word, const char *value, void *arg)
{
	struct listing *listing = arg;
	char *rest = listing->cells[COUNT(columns)];
	size_t used = strlen(rest);

	for (size_t i = 0; i < COUNT(columns); i++)
		if (strcmp(columns[i].word, word) == 0) {
			snprintf(listing->cells[i], sizeof(*listing->cells),
			    "%s", value);
			return;
		}
	snprintf(rest + used, sizeof(*listing->cells) - used, "%s%s=%s",
	    used ? " " : "", word, value);
}

static void
list_limit(struct table *table, const struct limit *limit)
{
	struct listing listing = {0};

	limit_each_word(limit, list_word, &listing);
	table_add(table, "%s", limit->name);
	for (size_t i = 0; i < COUNT(listing.cells); i++)
		table_add(table, "%s", listing.cells[i]);
}

static int
show_list(const struct tool *tool, const struct limit_set *set)
{
	struct table table = {.columns = COUNT(columns) + 2};
	int status;

	table_add(&table, "NAME");
	for (size_t i = 0; i < COUNT(columns); i++)
		table_add(&table, "%s", columns[i].heading);
	table_add(&table, "ALSO");
	for (size_t i = 0; i < limit_set_count(set); i++)
		list_limit(&table, rules_at(set->rules, i));
	status = table_print(&table, tool, 0, stdout);
	table_free(&table);
	return status == 0 ? STATUS_FINE : STATUS_ERROR;
}

static void
write_word(const char *word, const char *value, void *arg)
{
	if (strcmp(word, "capacity") == 0)
		json_raw(arg, word, value);
	else
		json_text(arg, word, value);
}

static int
write_list(const struct limit_set *set)
{
	struct json json = {.to = stdout};

	json_open(&json, NULL, '[');
	for (size_t i = 0; i < limit_set_count(set); i++) {
		const struct limit *limit = rules_at(set->rules, i);

		json_open(&json, NULL, '{');
		json_text(&json, "name", limit->name);
		limit_each_word(limit, write_word, &json);
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_end(&json);
	return STATUS_FINE;
}

int
limits_list(struct tool *tool)
{
	struct limit_set set;
	int status;

	if (limit_set_fetch(&set, tool) == -1)
		return STATUS_ERROR;
	status = tool->json ? write_list(&set) : show_list(tool, &set);
	limit_set_free(&set);
	return status;
}
