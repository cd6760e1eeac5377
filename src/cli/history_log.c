/*
 * history_log: lists the sets of the history.  What is in the key now is
 * compared with the last one, since other programs may have changed it.  The
 * heart is history_log_show().
 */
#include "cli/commands.h"
#include "cli/history.h"
#include "cli/json.h"
#include "cli/limits_key.h"
#include "cli/table.h"

#include <stdio.h>
#include <time.h>

#define SHORT_DIGEST 8

static void
history_log_add_time(struct table *table, int64_t seconds)
{
	time_t when = (time_t)seconds;
	char text[40] = "-";
	struct tm tm;

	if (seconds > 0 && localtime_r(&when, &tm))
		strftime(text, sizeof(text), "%F %T", &tm);
	table_add(table, "%s", text);
}

static void
history_log_add_entry(struct table *table, const struct history_entry *entry)
{
	const struct history_about *about = &entry->about;
	bool is_ours = about->time > 0;

	table_add(table, " %lld", (long long)entry->number);
	if (entry->is_torn) {
		for (int i = 0; i < 4; i++)
			table_add(table, "%s", "-");
		table_add(table, "torn: not as dripgate wrote it");
		table_colour(table, COLOUR_RED);
		return;
	}
	history_log_add_time(table, about->time);
	table_add(table, "%.*s", SHORT_DIGEST, about->digest);
	table_add(table, " %lld", (long long)about->count);
	table_add_bytes(table, is_ours ? about->author : "-",
	    is_ours ? about->author_len : 1);
	if (is_ours)
		table_add_bytes(table, about->message, about->message_len);
	else
		table_add(table, "something else than dripgate loaded it");
}

static int
history_log_show(
    const struct tool *tool, const struct history *history, bool is_last)
{
	static const char *const headings[] = {
	    " NUMBER", "TIME", "DIGEST", " LIMITS", "AUTHOR", "MESSAGE"};
	struct table table = {.columns = COUNT(headings)};
	int status;

	if (history->count == 0) {
		puts("no history");
		return STATUS_FINE;
	}
	for (size_t i = 0; i < COUNT(headings); i++)
		table_add(&table, "%s", headings[i]);
	for (size_t i = 0; i < history->count; i++)
		history_log_add_entry(&table, &history->entries[i]);
	status = table_print(&table, tool, (struct table_room){0}, stdout);
	table_free(&table);
	if (status == 0 && !is_last)
		printf("something else has changed the limits after number "
		       "%lld\n",
		    (long long)history->last);
	return status == 0 ? STATUS_FINE : STATUS_ERROR;
}

static void
history_log_write_entry(struct json *json, const struct history_entry *entry)
{
	const struct history_about *about = &entry->about;

	json_open(json, NULL, '{');
	json_int(json, "number", entry->number);
	if (entry->is_torn)
		json_text(json, "error", "not as dripgate wrote it");
	else
		history_write_about(json, about);
	json_close(json, '}');
}

static int
history_log_write(const struct history *history, bool is_last)
{
	struct json json = {.to = stdout};

	json_open(&json, NULL, '{');
	if (history->count > 0 && is_last)
		json_int(&json, "current", history->last);
	else
		json_raw(&json, "current", "null");
	json_open(&json, "history", '[');
	for (size_t i = 0; i < history->count; i++)
		history_log_write_entry(&json, &history->entries[i]);
	json_close(&json, ']');
	json_close(&json, '}');
	json_end(&json);
	return STATUS_FINE;
}

static int
history_log(struct tool *tool, struct redis_client *client)
{
	struct history history;
	int status = STATUS_ERROR, is_last;

	if (history_read(&history, client) == -1)
		return STATUS_ERROR;
	is_last = history_is_present(&history, client);
	if (is_last != -1)
		status = tool->json ? history_log_write(&history, is_last)
				    : history_log_show(tool, &history, is_last);
	history_free(&history);
	return status;
}

int
limits_log(struct tool *tool)
{
	struct redis_client client;
	int status;

	if (redis_client_open(&client, tool) == -1)
		return STATUS_ERROR;
	status = history_log(tool, &client);
	redis_client_close(&client);
	return status;
}
