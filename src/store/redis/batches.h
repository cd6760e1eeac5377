/**
 * batches: those of one server that are being filled, and those that wait.
 * Owns: the spare ones too.  Never: sends anything.
 */
#ifndef STORE_REDIS_BATCHES_H
#define STORE_REDIS_BATCHES_H

#include "base/attr.h"
#include "base/list.h"
#include "base/spares.h"
#include "limit/algorithm.h"
#include "store/redis/batch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Batches that are filled at a time: one for each algorithm, and a plan. */
#define BATCH_PLAN  ALGORITHM_COUNT
#define BATCH_KINDS (ALGORITHM_COUNT + 1)

TAILQ_HEAD(batch_ages, batch);

struct batches {
	struct batch *open[BATCH_KINDS]; /* those being filled, or NULL */
	struct batch *head, *tail;       /* wait to be sent, oldest first */
	struct batch_ages ages;          /* all in use, oldest first */
	struct spares spares;
};

/** Start without any. */
void batches_init(struct batches *batches);

/** Which kind a batch is. */
static inline size_t
batches_kind_of(const struct batch *batch)
{
	return batch->is_plan ? BATCH_PLAN : batch->algorithm->place;
}

/** The kind of batch that ${query} goes to; the open one of that kind, if there
 * is one, has room for it. */
size_t batches_choose(struct batches *batches, const struct query *query);

/** Start to fill one of ${kind}.  NULL: out of memory. */
struct batch *batches_open(struct batches *batches, size_t kind) MUST_USE;

/** Have those that are being filled wait whose deadline is past. */
void batches_seal_old(struct batches *batches, int64_t now_us);

/** Take the one to be sent next: first those that wait, then those being
 * filled.  One without queries is not sent.  NULL: there is none. */
struct batch *batches_next(struct batches *batches);

/** Have one that was taken be the next again. */
void batches_push_back(struct batches *batches, struct batch *batch);

/** Have one that was sent be sent again: before the others, behind those that
 * are sent again too. */
void batches_send_again(struct batches *batches, struct batch *batch);

/** If the reply says that the batch was written for another time than the
 * server's, so that nothing was done: set its decided_us to that, and have it
 * sent again, once.  Return whether that is so. */
bool batches_take_outside(
    struct batches *batches, struct batch *batch, const redisReply *reply);

/** A batch is done with. */
void batches_recycle(struct batches *batches, struct batch *batch);

/**
 * Whether the server has run the script of each kind since the link came up.
 * Until then one call of it is out at a time: a refused one could not be sent
 * again once another brought it and ran.
 */
struct batch_proofs {
	bool proven[BATCH_KINDS];
	bool proving[BATCH_KINDS]; /* a call of it is out */
};

/** Whether a call of ${kind} must wait for one that is out, and that may be
 * sent again.  What a plan is about, others may be about, too: neither may
 * overtake the other. */
bool batches_must_wait(const struct batch_proofs *proofs, size_t kind);

#endif
