/*
 * Job: the commands that put overrides in Redis, remove them, and list them.
 * Invariant: what daemons would leave out is refused here.
 * The heart: override_set_one(), and lua/override.lua.
 */
#include "limit/override.h"

#include "base/clock.h"
#include "base/num.h"
#include "base/script.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/fields.h"
#include "cli/json.h"
#include "cli/load.h"
#include "cli/publish.h"
#include "cli/redis_client.h"
#include "cli/table.h"
#include "cli/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KEY_SIZE  300
#define TIME_SIZE 40

/* At once, and a message that every version of the daemon knows. */
#define RELOAD "reload:immediate"

/* The server of the limits. */
struct override_place {
	struct redis_client client;
	char key[KEY_SIZE];
};

/* Return 0, or -1: the error was printed. */
static int
override_open(struct override_place *place, struct tool *tool)
{
	if (redis_client_open(&place->client, tool) == -1)
		return -1;
	snprintf(place->key, sizeof(place->key), "%s:overrides",
	    place->client.options.limits_key);
	return 0;
}

static const char *
override_time(char text[TIME_SIZE], int64_t seconds)
{
	time_t at = (time_t)seconds;
	struct tm tm;

	*text = '\0';
	if (gmtime_r(&at, &tm))
		strftime(text, TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return text;
}

/* Have the daemons read them, and show that as one row. */
static int
override_tell(const struct tool *tool, struct override_place *place,
    const char *what, const char *pattern, const char *end)
{
	long long listeners = redis_client_publish(&place->client, RELOAD);
	struct json json = {.to = stdout};

	if (listeners == -1)
		return STATUS_ERROR;
	if (!tool->json) {
		text_line("%s %s%s%s, heard by %lld%s", pattern, what,
		    *end ? " until " : "", end, listeners,
		    listeners > 0 ? ""
				  : ": no daemon takes its limits from "
				    "this Redis");
		return STATUS_FINE;
	}
	json_open(&json, NULL, '{');
	json_text(&json, "pattern", pattern);
	json_text(&json, "override", what);
	if (*end)
		json_text(&json, "until", end);
	json_int(&json, "heard_by", listeners);
	json_close(&json, '}');
	json_end(&json);
	return STATUS_FINE;
}

/*
 * override set
 */

/* Whether daemons would take it. */
static int
override_check(const struct tool *tool, const char *author)
{
	char value[OVERRIDE_VALUE_MAX + 400];
	const char *pattern = tool->words[0];
	struct limit_error error;
	struct limit *limit;

	/* In a value, a blank ends it. */
	if (strchr(tool->words[1], ' '))
		return tool_error("override: must be allow, deny, or x2 to "
				  "x%d, and not '%s'",
		    OVERRIDE_TIMES_MAX, tool->words[1]);
	if (tool->for_us < 1000000)
		return tool_error("--for is missing, or less than a second");
	if (!tool->reason || !*tool->reason)
		return tool_error("--reason is missing: people will ask why");
	if (strlen(tool->reason) > OVERRIDE_REASON_MAX ||
	    strpbrk(tool->reason, "\r\n"))
		return tool_error("--reason: not one line of at most %d bytes",
		    OVERRIDE_REASON_MAX);
	if (strlen(author) > OVERRIDE_AUTHOR_MAX || strpbrk(author, "\r\n"))
		return tool_error("--author: not one line of at most %d bytes",
		    OVERRIDE_AUTHOR_MAX);
	snprintf(value, sizeof(value), "%s 1 %s\n%s", tool->words[1], author,
	    tool->reason);
	limit = override_read(
	    pattern, strlen(pattern), value, strlen(value), 0, &error);
	if (!limit)
		return tool_error("override: %s", error.reason);
	limit_free(limit);
	return STATUS_FINE;
}

static int
override_set_one(
    struct tool *tool, struct override_place *place, const char *author)
{
	char end[TIME_SIZE];
	redisReply *reply = redis_client_call(&place->client,
	    "EVAL %s 1 %s set %s %s %lld %s %s %d", script_override.text,
	    place->key, tool->words[0], tool->words[1],
	    (long long)(tool->for_us / 1000000), author, tool->reason,
	    OVERRIDES_MAX);
	int status = STATUS_ERROR;

	if (!reply)
		return STATUS_ERROR;
	if (reply->type == REDIS_REPLY_INTEGER)
		status = override_tell(tool, place, tool->words[1],
		    tool->words[0], override_time(end, reply->integer));
	else
		tool_error("there are %d overrides already: remove one",
		    OVERRIDES_MAX);
	freeReplyObject(reply);
	return status;
}

int
override_set(struct tool *tool)
{
	struct override_place place;
	char author[LOAD_AUTHOR_MAX + 1];
	int status;

	load_write_author(tool, author);
	status = override_check(tool, author);
	if (status != STATUS_FINE || override_open(&place, tool) == -1)
		return STATUS_ERROR;
	status = override_set_one(tool, &place, author);
	redis_client_close(&place.client);
	return status;
}

/*
 * override remove
 */

static int
override_tell_removal(const struct tool *tool, struct override_place *place,
    const redisReply *reply)
{
	bool was_there =
	    reply->type == REDIS_REPLY_INTEGER && reply->integer == 1;
	int status = override_tell(tool, place,
	    was_there ? "removed" : "was none", tool->words[0], "");

	return status == STATUS_FINE && !was_there ? STATUS_DIFFERENT : status;
}

int
override_remove(struct tool *tool)
{
	struct override_place place;
	redisReply *reply;
	int status = STATUS_ERROR;

	if (override_open(&place, tool) == -1)
		return STATUS_ERROR;
	reply = redis_client_call(&place.client, "EVAL %s 1 %s remove %s",
	    script_override.text, place.key, tool->words[0]);
	if (reply)
		status = override_tell_removal(tool, &place, reply);
	freeReplyObject(reply);
	redis_client_close(&place.client);
	return status;
}

/*
 * override list
 */

/* Each has three ${parts}: its pattern, its value, and what is left of it. */
#define PARTS 3

struct override_list {
	redisReply *reply;
	uint64_t *used; /* how often daemons used each; NULL: none was asked */
};

static size_t
override_count(const struct override_list *list)
{
	return list->reply->elements / PARTS;
}

static void
override_show(struct table *table, const struct override_list *list, size_t i)
{
	redisReply *const *parts = &list->reply->element[PARTS * i];
	struct limit_error error;
	struct limit *limit = override_read(parts[0]->str, parts[0]->len,
	    parts[1]->str, parts[1]->len, 0, &error);

	table_add_bytes(table, parts[0]->str, parts[0]->len);
	if (list->used)
		table_add(table, "%llu", (unsigned long long)list->used[i]);
	table_add(table, "%s", limit ? limit->override->note : error.reason);
	if (!limit)
		table_colour(table, COLOUR_RED);
	limit_free(limit);
}

static void
override_write(struct json *json, const struct override_list *list, size_t i)
{
	redisReply *const *parts = &list->reply->element[PARTS * i];
	struct limit_error error;
	struct limit *limit = override_read(parts[0]->str, parts[0]->len,
	    parts[1]->str, parts[1]->len, 0, &error);

	json_open(json, NULL, '{');
	json_bytes(json, "pattern", parts[0]->str, parts[0]->len);
	if (limit) {
		json_text(json, "override", limit->override->note);
		json_int(json, "seconds_left",
		    strtoll(parts[2]->str, NULL, 10) / 1000000);
	} else {
		json_text(json, "error", error.reason);
	}
	if (list->used)
		json_int(json, "used", (int64_t)list->used[i]);
	json_close(json, '}');
	limit_free(limit);
}

static int
override_print(const struct tool *tool, const struct override_list *list)
{
	struct table table = {.columns = list->used ? 3 : 2};
	struct json json = {.to = stdout};
	int status;

	if (tool->json) {
		json_open(&json, NULL, '[');
		for (size_t i = 0; i < override_count(list); i++)
			override_write(&json, list, i);
		json_close(&json, ']');
		json_end(&json);
		return STATUS_FINE;
	}
	table_add(&table, "PATTERN");
	if (list->used)
		table_add(&table, "USED");
	table_add(&table, "OVERRIDE");
	for (size_t i = 0; i < override_count(list); i++)
		override_show(&table, list, i);
	status = table_print(&table, tool, (struct table_room){0}, stdout);
	table_free(&table);
	return status == -1 ? STATUS_ERROR : STATUS_FINE;
}

static void
override_add_use(const struct override_list *list, const struct field *pattern,
    const struct field *used)
{
	int64_t number;

	if (num_read_int(used->value, used->value_len, 0, INT64_MAX, &number) ==
	    -1)
		return;
	for (size_t i = 0; i < override_count(list); i++) {
		const redisReply *own = list->reply->element[PARTS * i];

		if (own->len == pattern->value_len &&
		    memcmp(own->str, pattern->value, own->len) == 0)
			list->used[i] += (uint64_t)number;
	}
}

/* Take a row of LIMITS: "override.deny ... pattern=P used=N note=TEXT". */
static void
override_take_row(const char *row, void *arg)
{
	struct field field, pattern = {0};

	if (!fields_is_override(row))
		return;
	row += strcspn(row, " ");
	while (fields_next(&row, &field) && !field_is(&field, "note"))
		if (field_is(&field, "pattern"))
			pattern = field;
		else if (field_is(&field, "used"))
			override_add_use(arg, &pattern, &field);
}

/* Add up how often the daemons of --nodes used each. */
static int
override_count_uses(struct tool *tool, struct override_list *list)
{
	char *nodes = strdup(tool->nodes), *rest;
	int status = STATUS_FINE;

	list->used = calloc(override_count(list) + 1, sizeof(*list->used));
	if (!nodes || !list->used)
		status = tool_error("out of memory");
	else if (!(tool->socket = strtok_r(nodes, ", ", &rest)))
		status = tool_error("--nodes: no address");
	for (; status == STATUS_FINE && tool->socket;
	     tool->socket = strtok_r(NULL, ", ", &rest))
		status = client_lines(tool, "LIMITS", override_take_row, list);
	tool->socket = NULL;
	free(nodes);
	return status;
}

int
override_list(struct tool *tool)
{
	struct override_place place;
	struct override_list list = {0};
	int status = STATUS_ERROR;

	if (override_open(&place, tool) == -1)
		return STATUS_ERROR;
	list.reply = redis_client_call_texts(&place.client, "EVAL %s 1 %s list",
	    script_override.text, place.key);
	if (list.reply)
		status = tool->nodes ? override_count_uses(tool, &list)
				     : STATUS_FINE;
	if (status == STATUS_FINE)
		status = override_print(tool, &list);
	free(list.used);
	freeReplyObject(list.reply);
	redis_client_close(&place.client);
	return status;
}
