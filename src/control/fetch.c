/*
 * Job: calls the script, and turns its reply into one of four outcomes.
 * Invariant: each call of fetch_start() that returned 0 has one outcome.
 * Heart: fetch_on_reply().
 */
#include "control/fetch.h"

#include "base/clock.h"
#include "base/num.h"
#include "limit/override.h"
#include "redis/reply.h"
#include "redis/script_call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fetch {
	struct link *link;
	const struct subscriber_options *options;
	fetch_done *done;
	void *arg;

	char known[2 * FETCH_DIGEST_LEN + 1]; /* the digest, and the mark */
	char mark[FETCH_DIGEST_LEN + 1];      /* of the overrides that were
					       * read last; "": none */
	struct override_line overrides[OVERRIDES_MAX]; /* of that reply */
	struct rules *base; /* the last valid set, without them; or NULL */
	struct script_calls calls;
	struct script_call call;
};

static void
fetch_finish(struct fetch *fetch, const struct fetched *fetched)
{
	fetch->done(fetched, fetch->arg);
}

static void
fetch_lose(struct fetch *fetch)
{
	fetch_finish(fetch, &(struct fetched){.result = FETCH_LOST});
}

static void
fetch_lose_server(struct fetch *fetch, const char *reason)
{
	fetch_lose(fetch);
	link_drop(fetch->link, reason);
}

/* The script ran into an error.  Leave out where in the script. */
static void
fetch_reject_error(struct fetch *fetch, const redisReply *reply)
{
	const char *place = strstr(reply->str, " script: ");
	size_t len = place ? (size_t)(place - reply->str) : strlen(reply->str);
	struct reasons reasons;

	reasons_set(&reasons, "key '%s': %.*s", fetch->options->limits_key,
	    (int)(len < REASON_SIZE ? len : REASON_SIZE), reply->str);
	fetch_finish(fetch,
	    &(struct fetched){
		.result = FETCH_WRONG, .digest = "", .reasons = &reasons});
}

/* The number in the history, which the script may leave out; 0: it did. */
static int64_t
fetch_number(const redisReply *reply)
{
	return reply->elements > 1 &&
		       reply->element[1]->type == REDIS_REPLY_INTEGER
		   ? reply->element[1]->integer
		   : 0;
}

/* How many elements come before the members. */
static size_t
fetch_head(const redisReply *reply)
{
	return fetch_number(reply) > 0 ? 2 : 1;
}

/* The overrides behind the members, or NULL. */
static const redisReply *
fetch_overrides(const redisReply *reply)
{
	const redisReply *last = reply->element[reply->elements - 1];

	return last->type == REDIS_REPLY_ARRAY && last->elements % 3 == 1
		   ? last
		   : NULL;
}

static size_t
fetch_count(const redisReply *reply)
{
	return reply->elements - fetch_head(reply) -
	       (fetch_overrides(reply) != NULL);
}

/* Return the members, which the caller frees; NULL: one is no string, or there
 * is no memory. */
static struct rules_line *
fetch_members(const redisReply *reply)
{
	size_t head = fetch_head(reply), count = fetch_count(reply);
	struct rules_line *lines = calloc(count + 1, sizeof(*lines));

	for (size_t i = 0; lines && i < count; i++) {
		const redisReply *member = reply->element[i + head];

		if (member->type != REDIS_REPLY_STRING) {
			free(lines);
			return NULL;
		}
		lines[i].bytes = member->str;
		lines[i].len = (size_t)member->len;
	}
	return lines;
}

/* Read number ${i} of the overrides as it is in Redis. */
static void
fetch_read_override(
    const redisReply *list, size_t i, struct override_line *line)
{
	redisReply *const *parts = &list->element[3 * i + 1];

	*line = (struct override_line){.pattern = "", .left_us = -1};
	for (size_t k = 0; k < 3; k++)
		if (parts[k]->type != REDIS_REPLY_STRING)
			return;
	line->pattern = parts[0]->str;
	line->pattern_len = parts[0]->len;
	line->value = parts[1]->str;
	line->len = parts[1]->len;
	if (num_read_int(parts[2]->str, parts[2]->len, 0, LIMIT_SPAN_MAX,
		&line->left_us) == -1)
		line->left_us = -1;
}

