/*
 * list: the limits of a daemon, or of the key in Redis, as a table.  It shows
 * each entry of the set; one that is not a limit with the reason.  The heart is
 * list_show().
 */
#include "base/attr.h"
#include "cli/commands.h"
#include "cli/json.h"
#include "cli/limits.h"
#include "cli/table.h"

#include <stdio.h>
#include <string.h>

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

/* A member that is not a limit shows its first word as its name. */
static void
list_wrong(struct table *table, const struct limit_entry *entry,
    const struct rules_line *line)
{
	const char *blank = memchr(line->bytes, ' ', line->len);
	size_t len = blank ? (size_t)(blank - line->bytes) : line->len;

	table_add_bytes(
	    table, line->bytes, len < LIMIT_NAME_MAX ? len : LIMIT_NAME_MAX);
	for (size_t i = 0; i < COUNT(columns); i++)
		table_add(table, "%s", "");
	table_add(table, "! %s", entry->reason);
	table_colour(table, COLOUR_RED);
}

/* Its words are no columns: they go to the last one. */
static void
list_route(struct table *table, const struct rules_line *line)
{
	const char *blank = memchr(line->bytes, ' ', line->len);
	size_t len = blank ? (size_t)(blank - line->bytes) : line->len;

	table_add_bytes(table, line->bytes, len);
	for (size_t i = 0; i < COUNT(columns); i++)
		table_add(table, "%s", "");
	table_add(table, "%.*s", blank ? (int)(line->len - len - 1) : 0,
	    blank ? blank + 1 : "");
}

static int
list_show(const struct tool *tool, const struct limit_set *set)
{
	struct table table = {.columns = COUNT(columns) + 2};
	int status;

	table_add(&table, "NAME");
	for (size_t i = 0; i < COUNT(columns); i++)
		table_add(&table, "%s", columns[i].heading);
	table_add(&table, "ALSO");
	for (size_t i = 0; i < set->count; i++) {
		const struct limit_entry *entry = &set->entries[i];

		if (entry->limit)
			list_limit(&table, entry->limit);
		else if (entry->route)
			list_route(&table, &set->lines[i]);
		else
			list_wrong(&table, entry, &set->lines[i]);
	}
	status = table_print(&table, tool, (struct table_room){0}, stdout);
	table_free(&table);
	return status == 0 ? STATUS_FINE : STATUS_ERROR;
}

static void
list_write_word(const char *word, const char *value, void *arg)
{
	if (strcmp(word, "capacity") == 0)
		json_raw(arg, word, value);
	else
		json_text(arg, word, value);
}

static void
list_write_entry(struct json *json, const struct limit_entry *entry,
    const struct rules_line *line)
{
	json_open(json, NULL, '{');
	if (entry->limit) {
		json_text(json, "name", entry->limit->name);
		limit_each_word(entry->limit, list_write_word, json);
	} else if (entry->route) {
		json_bytes(json, "route", line->bytes + strlen(ROUTE_SIGN),
		    line->len - strlen(ROUTE_SIGN));
	} else {
		json_bytes(json, "member", line->bytes, line->len);
		json_text(json, "error", entry->reason);
	}
	json_close(json, '}');
}

void
limits_write_json(
    struct json *json, const char *name, const struct limit_set *set)
{
	json_open(json, name, '[');
	for (size_t i = 0; i < set->count; i++)
		list_write_entry(json, &set->entries[i], &set->lines[i]);
	json_close(json, ']');
}

void
limits_write_set(FILE *to, const struct limit_set *set)
{
	struct json json = {.to = to};

	limits_write_json(&json, NULL, set);
	json_end(&json);
}

static int
list_print(const struct tool *tool, const struct limit_set *set)
{
	if (!tool->json)
		return list_show(tool, set);
	limits_write_set(stdout, set);
	return STATUS_FINE;
}

/* Whether the limits to list are a daemon's and not the key's: return 1, 0, or
 * -1: the error was printed. */
static int
list_is_of_daemon(struct tool *tool)
{
	const struct config *config;

	if (tool->redis || tool->socket)
		return !tool->redis;
	config = tool_config(tool);
	return config ? config->limits_source == LIMITS_FILE : -1;
}

int
limits_list(struct tool *tool)
{
	struct limit_set set;
	int status, of_daemon = list_is_of_daemon(tool);

	if (of_daemon == -1 || (of_daemon ? limit_set_read_daemon(&set, tool)
					  : limit_set_fetch(&set, tool)) == -1)
		return STATUS_ERROR;
	status = list_print(tool, &set);
	if (limit_set_check(&set, "") == STATUS_ERROR)
		status = STATUS_ERROR;
	limit_set_free(&set);
	return status;
}
