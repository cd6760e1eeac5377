/*
 * stored: shows what one dripgated stores of upstreams, and has it forget that.
 * The heart is stored_take_line().
 */
#include "base/attr.h"
#include "cli/client.h"
#include "cli/client_words.h"
#include "cli/commands.h"
#include "cli/fields.h"
#include "cli/json.h"
#include "cli/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The columns behind the name. */
static const struct {
	const char *field, *heading;
} columns[] = {
    {"entries", " ENTRIES"},
    {"bytes", " BYTES"},
    {"hits", " HITS"},
    {"misses", " MISSES"},
    {"stale", " STALE"},
    {"bypassed", " BYPASSED"},
    {"evicted", " EVICTED"},
};

struct stored {
	const struct tool *tool;
	struct table table;
	struct json json;
	size_t count;
};

static void
stored_add_cell(struct table *table, const char *line, const char *name)
{
	struct field field;

	while (fields_next(&line, &field))
		if (field_is(&field, name)) {
			table_add_bytes(table, field.value, field.value_len);
			return;
		}
	table_add(table, "-");
}

/* "NAME entries=1 ..." */
static void
stored_take_line(const char *line, void *arg)
{
	struct stored *shown = arg;
	size_t len = strcspn(line, " ");
	char name[80];

	snprintf(name, sizeof(name), "%.*s", (int)len, line);
	shown->count++;
	if (shown->tool->json) {
		json_open(&shown->json, NULL, '{');
		json_text(&shown->json, "upstream", name);
		fields_write(&shown->json, line + len);
		json_close(&shown->json, '}');
		return;
	}
	table_add(&shown->table, "%s", name);
	for (size_t i = 0; i < COUNT(columns); i++)
		stored_add_cell(&shown->table, line + len, columns[i].field);
}

static int
stored_print_table(struct stored *shown)
{
	if (shown->count == 0) {
		puts("no upstream stores responses");
		return STATUS_FINE;
	}
	return table_print(&shown->table, shown->tool, (struct table_room){0},
		   stdout) == -1
		   ? STATUS_ERROR
		   : STATUS_FINE;
}

int
stored_show(struct tool *tool)
{
	struct stored shown = {.tool = tool,
	    .table = {.columns = COUNT(columns) + 1},
	    .json = {.to = stdout}};
	int status;

	table_add(&shown.table, "UPSTREAM");
	for (size_t i = 0; i < COUNT(columns); i++)
		table_add(&shown.table, "%s", columns[i].heading);
	if (tool->json)
		json_open(&shown.json, NULL, '[');
	status = client_lines(tool, "CACHE", stored_take_line, &shown);
	if (status == STATUS_FINE && tool->json) {
		json_close(&shown.json, ']');
		json_end(&shown.json);
	} else if (status == STATUS_FINE) {
		status = stored_print_table(&shown);
	}
	table_free(&shown.table);
	return status;
}

/* "NAME purged=1" */
static void
stored_take_purged(const char *line, void *arg)
{
	struct stored *shown = arg;
	const char *count = strstr(line, " purged=");

	if (shown->tool->json) {
		stored_take_line(line, arg);
		return;
	}
	shown->count++;
	if (count)
		printf("%.*s: %s responses forgotten\n", (int)(count - line),
		    line, count + strlen(" purged="));
}

int
stored_purge(struct tool *tool)
{
	struct stored shown = {.tool = tool, .json = {.to = stdout}};
	char request[4096];
	int status;

	if (client_words_check(tool) == -1)
		return STATUS_ERROR;
	snprintf(request, sizeof(request), "FORGET %s", tool->words[0]);
	if (tool->json)
		json_open(&shown.json, NULL, '[');
	status = client_lines(tool, request, stored_take_purged, &shown);
	if (status == STATUS_FINE && tool->json) {
		json_close(&shown.json, ']');
		json_end(&shown.json);
	}
	if (status != STATUS_FINE || shown.count > 0)
		return status;
	if (!tool->json)
		puts("no upstream of that name stores responses");
	return STATUS_DIFFERENT;
}
