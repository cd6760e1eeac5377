/**
 * bucket: the state of one key under one limit, and a decision on it.
 *
 * Time is int64 microseconds.  Only its algorithm knows what a state means
 * (limit/algorithm.h); to all other code it is three numbers.
 */
#ifndef LIMIT_BUCKET_H
#define LIMIT_BUCKET_H

#include "limit/key.h"
#include "limit/limit.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUCKET_NUMBERS 3

struct lease_log;

/** All zero is an empty bucket.  Each number is from 0 to BUCKET_NUMBER_MAX. */
struct bucket {
	union {
		struct {
			int64_t empty_at_us;
			int64_t blocked_until_us; /* 0: not blocked */
			int64_t recharge;         /* under which empty_at was
						   * written, and more of
						   * that: leaky_bucket.c */
		} leaky;
		struct {
			int64_t end_us; /* of the window counted */
			int64_t count;
			int64_t length_us; /* of that window */
		} window;
		struct {
			int64_t stamp_us; /* when what went in last ends; of
					   * one as its log says it, the last
					   * drop */
			struct lease_log *log; /* limit/leases.h; or NULL;
						* gone, in a query's result */
			int32_t fresh, cut;    /* drops that the log lacks, and
						* that it has too many */
		} log;
		int64_t numbers[BUCKET_NUMBERS];
	};
};

/** retry_us of a decision: this amount can never fit. */
#define RETRY_NEVER INT64_C(-1)

struct decision {
	bool allowed;
	uint16_t lacks;     /* denied by a log: drops that must end before
			     * this amount can pass; else unset, or 0 */
	int32_t taken;      /* of OP_TAKE: drops that went in */
	int64_t level;      /* drops in the bucket, after the decision */
	int64_t next_us;    /* until the next drop leaks; 0 if empty */
	int64_t retry_us;   /* until this amount can pass; or RETRY_NEVER;
			     * of an allowed OP_WAIT, until it may go ahead */
	int64_t blocked_us; /* until the block ends */
	int64_t empty_us;   /* until the last drop leaks; 0 if empty */
};

/** What names the moment of a consume: the first number of the bucket then. */
static inline int64_t
bucket_stamp(const struct bucket *bucket)
{
	return bucket->numbers[0];
}

/** What a decision rests on. */
enum decided_by {
	DECIDED_BY_NONE,
	DECIDED_BY_MEMORY,
	DECIDED_BY_REDIS,
	DECIDED_BY_DENYCACHE,
	DECIDED_BY_FALLBACK,
	DECIDED_BY_ACTION, /* of the limit: no bucket was asked */
};

enum op {
	OP_CONSUME,
	OP_CHARGE, /* consume, up to the debt of the limit */
	OP_TAKE,   /* consume as many as fit, 0 to the amount */
	OP_WAIT,   /* consume what will fit within a time: decide_wait() */
	OP_HOLD,   /* consume under a name, or renew that */
	OP_PEEK,
	OP_RESET,
	OP_GIVE_BACK, /* what has not leaked since a consume */
	OP_LEAVE,     /* the same, of a wait behind which no other is */
	OP_RELEASE,   /* what is held under a name */
};

/** Whether it puts drops in. */
static inline bool
op_puts(enum op op)
{
	return op <= OP_HOLD;
}

/** Whether it is about a lease that has a name. */
static inline bool
op_names_lease(enum op op)
{
	return op == OP_HOLD || op == OP_RELEASE;
}

/** Whether it takes out what another one put in. */
static inline bool
op_takes_out(enum op op)
{
	return op == OP_GIVE_BACK || op == OP_LEAVE;
}

/** The largest number in a bucket: the largest that a double holds exactly,
 * with all below it. */
#define BUCKET_NUMBER_MAX ((INT64_C(1) << 53) - 1)

/** The identity of the bucket of ${key} under ${limit}, never all zero.  Its
 * lowest bits are the limit's algorithm, see algorithm_of(). */
struct hash128 bucket_id(const struct limit *limit, const struct key *key);

/** Read the digits at ${*at}, at most up to ${end}, and move ${*at} behind
 * them.  False: there are none, or the number is above BUCKET_NUMBER_MAX. */
bool bucket_take_number(const char **at, const char *end, int64_t *number);

/** Read ${len} bytes of text, 1 to ${most} numbers from 0 to BUCKET_NUMBER_MAX
 * in decimal with one blank between two.  Return how many there are, or 0 if
 * the text is not of this form. */
size_t bucket_read_numbers(
    const char *text, size_t len, int64_t *numbers, size_t most);

#endif
