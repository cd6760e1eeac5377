/**
 * gate: the way of a request, from its words to its reply.
 *
 * One a worker.  Finds the limit, asks the store, falls back where the store
 * cannot answer, counts.  Knows no sockets and no protocol.
 */
#ifndef GATE_GATE_H
#define GATE_GATE_H

#include "base/attr.h"
#include "base/clock.h"
#include "gate/inline.h"
#include "gate/shared.h"
#include "store/store.h"
#include "wire/reply.h"
#include "wire/request.h"

#include <stdbool.h>
#include <stdint.h>

/** A set of limits that this worker uses, or that its passages still do. */
struct held_rules {
	struct rules *rules;
	struct tallies *tallies;        /* of these; NULL: nothing is counted */
	unsigned users;
};

struct gate {
	struct shared *shared;
	size_t worker;                  /* its place among them */
	struct metrics *metrics;        /* this worker's */
	struct store *store;
	struct deny_cache *deny_cache;  /* NULL: not with this store */
	struct rules_scratch *scratch;
	struct held_rules *held;        /* in force, as of this loop turn */
	struct inline_limits *inlines;  /* that came with requests */
	unsigned generation;
	int64_t now_us;                 /* of this loop turn; 0: not yet read */
};

enum outcome {
	OUTCOME_DECISION,    /* the reply says which */
	OUTCOME_DONE,        /* the bucket was reset */
	OUTCOME_NOLIMIT,     /* no limit matches, and that is an error */
	OUTCOME_UNAVAILABLE, /* a reset did not take place; or there was no
			      * memory for the limit that came along */
};

/**
 * One CONSUME, PEEK, RESET or THROTTLE on its way.  Whoever passes it owns it,
 * and keeps it in place until it is answered and passage_end() was called.
 */
struct passage {
	struct ask ask;
	struct gate *gate;
	struct held_rules *held;

	/* the answer */
	enum outcome outcome;
	struct reply reply;

	void (*done)(struct passage *);
};

/** Set up for the worker of place ${worker}; ${store} stays the caller's.
 * Return 0, or -1 (out of memory). */
int gate_init(struct gate *gate, struct shared *shared, size_t worker,
    struct store *store) MUST_USE;

/** The time, read once a loop turn. */
static inline int64_t
gate_now(struct gate *gate)
{
	if (gate->now_us == 0)
		gate->now_us = clock_us();
	return gate->now_us;
}

/** Bytes of a client were read. */
static inline void
gate_heard(struct gate *gate)
{
	if (gate->deny_cache)
		deny_cache_renew_time(gate->deny_cache);
}

/** A loop turn is over: the next one reads the clock anew. */
static inline void
gate_end_turn(struct gate *gate)
{
	gate->now_us = 0;
}

/** Let go of what it holds; a zeroed gate too.  No passage may be open. */
void gate_clear(struct gate *gate);

/** Take over the limits in force, if they changed.  Once a loop turn.  Return
 * whether they did. */
bool gate_update_rules(struct gate *gate);

/** Send ${request} on its way; ${passage}->done is set.  True: answered at
 * once, done will not be called.  False: done is called once, later. */
bool gate_pass(struct gate *gate, const struct request *request,
    struct passage *passage);

/** Let go of what an answered passage holds.  Its reply's limit is gone. */
void passage_end(struct passage *passage);

#endif
