/*
 * history: reads the history of the limits.  It believes nothing: a hash of
 * another kind or version is refused as a whole, a set that is not as it was
 * written, by itself.  The heart is history_read().
 */
#include "cli/history.h"

#include "base/num.h"
#include "cli/limits_key.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As in lua/load.lua. */
#define VERSION_HERE "1"

/* "N:set" */
#define FIELD_MAX (NUM_MAX_LEN + 5)

#define NUMBER_MAX INT64_C(1000000000000000)

/* Print what is wrong with the key, unless the client is quiet.  Return -1. */
static int PRINTF_LIKE(2, 3)
    history_refuse(const struct redis_client *client, const char *format, ...)
{
	char text[200];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (!client->is_quiet)
		tool_error("%s" HISTORY_SUFFIX ": %s",
		    client->options.limits_key, text);
	return -1;
}

static bool
history_is_text(const redisReply *reply)
{
	return reply->type == REDIS_REPLY_STRING;
}

/* Call HMGET of ${count} fields.  NULL: the error was printed. */
static redisReply *
history_call(
    struct redis_client *client, size_t count, char fields[][FIELD_MAX])
{
	const char *words[HISTORY_MAX + 2] = {"HMGET"};
	size_t lens[HISTORY_MAX + 2] = {5};
	char key[300];
	redisReply *reply;

	words[1] = key;
	lens[1] = (size_t)snprintf(
	    key, sizeof(key), "%s" HISTORY_SUFFIX, client->options.limits_key);
	for (size_t i = 0; i < count; i++) {
		words[i + 2] = fields[i];
		lens[i + 2] = strlen(fields[i]);
	}
	if (redis_client_queue(client, count + 2, words, lens) == -1)
		return NULL;
	reply = redis_client_reply(client);
	if (reply &&
	    (reply->type != REDIS_REPLY_ARRAY || reply->elements != count)) {
		history_refuse(client, "Redis sent a reply that is no list of "
				       "its fields");
		freeReplyObject(reply);
		return NULL;
	}
	return reply;
}

/* Return 1 if the key has a hash, 0 if it has nothing, or -1. */
static int
history_check_type(struct redis_client *client)
{
	redisReply *reply = redis_client_call(
	    client, "TYPE %s" HISTORY_SUFFIX, client->options.limits_key);
	int result = -1;

	if (!reply)
		return -1;
	if (reply->type != REDIS_REPLY_STATUS)
		history_refuse(client, "Redis sent a reply that is no type");
	else if (strcmp(reply->str, "hash") == 0)
		result = 1;
	else if (strcmp(reply->str, "none") == 0)
		result = 0;
	else
		history_refuse(
		    client, "is no history of limits: a %.20s", reply->str);
	freeReplyObject(reply);
	return result;
}

static int
history_check_version(const struct redis_client *client, const redisReply *text)
{
	int64_t version;

	if (history_is_text(text) && strcmp(text->str, VERSION_HERE) == 0)
		return 0;
	if (history_is_text(text) &&
	    num_read_int(text->str, (size_t)text->len, 1, 999, &version) == 0)
		return history_refuse(client,
		    "was written by a newer dripgate (version %d)",
		    (int)version);
	return history_refuse(client, "is no history of limits");
}

static int
history_read_head(struct history *history, struct redis_client *client)
{
	char fields[][FIELD_MAX] = {"version", "last", "digest"};
	redisReply **element;

	history->head = history_call(client, COUNT(fields), fields);
	if (!history->head)
		return -1;
	element = history->head->element;
	if (history_check_version(client, element[0]) == -1)
		return -1;
	if (!history_is_text(element[1]) || !history_is_text(element[2]) ||
	    num_read_int(element[1]->str, (size_t)element[1]->len, 1,
		NUMBER_MAX, &history->last) == -1)
		return history_refuse(client, "its last number is missing");
	history->digest = element[2]->str;
	return 0;
}

static int
history_read_abouts(struct history *history, struct redis_client *client)
{
	char fields[HISTORY_MAX][FIELD_MAX];
	size_t count =
	    history->last < HISTORY_MAX ? (size_t)history->last : HISTORY_MAX;

	for (size_t i = 0; i < count; i++)
		snprintf(fields[i], sizeof(fields[i]), "%lld",
		    (long long)history->last - (long long)i);
	history->abouts = history_call(client, count, fields);
	if (!history->abouts)
		return -1;
	for (size_t i = 0; i < count; i++) {
		const redisReply *text = history->abouts->element[i];
		struct history_entry *entry = &history->entries[i];

		entry->number = history->last - (int64_t)i;
		entry->is_torn = !history_is_text(text) ||
				 history_text_read_about(&entry->about,
				     text->str, (size_t)text->len) == -1;
	}
	history->count = count;
	return 0;
}