/* Take note of which they are. */
static void
fetch_take_overrides(
    struct fetch *fetch, const redisReply *list, struct fetched *fetched)
{
	size_t count = list ? list->elements / 3 : 0;

	if (count > OVERRIDES_MAX)
		count = OVERRIDES_MAX;
	for (size_t i = 0; i < count; i++)
		fetch_read_override(list, i, &fetch->overrides[i]);
	fetched->overrides = fetch->overrides;
	fetched->override_count = count;
	fetched->mark = "none";
	if (list && list->element[0]->type == REDIS_REPLY_STRING)
		fetched->mark = list->element[0]->str;
}

/* Put the overrides in front of the set.  Without memory for them, they are
 * read again at the next poll. */
static void
fetch_override(struct fetch *fetch, const redisReply *list,
    struct fetched *fetched, struct reasons *reasons)
{
	fetch_take_overrides(fetch, list, fetched);
	fetched->rules = rules_override_lines(fetched->rules,
	    fetched->overrides, fetched->override_count, reasons);
	fetch->mark[0] = '\0';
	if (list && rules_has_overrides(fetched->rules))
		snprintf(fetch->mark, sizeof(fetch->mark), "%s", fetched->mark);
}

static void
fetch_give(struct fetch *fetch, const redisReply *reply, struct rules *rules,
    const struct rules_line *lines, struct reasons *reasons)
{
	struct fetched fetched = {.result = FETCH_SET,
	    .digest = reply->element[0]->str,
	    .rules = rules,
	    .lines = lines,
	    .count = fetch_count(reply),
	    .number = fetch_number(reply),
	    .reasons = reasons};

	rules_set_digest(rules, fetched.digest);
	rules_unref(fetch->base);
	fetch->base = rules_ref(rules);
	fetch_override(fetch, fetch_overrides(reply), &fetched, reasons);
	fetch_finish(fetch, &fetched);
}

/* The key has no valid set.  Overrides need none: they are in front of the one
 * before. */
static void
fetch_reject_set(
    struct fetch *fetch, const redisReply *reply, const struct reasons *reasons)
{
	const redisReply *list = fetch_overrides(reply);
	struct fetched fetched = {.result = FETCH_WRONG,
	    .digest = reply->element[0]->str,
	    .reasons = reasons};
	struct reasons others;

	fetch_take_overrides(fetch, list, &fetched);
	if (fetch->base && strcmp(list ? fetched.mark : "", fetch->mark) != 0) {
		reasons_clear(&others);
		fetched.rules = rules_ref(fetch->base);
		fetch_override(fetch, list, &fetched, &others);
		reasons_log_warnings(&others);
	}
	fetch_finish(fetch, &fetched);
}

static void
fetch_read_set(struct fetch *fetch, const redisReply *reply,
    const struct rules_line *lines)
{
	size_t count = fetch_count(reply);
	const char *key = fetch->options->limits_key;
	struct rules *rules = NULL;
	struct reasons reasons;

	if (count == 0 && !fetch->options->allow_empty)
		reasons_set(&reasons, "key '%s' is empty or missing", key);
	else
		rules = rules_from_lines(key, lines, count, &reasons);
	if (rules && count > 0 && rules_count(rules) == 0 &&
	    !fetch->options->allow_empty) {
		rules_unref(rules);
		rules = NULL;
		reasons_set(
		    &reasons, "key '%s' has no limit that is read", key);
	}
	if (!rules) {
		fetch_reject_set(fetch, reply, &reasons);
		return;
	}
	fetch_give(fetch, reply, rules, lines, &reasons);
}

