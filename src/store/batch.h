/**
 * batch: questions on their way to one script call, and back.
 *
 * Pure: no link, no clock.  Entries are buckets, each with its questions in the
 * order they came; the entries of one limit stand together in the call.
 */
#ifndef STORE_BATCH_H
#define STORE_BATCH_H

#include "base/attr.h"
#include "base/buf.h"
#include "redis/command.h"
#include "store/store.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

/** Most buckets in one call: about half a millisecond of Redis's time. */
#define BATCH_ENTRIES 512

/** Most questions in one call; many may ask about one bucket. */
#define BATCH_ASKS 8192

#define BATCH_INDEX 1024 /* a power of two, at least 2 * BATCH_ENTRIES */

struct entry {
	const struct limit *limit;
	struct hash128 hash;        /* of the key */
	uint32_t key_at;            /* in ${keys} of the batch */
	uint32_t key_len;
	struct ask *first, *last;   /* chained by ask->next */
};

/** The entries of one limit, together in the call. */
struct group {
	const struct limit *limit;
	unsigned first, count;      /* in ${order} */
	const struct ask *same;     /* stands for all questions, or NULL */
};

struct batch {
	struct batch *next;         /* in whatever list it is */
	TAILQ_ENTRY(batch) age;     /* among all that are in use */
	void *owner;
	const struct rules *rules;  /* all its limits are of one set, those
				     * that came with requests aside */
	enum algorithm algorithm;   /* and of one algorithm: one script */
	int64_t deadline_us;
	bool resent;                /* once is all it gets */

	unsigned count;             /* entries */
	unsigned asks;              /* not yet answered */
	struct buf keys;
	struct buf ops;             /* on one bucket, as they are written */
	struct entry entries[BATCH_ENTRIES];
	uint16_t order[BATCH_ENTRIES];  /* entries, as they stand in the call */
	struct group groups[BATCH_ENTRIES];
	unsigned group_count;
	uint16_t index[BATCH_INDEX];    /* hash -> entry + 1, 0: none */
};

/** NULL: out of memory. */
struct batch *batch_new(void) MUST_USE;

/** Empty it, to be filled again. */
void batch_clear(struct batch *batch);

/** Free it, or NULL.  It must hold no questions. */
void batch_free(struct batch *batch);

/** Whether ${ask} may go into this batch: same rules, same algorithm, room, and
 * its bucket does not stand there under another limit. */
bool batch_has_room(const struct batch *batch, const struct ask *ask);

/** Add a question; there is room for it.  Return 0, or -1 (out of memory). */
int batch_add(struct batch *batch, struct ask *ask) MUST_USE;

/** Write the call of the script. */
void batch_write(
    struct batch *batch, const char *prefix, struct command *command);

/** Answer all questions from the script's reply, and call done for each; those
 * whose bucket is not ours are answered ANSWER_UNAVAILABLE, and ${foreign} is
 * set to one such text (or left NULL).  Return how many those are, or -1 if the
 * reply is not one of the script (nothing is answered). */
int batch_answer(struct batch *batch, const redisReply *reply,
    const char **foreign) MUST_USE;

/** Answer all questions ANSWER_UNAVAILABLE.  The batch stays, without
 * questions: a reply to it, if it was sent, has nobody to answer. */
void batch_abandon(struct batch *batch);

#endif
