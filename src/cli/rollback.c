#include "cli/commands.h"
#include "cli/history.h"
#include "cli/load.h"

#include <stdio.h>

#define MESSAGE_SIZE 1100
#define NAME_SIZE    32

/* The set that the word names, or else the one before the one in the key. NULL:
 * the error was printed. */
static const struct history_entry *
rollback_target(struct tool *tool, struct redis_client *client,
    const struct history *history)
{
	int is_present;

	if (tool->word_count > 0)
		return history_find_word(history, client, tool->words[0]);
	is_present = history_is_present(history, client);
	if (is_present == -1)
		return NULL;
	if (is_present && history->last == 1) {
		tool_error("%s" HISTORY_SUFFIX ": has no set before number 1",
		    client->options.limits_key);
		return NULL;
	}
	return history_find(history, client, history->last - is_present);
}

static int
rollback_load(struct tool *tool, struct redis_client *client,
    const struct history_entry *entry)
{
	char name[NAME_SIZE], message[MESSAGE_SIZE];
	struct limit_set set;
	int status;

	snprintf(name, sizeof(name), "number %lld", (long long)entry->number);
	snprintf(message, sizeof(message), "%s%srollback to %lld%s",
	    tool->message ? tool->message : "", tool->message ? " (" : "",
	    (long long)entry->number, tool->message ? ")" : "");
	if (history_read_set(&set, client, entry, name) == -1)
		return STATUS_ERROR;
	status = limit_set_check(&set, "");
	if (status == STATUS_FINE)
		status = load_set(tool, client, &set, message);
	limit_set_free(&set);
	return status;
}

int
limits_rollback(struct tool *tool)
{
	const struct history_entry *entry;
	struct redis_client client;
	struct history history;
	int status = STATUS_ERROR;

	if (load_check_options(tool) != STATUS_FINE ||
	    redis_client_open(&client, tool) == -1)
		return STATUS_ERROR;
	if (history_read(&history, &client) == 0) {
		entry = rollback_target(tool, &client, &history);
		if (entry)
			status = rollback_load(tool, &client, entry);
		history_free(&history);
	}
	redis_client_close(&client);
	return status;
}
