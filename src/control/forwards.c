#include "control/forwards.h"

#include "base/clock.h"

#include <errno.h>
#include <string.h>

/* Bytes of messages that the server has not acknowledged.  Each message counts
 * for some bytes more, for the memory that a call takes. */
#define MAX_BYTES  ((size_t)8 << 20)
#define COST_BYTES 100

static void
forwards_on_reply(const redisReply *reply, void *arg)
{
	struct forwards *forwards = arg;

	if (--forwards->count == 0)
		forwards->bytes = 0;
	if (reply && reply->type != REDIS_REPLY_ERROR)
		forwards->forwarded++;
	else
		forwards->lost++;
}

/* Return 0, or -1: the link is down, or no memory is left. */
static int
forwards_publish(struct forwards *forwards, const char *bytes, size_t len)
{
	struct command *command = &forwards->command;

	command_start(command, 3);
	command_add_text(command, "PUBLISH");
	command_add_text(command, forwards->channel);
	command_add(command, bytes, len);
	return link_call(forwards->link, command,
	    clock_us() + forwards->timeout_us, forwards_on_reply, forwards);
}

void
forwards_send(struct forwards *forwards, const char *bytes, size_t len)
{
	size_t cost = len + COST_BYTES;

	if (forwards->bytes + cost > MAX_BYTES) {
		forwards->lost++;
		return;
	}
	if (forwards_publish(forwards, bytes, len) == -1) {
		forwards->lost++;
		link_drop(forwards->link, strerror(ENOMEM));
		return;
	}
	forwards->count++;
	forwards->bytes += cost;
	link_flush(forwards->link);
}

void
forwards_free(struct forwards *forwards)
{
	command_free(&forwards->command);
}