static bool
fetch_has_head(const redisReply *reply)
{
	return reply->type == REDIS_REPLY_ARRAY && reply->elements > 0 &&
	       reply->element[0]->type == REDIS_REPLY_STRING;
}

/* Whether it says no more than what is known: the digest, and the mark of the
 * overrides.  A set that has the digest, but now others, has more. */
static bool
fetch_is_known(const struct fetch *fetch, const redisReply *reply)
{
	return fetch_has_head(reply) && reply->elements == 1 &&
	       strcmp(reply->element[0]->str, fetch->known) == 0;
}

static bool
fetch_is_reply(const struct fetch *fetch, const redisReply *reply)
{
	return fetch_is_known(fetch, reply) ||
	       (fetch_has_head(reply) &&
		   reply->element[0]->len == FETCH_DIGEST_LEN);
}

static void
fetch_take_reply(struct fetch *fetch, const redisReply *reply)
{
	struct rules_line *lines;

	if (fetch_is_known(fetch, reply)) {
		fetch->known[FETCH_DIGEST_LEN] = '\0';
		fetch_finish(fetch, &(struct fetched){.result = FETCH_KNOWN,
					.digest = fetch->known});
		return;
	}
	lines = fetch_members(reply);
	if (lines)
		fetch_read_set(fetch, reply, lines);
	else
		fetch_lose_server(fetch, "its limits cannot be read");
	free(lines);
}

/* Whether the error is about the server, not about the key. */
static bool
fetch_is_temporary(const redisReply *reply)
{
	return reply_is_wrong_server(reply) || reply_is_error(reply, "BUSY") ||
	       reply_is_no_script(reply);
}

static void
fetch_on_reply(struct script_call *call, const redisReply *reply)
{
	struct fetch *fetch = CONTAINER_OF(call, struct fetch, call);

	if (!reply)
		fetch_lose(fetch);
	else if (fetch_is_reply(fetch, reply))
		fetch_take_reply(fetch, reply);
	else if (reply->type == REDIS_REPLY_ERROR && !fetch_is_temporary(reply))
		fetch_reject_error(fetch, reply);
	else
		fetch_lose_server(
		    fetch, reply->type == REDIS_REPLY_ERROR
			       ? reply->str
			       : "its reply is no list of limits");
}

static bool
fetch_write(struct script_call *call, struct command *command)
{
	struct fetch *fetch = CONTAINER_OF(call, struct fetch, call);

	script_begin(command, call, 5);
	command_add_int(command, 1);
	command_add_text(command, fetch->options->limits_key);
	command_add_text(command, fetch->known);
	command_add_int(command, SUBSCRIBER_LIMITS_MAX);
	command_add_int(command, SUBSCRIBER_BYTES_MAX);
	return true;
}

int
fetch_start(struct fetch *fetch, const char *known)
{
	snprintf(fetch->known, sizeof(fetch->known), "%s%s", known,
	    *known ? fetch->mark : "");
	if (script_call(&fetch->calls, &fetch->call) == -1)
		return -1;
	link_flush(fetch->link);
	return 0;
}

struct fetch *
fetch_new(struct link *link, const struct subscriber_options *options,
    fetch_done *done, void *arg)
{
	struct fetch *fetch = calloc(1, sizeof(*fetch));

	if (!fetch)
		return NULL;
	fetch->link = link;
	fetch->options = options;
	fetch->done = done;
	fetch->arg = arg;
	script_calls_init(&fetch->calls, link, options->link.script);
	fetch->call = (struct script_call){.script = &script_limits,
	    .timeout_us = options->link.socket_timeout_us,
	    .write = fetch_write,
	    .done = fetch_on_reply};
	return fetch;
}

void
fetch_free(struct fetch *fetch)
{
	if (!fetch)
		return;
	script_calls_free(&fetch->calls);
	rules_unref(fetch->base);
	free(fetch);
}
