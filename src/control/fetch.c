#include "control/fetch.h"

#include "base/clock.h"
#include "redis/reply.h"
#include "redis/script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fetch {
	struct link *link;
	const struct subscriber_options *options;
	fetch_done *done;
	void *arg;

	char known[FETCH_DIGEST_LEN + 1];
	bool script_sent;	/* in this fetch */
	struct command command; /* its room is used again */
};

static void
give(struct fetch *fetch, const struct fetched *fetched)
{
	fetch->done(fetched, fetch->arg);
}

static void
give_up(struct fetch *fetch)
{
	give(fetch, &(struct fetched){.result = FETCH_LOST});
}

static void
give_up_server(struct fetch *fetch, const char *reason)
{
	give_up(fetch);
	link_drop(fetch->link, reason);
}

static void
refuse(struct fetch *fetch, const char *digest, const char *reason)
{
	give(fetch,
	    &(struct fetched){
		.result = FETCH_BAD, .digest = digest, .reason = reason});
}

/* What Redis says of the script, without the place in it. */
static void
refuse_error(struct fetch *fetch, const redisReply *reply)
{
	const char *place = strstr(reply->str, " script: ");
	size_t len = place ? (size_t)(place - reply->str) : strlen(reply->str);
	char reason[sizeof(((struct rules_error *)0)->reason)];

	snprintf(reason, sizeof(reason), "%s: %.*s", fetch->options->limits_key,
	    (int)(len < sizeof(reason) ? len : sizeof(reason)), reply->str);
	refuse(fetch, "", reason);
}

/* The members, the caller's to free; NULL: not all are such, or no memory. */
static struct rules_line *
members(const redisReply *reply)
{
	size_t count = reply->elements - 1;
	struct rules_line *lines = calloc(count + 1, sizeof(*lines));

	for (size_t i = 0; lines && i < count; i++) {
		const redisReply *member = reply->element[i + 1];

		if (member->type != REDIS_REPLY_STRING) {
			free(lines);
			return NULL;
		}
		lines[i].bytes = member->str;
		lines[i].len = (size_t)member->len;
	}
	return lines;
}

static void
read_set(struct fetch *fetch, const char *digest,
    const struct rules_line *lines, size_t count)
{
	const char *key = fetch->options->limits_key;
	struct rules_error error;
	struct fetched fetched = {.digest = digest,
	    .lines = lines,
	    .count = count,
	    .reason = error.reason};

	if (count == 0 && !fetch->options->allow_empty)
		snprintf(error.reason, sizeof(error.reason),
		    "%s: no limits in it", key);
	else
		fetched.rules = rules_from_lines(key, lines, count, &error);
	fetched.result = fetched.rules ? FETCH_SET : FETCH_BAD;
	give(fetch, &fetched);
}

static bool
is_answer(const redisReply *reply)
{
	return reply->type == REDIS_REPLY_ARRAY && reply->elements > 0 &&
	       reply->element[0]->type == REDIS_REPLY_STRING &&
	       reply->element[0]->len == FETCH_DIGEST_LEN;
}

static void
take_answer(struct fetch *fetch, const redisReply *reply)
{
	const char *digest = reply->element[0]->str;
	struct rules_line *lines;

	if (strcmp(digest, fetch->known) == 0) {
		give(fetch,
		    &(struct fetched){.result = FETCH_KNOWN, .digest = digest});
		return;
	}
	lines = members(reply);
	if (lines)
		read_set(fetch, digest, lines, reply->elements - 1);
	else
		give_up_server(fetch, "its limits could not be taken");
	free(lines);
}

/* Whether it is an error that says nothing of the key: another time, or another
 * server. */
static bool
is_passing(const redisReply *reply)
{
	return reply_is_wrong_server(reply) || reply_is_error(reply, "BUSY");
}

static int send_call(struct fetch *fetch);
static int send_script(struct fetch *fetch);

static void
on_answer(const redisReply *reply, void *arg)
{
	struct fetch *fetch = arg;

	if (!reply)
		give_up(fetch);
	else if (is_answer(reply))
		take_answer(fetch, reply);
	else if (reply_is_error(reply, "NOSCRIPT") && !fetch->script_sent &&
		 send_script(fetch) == 0)
		return; /* on_script() goes on */
	else if (reply->type == REDIS_REPLY_ERROR && !is_passing(reply) &&
		 !reply_is_error(reply, "NOSCRIPT"))
		refuse_error(fetch, reply);
	else
		give_up_server(fetch, reply->type == REDIS_REPLY_ERROR
					  ? reply->str
					  : "sent no limits");
}

static void
on_script(const redisReply *reply, void *arg)
{
	struct fetch *fetch = arg;

	if (!reply)
		give_up(fetch);
	else if (reply->type != REDIS_REPLY_ERROR && send_call(fetch) == 0)
		return; /* on_answer() goes on */
	else if (reply->type == REDIS_REPLY_ERROR && !is_passing(reply))
		refuse_error(fetch, reply);
	else
		give_up_server(fetch, "a script cannot be loaded");
}

static int64_t
deadline_us(const struct fetch *fetch)
{
	return clock_us() + fetch->options->link.socket_timeout_us;
}

static int
send_script(struct fetch *fetch)
{
	fetch->script_sent = true;
	if (script_load(fetch->link, SCRIPT_LIMITS, deadline_us(fetch),
		on_script, fetch) == -1)
		return -1;
	link_flush(fetch->link);
	return 0;
}

static int
send_call(struct fetch *fetch)
{
	struct command *command = &fetch->command;

	command_start(command, 7);
	command_add_text(command, "EVALSHA_RO");
	command_add_text(command, script_sha(SCRIPT_LIMITS));
	command_add_int(command, 1);
	command_add_text(command, fetch->options->limits_key);
	command_add_text(command, fetch->known);
	command_add_int(command, SUBSCRIBER_LIMITS_MAX);
	command_add_int(command, SUBSCRIBER_BYTES_MAX);
	if (link_call(fetch->link, command, deadline_us(fetch), on_answer,
		fetch) == -1)
		return -1;
	link_flush(fetch->link);
	return 0;
}

int
fetch_start(struct fetch *fetch, const char *known)
{
	snprintf(fetch->known, sizeof(fetch->known), "%s", known);
	fetch->script_sent = false;
	return send_call(fetch);
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
	return fetch;
}

void
fetch_free(struct fetch *fetch)
{
	if (!fetch)
		return;
	command_free(&fetch->command);
	free(fetch);
}