int
history_read(struct history *history, struct redis_client *client)
{
	int there = history_check_type(client);

	*history = (struct history){.digest = ""};
	if (there == 0)
		return 0;
	if (there == 1 && history_read_head(history, client) == 0 &&
	    history_read_abouts(history, client) == 0)
		return 0;
	history_free(history);
	return -1;
}

void
history_free(struct history *history)
{
	freeReplyObject(history->head);
	freeReplyObject(history->abouts);
	*history = (struct history){.digest = ""};
}

const struct history_entry *
history_find(const struct history *history, const struct redis_client *client,
    int64_t number)
{
	for (size_t i = 0; i < history->count; i++) {
		const struct history_entry *entry = &history->entries[i];

		if (entry->number != number)
			continue;
		if (!entry->is_torn)
			return entry;
		history_refuse(client,
		    "number %lld is torn: it is not as "
		    "dripgate wrote it",
		    (long long)number);
		return NULL;
	}
	if (history->count == 0)
		history_refuse(client, "there is no history");
	else
		history_refuse(client, "has no number %lld; %lld to %lld",
		    (long long)number,
		    (long long)history->entries[history->count - 1].number,
		    (long long)history->last);
	return NULL;
}

const struct history_entry *
history_find_word(const struct history *history,
    const struct redis_client *client, const char *word)
{
	int64_t number;

	if (num_read_int(word, strlen(word), 1, NUMBER_MAX, &number) == 0)
		return history_find(history, client, number);
	tool_error("%s: is no number of the history", word);
	return NULL;
}

int
history_is_present(const struct history *history, struct redis_client *client)
{
	struct limits_key key;
	bool is_present;

	if (limits_key_read(&key, client, history->digest) == -1)
		return -1;
	is_present = strcmp(key.digest, history->digest) == 0;
	limits_key_free(&key);
	return is_present;
}

void
history_write_about(struct json *json, const struct history_about *about)
{
	if (about->time > 0) {
		json_int(json, "time", about->time);
		json_bytes(json, "author", about->author, about->author_len);
		json_bytes(json, "message", about->message, about->message_len);
	} else {
		json_raw(json, "time", "null");
		json_raw(json, "author", "null");
		json_raw(json, "message", "null");
	}
	json_int(json, "limits", about->count);
	json_text(json, "digest", about->digest);
}

int64_t
history_number_of(const struct history *history, const char *digest)
{
	for (size_t i = 0; i < history->count; i++) {
		const struct history_entry *entry = &history->entries[i];

		if (!entry->is_torn && strcmp(entry->about.digest, digest) == 0)
			return entry->number;
	}
	return 0;
}

/* Make a set of what the field has.  Return 0, or -1. */
static int
history_take_set(struct limit_set *set, const struct redis_client *client,
    const struct history_entry *entry, const redisReply *text, const char *name)
{
	struct rules_line *lines = NULL;
	size_t count = 0;
	int status = -1;

	if (!history_is_text(text) ||
	    (history_text_read_set(
		 text->str, (size_t)text->len, &lines, &count) == -1 &&
		errno == EINVAL) ||
	    (lines && count != (size_t)entry->about.count))
		history_refuse(client,
		    "number %lld is torn: its limits are "
		    "not as dripgate wrote them",
		    (long long)entry->number);
	else if (!lines)
		tool_error("out of memory");
	else
		status = limit_set_from_lines(set, name, lines, count);
	free(lines);
	return status;
}

int
history_read_set(struct limit_set *set, struct redis_client *client,
    const struct history_entry *entry, const char *name)
{
	char field[1][FIELD_MAX];
	redisReply *reply;
	int status;

	snprintf(
	    field[0], sizeof(field[0]), "%lld:set", (long long)entry->number);
	reply = history_call(client, 1, field);
	if (!reply)
		return -1;
	status = history_take_set(set, client, entry, reply->element[0], name);
	freeReplyObject(reply);
	return status;
}
