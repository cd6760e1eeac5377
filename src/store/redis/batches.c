/*
 * Job: the batches of a shard: open ones, those that wait, in which order.
 * Invariant: what is to be sent again goes before what was not sent yet.
 * The heart: batches_next(), batches_send_again().
 */
#include "store/redis/batches.h"

#include "store/redis/server_clock.h"

void
batches_init(struct batches *batches)
{
	*batches = (struct batches){0};
	TAILQ_INIT(&batches->ages);
}

void
batches_recycle(struct batches *batches, struct batch *batch)
{
	TAILQ_REMOVE(&batches->ages, batch, age);
	batch_put(&batches->spares, batch);
}

/* Have the batch that is being filled wait to be sent. */
static void
batches_seal(struct batches *batches, size_t kind)
{
	struct batch *batch = batches->open[kind];

	if (!batch)
		return;
	batches->open[kind] = NULL;
	batch->next = NULL;
	if (batches->tail)
		batches->tail->next = batch;
	else
		batches->head = batch;
	batches->tail = batch;
}

void
batches_seal_old(struct batches *batches, int64_t now_us)
{
	for (size_t i = 0; i < BATCH_KINDS; i++)
		if (batches->open[i] && batches->open[i]->deadline_us <= now_us)
			batches_seal(batches, i);
}

/* A step of several buckets may be about any that is in the others: these came
 * first, and are sent first.  What comes behind it may be about one of its
 * own, and joins the plan. */
size_t
batches_choose(struct batches *batches, const struct query *query)
{
	bool is_step = query->mate || query->once || op_takes_out(query->op);
	size_t kind = is_step || batches->open[BATCH_PLAN]
			  ? BATCH_PLAN
			  : query->limit->algorithm->place;

	if (batches->open[kind] && !batch_has_room(batches->open[kind], query))
		batches_seal(batches, kind);
	for (size_t i = 0; kind == BATCH_PLAN && i < BATCH_PLAN; i++)
		batches_seal(batches, i);
	return kind;
}

struct batch *
batches_open(struct batches *batches, size_t kind)
{
	struct batch *batch = batch_take(&batches->spares);

	if (!batch)
		return NULL;
	batch->is_plan = kind == BATCH_PLAN;
	batches->open[kind] = batch;
	TAILQ_INSERT_TAIL(&batches->ages, batch, age);
	return batch;
}

static struct batch *
batches_pop(struct batches *batches)
{
	struct batch *batch = batches->head;

	if (batch)
		batches->head = batch->next;
	if (!batches->head)
		batches->tail = NULL;
	return batch;
}

struct batch *
batches_next(struct batches *batches)
{
	struct batch *batch;

	for (;;) {
		for (size_t i = 0; i < BATCH_KINDS && !batches->head; i++)
			batches_seal(batches, i);
		batch = batches_pop(batches);
		if (!batch || batch->queries > 0)
			return batch;
		batches_recycle(batches, batch);
	}
}

void
batches_push_back(struct batches *batches, struct batch *batch)
{
	batch->next = batches->head;
	batches->head = batch;
	if (!batches->tail)
		batches->tail = batch;
}

void
batches_send_again(struct batches *batches, struct batch *batch)
{
	struct batch **place = &batches->head;

	while (*place && (*place)->redirected)
		place = &(*place)->next;
	batch->redirected = true;
	batch->next = *place;
	*place = batch;
	if (!batch->next)
		batches->tail = batch;
}

bool
batches_take_outside(
    struct batches *batches, struct batch *batch, const redisReply *reply)
{
	int64_t server_us = reply->type == REDIS_REPLY_ERROR
				? server_clock_read_outside(reply->str)
				: -1;

	if (server_us == -1 || batch->outside)
		return false;
	batch->outside = true;
	batch->decided_us = server_us;
	batches_send_again(batches, batch);
	return true;
}

static bool
batches_is_proving(const struct batch_proofs *proofs, size_t kind)
{
	return !proofs->proven[kind] && proofs->proving[kind];
}

bool
batches_must_wait(const struct batch_proofs *proofs, size_t kind)
{
	bool waits = batches_is_proving(proofs, kind) ||
		     batches_is_proving(proofs, BATCH_PLAN);

	for (size_t i = 0; kind == BATCH_PLAN && i < BATCH_PLAN; i++)
		waits |= batches_is_proving(proofs, i);
	return waits;
}
