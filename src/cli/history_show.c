/*
 * history_show: shows a set of the history, as a file, and compares two.  The
 * heart is history_show_pair().
 */
#include "base/num.h"
#include "cli/commands.h"
#include "cli/history.h"
#include "cli/json.h"
#include "cli/limits.h"
#include "cli/text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* "number 123" */
#define NAME_SIZE 32

/* "; number 7 of the history, by AUTHOR, MESSAGE" */
static void
history_show_print_head(const struct history_entry *entry)
{
	const struct history_about *about = &entry->about;
	time_t when = (time_t)about->time;
	char text[40] = "";
	struct tm tm;

	if (about->time == 0) {
		printf("; number %lld, which something else than dripgate "
		       "loaded\n\n",
		    (long long)entry->number);
		return;
	}
	if (localtime_r(&when, &tm))
		strftime(text, sizeof(text), "%F %T", &tm);
	printf("; number %lld, %s, by ", (long long)entry->number, text);
	text_write(stdout, about->author, about->author_len);
	if (about->message_len > 0)
		fputs(": ", stdout);
	text_write(stdout, about->message, about->message_len);
	fputs("\n\n", stdout);
}

static int
history_show_file(
    const struct history_entry *entry, const struct limit_set *set)
{
	struct buf text = {0};
	int status = STATUS_FINE;

	if (limits_write_file(&text, set) == -1) {
		status = tool_error("out of memory");
	} else {
		history_show_print_head(entry);
		fwrite(buf_data(&text), 1, buf_len(&text), stdout);
	}
	buf_free(&text);
	return status;
}

static int
history_show_json(
    const struct history_entry *entry, const struct limit_set *set)
{
	struct json json = {.to = stdout};

	json_open(&json, NULL, '{');
	json_int(&json, "number", entry->number);
	history_write_about(&json, &entry->about);
	limits_write_json(&json, "set", set);
	json_close(&json, '}');
	json_end(&json);
	return STATUS_FINE;
}

/* Read the set whose number is the word ${i}.  Return its entry; NULL: the
 * error was printed. */
static const struct history_entry *
history_show_read(struct limit_set *set, struct redis_client *client,
    const struct history *history, size_t i, char name[NAME_SIZE])
{
	const char *word = client->tool->words[i];
	const struct history_entry *entry =
	    history_find_word(history, client, word);

	if (!entry)
		return NULL;
	snprintf(name, NAME_SIZE, "number %lld", (long long)entry->number);
	return history_read_set(set, client, entry, name) == 0 ? entry : NULL;
}

static int
history_show(struct tool *tool, struct redis_client *client,
    const struct history *history)
{
	const struct history_entry *entry;
	char name[NAME_SIZE];
	struct limit_set set;
	int status;

	entry = history_show_read(&set, client, history, 0, name);
	if (!entry)
		return STATUS_ERROR;
	status = tool->json ? history_show_json(entry, &set)
			    : history_show_file(entry, &set);
	if (limit_set_check(&set, "") == STATUS_ERROR)
		status = STATUS_ERROR;
	limit_set_free(&set);
	return status;
}

/* Compare the set ${old}, with the second number's, or else the key's. */
static int
history_show_changes(struct tool *tool, struct redis_client *client,
    const struct history *history, const struct limit_set *old)
{
	struct limit_set new;
	char name[NAME_SIZE];
	int status;

	if (tool->word_count > 1
		? !history_show_read(&new, client, history, 1, name)
		: limit_set_read_key(&new, client) == -1)
		return STATUS_ERROR;
	status = limits_show_diff(tool, old, &new);
	if (limit_set_check(&new, "") == STATUS_ERROR)
		status = STATUS_ERROR;
	limit_set_free(&new);
	return status;
}

static int
history_show_pair(struct tool *tool, struct redis_client *client,
    const struct history *history)
{
	struct limit_set old;
	char name[NAME_SIZE];
	int status;

	if (!history_show_read(&old, client, history, 0, name))
		return STATUS_ERROR;
	status = history_show_changes(tool, client, history, &old);
	if (limit_set_check(&old, "") == STATUS_ERROR)
		status = STATUS_ERROR;
	limit_set_free(&old);
	return status;
}

typedef int history_show_run(struct tool *tool, struct redis_client *client,
    const struct history *history);

static int
history_show_with(struct tool *tool, history_show_run *run)
{
	struct redis_client client;
	struct history history;
	int status = STATUS_ERROR;

	if (redis_client_open(&client, tool) == -1)
		return STATUS_ERROR;
	if (history_read(&history, &client) == 0) {
		status = run(tool, &client, &history);
		history_free(&history);
	}
	redis_client_close(&client);
	return status;
}

int
limits_show(struct tool *tool)
{
	return history_show_with(tool, history_show);
}

int
limits_diff_numbers(struct tool *tool)
{
	return history_show_with(tool, history_show_pair);
}
