#include "redis/calls.h"

#include <stdlib.h>
#include <string.h>

static struct call *
calls_new_call(struct calls *calls)
{
	struct call *call = spares_take(&calls->spares);

	return call ? call : malloc(sizeof(*call));
}

int
calls_add(struct calls *calls, const struct call *like,
    const struct command *command, struct buf *out)
{
	size_t len = buf_len(&command->bytes);
	char *room = command->failed ? NULL : buf_reserve(out, len);
	struct call *call = room ? calls_new_call(calls) : NULL;

	if (!call)
		return -1;
	memcpy(room, buf_data(&command->bytes), len);
	buf_commit(out, len);
	*call = *like;
	call->next = NULL;
	if (calls->tail)
		calls->tail->next = call;
	else
		calls->head = call;
	calls->tail = call;
	return 0;
}

static void
calls_end(struct calls *calls, struct call *call, const redisReply *reply)
{
	call->done(reply, call->arg);
	spares_put(&calls->spares, call);
}

void
calls_deliver(struct calls *calls, const redisReply *reply)
{
	struct call *call = calls->head;

	calls->head = call->next;
	if (!calls->head)
		calls->tail = NULL;
	calls_end(calls, call, reply);
}

void
calls_abandon(struct calls *calls)
{
	struct call *call = calls->head;

	calls->head = calls->tail = NULL;
	while (call) {
		struct call *next = call->next;

		calls_end(calls, call, NULL);
		call = next;
	}
}

void
calls_move(struct calls *from, struct calls *to, int64_t later_us)
{
	for (struct call *call = from->head; call; call = call->next)
		call->deadline_us += later_us;
	if (to->tail)
		to->tail->next = from->head;
	else
		to->head = from->head;
	if (from->tail)
		to->tail = from->tail;
	from->head = from->tail = NULL;
}

int64_t
calls_deadline_us(const struct calls *calls)
{
	int64_t earliest = INT64_MAX;

	for (const struct call *call = calls->head; call; call = call->next)
		if (call->deadline_us < earliest)
			earliest = call->deadline_us;
	return earliest;
}

void
calls_free(struct calls *calls)
{
	spares_clear(&calls->spares, free);
}
