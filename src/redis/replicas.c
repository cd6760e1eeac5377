#include "redis/replicas.h"

#include "base/clock.h"
#include "redis/reply.h"
#include "redis/script_call.h"

#include <inttypes.h>

/* A time-out of 0 would be none. */
#define LEAST_MS 1

static void
replicas_add(struct replicas *replicas, struct script_call *call)
{
	struct script_call **place = &replicas->head;

	while (*place)
		place = &(*place)->next;
	call->next = NULL;
	*place = call;
}

static void
replicas_end(struct script_call *call, bool have, const redisReply *error)
{
	redisReply *held = call->held;

	call->held = NULL;
	call->done(call, have ? held : error);
	if (held)
		freeReplyObject(held);
}

static void replicas_on_reply(const redisReply *reply, void *arg);

/* Send WAIT for all that are held.  A new connection would say nothing of what
 * was written over the one before.  Return 0 or -1. */
static int
replicas_send(struct script_calls *calls)
{
	struct replicas *replicas = &calls->replicas;
	struct command *command = &calls->command;
	int64_t now_us = clock_us();

	link_look(calls->link);
	if (!link_is_up(calls->link))
		return -1;
	replicas->until_us = now_us;
	for (struct script_call *call = replicas->head; call; call = call->next)
		if (call->replicas_by_us > replicas->until_us)
			replicas->until_us = call->replicas_by_us;
	command_start(command, 3);
	command_add_text(command, "WAIT");
	command_add_int(command, replicas->head->replicas);
	command_add_int(
	    command, (replicas->until_us - now_us) / 1000 + LEAST_MS);
	return link_call(calls->link, command,
	    replicas->until_us + REPLICAS_GRACE_US, replicas_on_reply, calls);
}

static void
replicas_ask(struct script_calls *calls)
{
	if (replicas_send(calls) == 0)
		link_flush(calls->link);
	else
		replicas_on_reply(NULL, calls);
}

static bool
replicas_have(const redisReply *reply, const struct script_call *call)
{
	return reply && reply->type == REDIS_REPLY_INTEGER &&
	       reply->integer >= call->replicas;
}

/* Calls that were held after WAIT was sent may have more time than it had. */
static void
replicas_on_reply(const redisReply *reply, void *arg)
{
	struct script_calls *calls = arg;
	struct script_call *call = calls->replicas.head;
	int64_t until_us = calls->replicas.until_us;
	bool have = replicas_have(reply, call);
	bool is_error = reply && reply->type == REDIS_REPLY_ERROR;
	bool too_few = reply && !have && !is_error;

	if (too_few)
		log_limited(&calls->limiter, LOG_LEVEL_WARNING,
		    "redis %s: %lld of %" PRId64
		    " replicas had the decisions in time: on_error decides",
		    link_name(calls->link), reply->integer, call->replicas);
	calls->replicas.head = NULL;
	while (call) {
		struct script_call *next = call->next;

		if (too_few && call->replicas_by_us > until_us)
			replicas_add(&calls->replicas, call);
		else
			replicas_end(call, have, is_error ? reply : NULL);
		call = next;
	}
	if (calls->replicas.head)
		replicas_ask(calls);
}

void
replicas_hold(struct script_calls *calls, struct script_call *call,
    const redisReply *reply)
{
	bool is_out = calls->replicas.head != NULL;

	if (call->replicas_by_us > clock_us())
		call->held = reply_copy(reply);
	if (!call->held) {
		replicas_end(call, false, NULL);
		return;
	}
	replicas_add(&calls->replicas, call);
	if (!is_out)
		replicas_ask(calls);
}
