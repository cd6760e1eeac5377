#include "store/redis/replicas.h"

#include "base/clock.h"
#include "redis/reply.h"

#include <inttypes.h>
#include <stdio.h>

/* 0 would be for ever. */
#define LEAST_MS 1

int
replicas_wait(struct batch *batch, const redisReply *reply, int64_t count,
    link_done *done)
{
	struct script_calls *calls = batch->call.calls;
	struct command *command = &calls->command;
	int64_t now_us = clock_us();
	int64_t left_us =
	    batch->deadline_us > now_us ? batch->deadline_us - now_us : 0;

	batch->held = reply_copy(reply);
	if (!batch->held)
		return -1;
	command_start(command, 3);
	command_add_text(command, "WAIT");
	command_add_int(command, count);
	command_add_int(command, left_us / 1000 + LEAST_MS);
	if (link_call(calls->link, command,
		now_us + left_us + REPLICAS_GRACE_US, done, batch) == -1)
		return -1;
	if (link_is_up(calls->link)) {
		link_flush(calls->link);
		return 0;
	}
	/* It goes over a new connection, on which it says nothing of this. */
	freeReplyObject(batch->held);
	batch->held = NULL;
	return 0;
}

bool
replicas_have(
    const redisReply *reply, int64_t count, char why[REPLICAS_REASON_MAX])
{
	if (reply->type == REDIS_REPLY_INTEGER && reply->integer >= count)
		return true;
	if (reply->type == REDIS_REPLY_INTEGER)
		snprintf(why, REPLICAS_REASON_MAX,
		    "%lld of %" PRId64 " replicas had the decisions in time",
		    reply->integer, count);
	else
		snprintf(why, REPLICAS_REASON_MAX, "WAIT: %s",
		    reply->type == REDIS_REPLY_ERROR ? reply->str
						     : "a strange reply");
	return false;
}
