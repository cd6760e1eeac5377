/**
 * algorithm: how a bucket decides.
 *
 * Each algorithm is one row, in a file of its own, with a script in
 * lua/algorithm/ that does the same in Redis; no other code asks which one it
 * is.  To add one: write the two files, and add its name to ALGORITHMS.
 */
#ifndef LIMIT_ALGORITHM_H
#define LIMIT_ALGORITHM_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/num.h"
#include "base/script.h"
#include "limit/bucket.h"
#include "limit/limit.h"
#include "limit/word.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** All of them.  A limit that names none has the first. */
#define ALGORITHMS(X)                                                          \
	X(leaky_bucket)                                                        \
	X(fixed_window)                                                        \
	X(sliding_window)                                                      \
	X(concurrent)

/** Most parameters of a limit that a script takes. */
#define ALGORITHM_PARAMETERS_MAX 4

/** Longest of them: five numbers with blanks between. */
#define ALGORITHM_PARAMETER_LEN (5 * NUM_MAX_LEN + 4)

struct algorithm_parameters {
	size_t count;
	size_t len[ALGORITHM_PARAMETERS_MAX];
	char text[ALGORITHM_PARAMETERS_MAX]
		 [ALGORITHM_PARAMETER_LEN]; /* without a NUL */
};

struct algorithm {
	const char *name;
	unsigned place;     /* among all: below ALGORITHM_COUNT */
	const char *suffix; /* of the names of its hashes in Redis */

	/* Its own words of a limit.  Two algorithms may share a word, which
	 * must then mean the same for both. */
	const struct limit_word *words;
	size_t words_count;

	/** Check a limit as a whole.  All its words are set, and this algorithm
	 * takes them.  Return 0, or -1 with ${error} set. */
	int (*check)(const struct limit *limit, struct limit_error *error);

	/** Append what LIMITS says of the limit, as "window=60.000000".  Return
	 * 0, or -1 (out of memory). */
	int (*describe)(const struct limit *limit, struct buf *out);

	/** Longest time for which a bucket can matter. */
	int64_t (*life_us)(const struct limit *limit);

	/** The time in which the whole capacity comes back. */
	int64_t (*full_us)(const struct limit *limit);

	/** See decide(). */
	bool (*decide)(const struct limit *limit, enum op op, int64_t amount,
	    int64_t now_us, struct bucket *bucket, struct decision *decision);

	/** See decide_give_back(). */
	void (*give_back)(const struct limit *limit, int64_t amount,
	    int64_t stamp, int64_t now_us, struct bucket *bucket);

	/** See decide_wait() and decide_leave().  NULL: no limit of it has a
	 * queue. */
	bool (*wait)(const struct limit *limit, int64_t amount, int64_t wait_us,
	    int64_t now_us, struct bucket *bucket, struct decision *decision);
	bool (*leave)(const struct limit *limit, int64_t amount, int64_t stamp,
	    int64_t now_us, struct bucket *bucket);
	/** If its buckets have leases that have names: OP_HOLD or OP_RELEASE of
	 * the one of ${name}, which changes the log itself; that has room for
	 * one more.  A release that finds none is not allowed.  Else NULL. */
	bool (*lease)(const struct limit *limit, enum op op, uint64_t name,
	    int64_t amount, int64_t now_us, struct bucket *bucket,
	    struct decision *decision);

	/** It needs the time of the wall clock, which may be set; else any
	 * clock that never jumps will do. */
	bool is_calendar;

	/** If it is of the calendar: the clock was set from ${was_us} to
	 * ${now_us}; keep what the bucket counts. */
	void (*follow_clock)(
	    struct bucket *bucket, int64_t was_us, int64_t now_us);

	/** If it is not of the calendar, and has no log: have all times of the
	 * bucket be ${by_us} later, or earlier. */
	void (*move)(struct bucket *bucket, int64_t by_us);

	/** Whether from ${now_us} on the bucket is the same as none. */
	bool (*is_drained)(const struct bucket *bucket, int64_t now_us);

	/** Whether a drained bucket still matters, ${memory_us} being the
	 * limit's limit_block_memory_us().  NULL: it never does. */
	bool (*is_remembered)(
	    const struct bucket *bucket, int64_t memory_us, int64_t now_us);

	/** Its buckets have a log (limit/leases.h).  The owner of a bucket
	 * allocates and frees it. */
	bool has_log;

	/** If it has: the longest text of a bucket. */
	size_t (*longest)(const struct limit *limit);

	/** Read the text that the scripts write, and accept exactly what they
	 * accept.  False, with ${bucket} untouched, if it is no such text.  A
	 * bucket that has a log has an empty one before, with its room. */
	bool (*read)(const struct limit *limit, const char *text, size_t len,
	    struct bucket *bucket);

