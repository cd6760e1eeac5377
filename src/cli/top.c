/*
 * top: shows which keys one dripgated denies or allows most.
 * Holds: a line that is not understood is left out.
 * The heart is top_take_line().
 */
#include "base/attr.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/fields.h"
#include "cli/json.h"
#include "cli/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More than anyone reads, and than a sketch can tell apart. */
#define REQUEST "TOP 1000"

/* Keys that are shown as a table. */
#define ROWS_MAX 20

/* The columns before the key, which is last on a line; in the table it is
 * first. */
static const struct {
	const char *field, *heading;
} columns[] = {
    {"limit", "LIMIT"},
    {"rate", " RATE/S"},
    {"share", " SHARE"},
    {"first", " SINCE"},
    {"last", " LAST"},
};

struct shown_top {
	const struct tool *tool;
	const char *limit; /* only those of this; NULL: of any */
	struct table table;
	struct json json;
	size_t count;
};

/* "limit=login rate=1.000 ... key=KEY", split at the key. */
struct top_line {
	char *fields;
	const char *key;
};

static bool
top_split(struct top_line *to, char *text)
{
	static const char sign[] = " key=";
	char *key = strstr(text, sign);

	if (!key)
		return false;
	*key = '\0';
	*to = (struct top_line){.fields = text, .key = key + strlen(sign)};
	return true;
}

static bool
top_find_field(const char *text, const char *name, struct field *field)
{
	while (fields_next(&text, field))
		if (field_is(field, name))
			return true;
	return false;
}

static bool
top_is_wanted(const struct shown_top *shown, const struct top_line *line)
{
	struct field field;

	return !shown->limit ||
	       (top_find_field(line->fields, "limit", &field) &&
		   strlen(shown->limit) == field.value_len &&
		   memcmp(shown->limit, field.value, field.value_len) == 0);
}

/* 12.345678 as "12s", 0.4123 as "41 %": what a column shows. */
static void
top_add_cell(struct table *table, const char *name, const struct field *field)
{
	char text[40];
	double number;

	snprintf(
	    text, sizeof(text), "%.*s", (int)field->value_len, field->value);
	number = strtod(text, NULL);
	if (strcmp(name, "limit") == 0)
		table_add_bytes(table, field->value, field->value_len);
	else if (strcmp(name, "share") == 0)
		table_add(table, "%.1f %%", number * 100);
	else if (strcmp(name, "rate") == 0)
		table_add(table, "%.1f", number);
	else
		table_add(table, "%.0f s ago", number);
}

static void
top_show_line(struct shown_top *shown, const struct top_line *line)
{
	if (shown->count > ROWS_MAX)
		return;
	table_add(&shown->table, "%s", line->key);
	for (size_t i = 0; i < COUNT(columns); i++) {
		struct field field = {.value = "-", .value_len = 1};

		if (!top_find_field(line->fields, columns[i].field, &field))
			field = (struct field){.value = "-", .value_len = 1};
		top_add_cell(&shown->table, columns[i].field, &field);
	}
}

static void
top_write_line(struct shown_top *shown, const struct top_line *line)
{
	json_open(&shown->json, NULL, '{');
	json_text(&shown->json, "key", line->key);
	fields_write(&shown->json, line->fields);
	json_close(&shown->json, '}');
}

static void
top_take_line(const char *text, void *arg)
{
	struct shown_top *shown = arg;
	const char *verdict = shown->tool->allowed ? "allowed " : "denied ";
	struct top_line line;
	char copy[4096];

	if (strncmp(text, verdict, strlen(verdict)) != 0)
		return;
	snprintf(copy, sizeof(copy), "%s", text + strlen(verdict));
	if (!top_split(&line, copy) || !top_is_wanted(shown, &line))
		return;
	shown->count++;
	if (shown->tool->json)
		top_write_line(shown, &line);
	else
		top_show_line(shown, &line);
}

static int
top_end(struct shown_top *shown)
{
	const struct tool *tool = shown->tool;
	int status = STATUS_FINE;

	if (tool->json) {
		json_close(&shown->json, ']');
		json_end(&shown->json);
	} else if (shown->count == 0) {
		printf("no key was %s lately\n",
		    tool->allowed ? "allowed" : "denied");
	} else if (table_print(&shown->table, tool, (struct table_room){0},
		       stdout) == -1) {
		status = STATUS_ERROR;
	}
	return status;
}

int
top_show(struct tool *tool)
{
	struct shown_top shown = {.tool = tool,
	    .limit = tool->word_count > 0 ? tool->words[0] : NULL,
	    .table = {.columns = COUNT(columns) + 1},
	    .json = {.to = stdout}};
	int status;

	if (tool->allowed && tool->denied)
		return tool_error("--denied or --allowed, not both");
	table_add(&shown.table, "KEY");
	for (size_t i = 0; i < COUNT(columns); i++)
		table_add(&shown.table, "%s", columns[i].heading);
	if (tool->json)
		json_open(&shown.json, NULL, '[');
	status = client_lines(tool, REQUEST, top_take_line, &shown);
	if (status == STATUS_FINE)
		status = top_end(&shown);
	table_free(&shown.table);
	return status;
}