	/** Add the parameters of the limit for the scripts: call
	 * algorithm_add_number() or algorithm_add_text() ${parameters}
	 * times.  The clock of the server shows about ${now_us}; if it is far
	 * from that, a script may fail, see server_clock_read_outside(). */
	void (*add_parameters)(const struct limit *limit, int64_t now_us,
	    struct algorithm_parameters *parameters);

	size_t parameters;
	const char *script;         /* what the plan's script calls it */
	const struct script *batch; /* decides many buckets */
	const struct script *sweep; /* removes drained ones */
};

enum algorithm_place {
#define ALGORITHM_PLACE(name) ALGORITHM_##name,
	ALGORITHMS(ALGORITHM_PLACE)
#undef ALGORITHM_PLACE
	    ALGORITHM_COUNT
};

#define ALGORITHM_EXTERN(name) extern const struct algorithm algorithm_##name;
ALGORITHMS(ALGORITHM_EXTERN)
#undef ALGORITHM_EXTERN

/** The first members of an algorithm's row. */
#define ALGORITHM_NAMED(id)                                                    \
	.name = #id, .place = ALGORITHM_##id, .script = #id,                   \
	.batch = &script_##id##_batch, .sweep = &script_##id##_sweep

/** The bits of a bucket's identity that say its algorithm. */
#define ALGORITHM_MASK 7

_Static_assert(ALGORITHM_COUNT <= ALGORITHM_MASK, "place + 1 fits");

/** The sum of several amounts of one request stays within this. */
#define DECIDE_AMOUNT_MAX (16 * LIMIT_AMOUNT_MAX)

/** Add one more, a number or ${len} <= ALGORITHM_PARAMETER_LEN bytes of text.
 */
void algorithm_add_number(
    struct algorithm_parameters *parameters, int64_t number);
void algorithm_add_text(
    struct algorithm_parameters *parameters, const char *text, size_t len);

/** The one at ${place}. */
const struct algorithm *algorithm_at(size_t place);

/** The one of that name, in upper or lower case, or NULL. */
const struct algorithm *algorithm_find(const char *name);

/** The word "algorithm" of a limit. */
int algorithm_set(
    struct limit *limit, const char *value, struct limit_error *error);
const char *algorithm_get(const struct limit *limit, char text[WORD_TEXT_MAX]);

/** The algorithm of the bucket with this identity. */
static inline const struct algorithm *
algorithm_of(struct hash128 id)
{
	return algorithm_at((id.hi & ALGORITHM_MASK) - 1);
}

/** Decide ${op} of ${amount} drops at time ${now_us} and bring ${bucket} up to
 * date.  ${amount} is from -DECIDE_AMOUNT_MAX to DECIDE_AMOUNT_MAX; a reset
 * takes none.  Return whether the bucket changed.  Not for OP_WAIT,
 * OP_GIVE_BACK and OP_LEAVE, which have functions of their own. */
static inline bool
decide(const struct limit *limit, enum op op, int64_t amount, int64_t now_us,
    struct bucket *bucket, struct decision *decision)
{
	return limit->algorithm->decide(
	    limit, op, amount, now_us, bucket, decision);
}

/** Give back what has not leaked at time ${now_us} of ${amount} > 0 drops that
 * were put in when bucket_stamp() of the bucket became ${stamp}.  All of them
 * would be too many: the bucket may have been empty since. */
static inline void
decide_give_back(const struct limit *limit, int64_t amount, int64_t stamp,
    int64_t now_us, struct bucket *bucket)
{
	limit->algorithm->give_back(limit, amount, stamp, now_us, bucket);
}

/** The same as decide() of OP_WAIT: put ${amount} drops in now if there will be
 * room for them within ${wait_us} > 0.  When, retry_us of the decision says,
 * whose other figures are those of that moment, had none come behind.  Starts
 * no block, and does not outlast one.  The limit has a queue. */
static inline bool
decide_wait(const struct limit *limit, int64_t amount, int64_t wait_us,
    int64_t now_us, struct bucket *bucket, struct decision *decision)
{
	return limit->algorithm->wait(
	    limit, amount, wait_us, now_us, bucket, decision);
}

/** The same as decide_give_back() of such drops, but only if none were put in
 * since.  Those behind would else go ahead of time: what leaked unused
 * meanwhile cannot be kept for them.  Return whether the bucket changed. */
static inline bool
decide_leave(const struct limit *limit, int64_t amount, int64_t stamp,
    int64_t now_us, struct bucket *bucket)
{
	return limit->algorithm->leave(limit, amount, stamp, now_us, bucket);
}

#endif
