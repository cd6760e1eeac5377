/**
 * gate: what the checks of one worker need.
 *
 * Owns: the worker's snapshot of the limits, its deny cache, the limits that
 * came along with requests.  The way of a check is gate/check.h.
 * Never: knows sockets, protocols or verbs.
 */
#ifndef GATE_GATE_H
#define GATE_GATE_H

#include "base/attr.h"
#include "base/clock.h"
#include "gate/inline_limits.h"
#include "gate/sample.h"
#include "gate/gateway.h"
#include "gate/wait.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

/** A set of limits that this worker uses, or that checks still do. */
struct rules_snapshot {
	struct rules *rules;
	struct limit_stats *limit_stats; /* NULL: nothing is counted */
	unsigned users;                  /* checks */
};

struct gate {
	/* whose it is */
	struct gateway *gateway;
	size_t worker;             /* its place among them */
	struct counters *counters; /* this worker's */

	/* where checks are decided */
	struct store *store;
	struct deny_cache *deny_cache; /* NULL: not with this store */

	/* by which limits */
	struct rules_snapshot *snapshot; /* in force, as of this loop turn */
	unsigned generation;             /* of it */
	struct rules_scratch *scratch;
	struct inline_limits *inlines; /* that came along with requests */

	struct waits waits; /* checks that wait for room in their buckets */

	struct top_pace pace; /* of what is counted for TOP */
	struct samples samples;

	/* of what is recorded for MONITOR */
	bool records;         /* someone wants it */
	unsigned record_left; /* decisions that still may be, in this second */
	unsigned unrecorded;  /* since the last one that was */

	int64_t now_us;   /* of this loop turn; 0: not yet read */
	unsigned at_once; /* checks decided in this turn, without Redis */
};

/** Set up for worker number ${worker}, from 0, whose thread turns ${loop};
 * ${store} stays the caller's.  Return 0, or -1 (out of memory, or of
 * descriptors). */
int gate_init(struct gate *gate, struct gateway *gateway, size_t worker,
    struct store *store, struct loop *loop) MUST_USE;

/** The time, read once a loop turn. */
static inline int64_t
gate_now(struct gate *gate)
{
	if (gate->now_us == 0)
		gate->now_us = clock_us();
	return gate->now_us;
}

/** Note that requests came.  The deny cache looks at the clock again, and
 * decisions are recorded from now on if a MONITOR is open. */
static inline void
gate_note_read(struct gate *gate)
{
	if (gate->deny_cache)
		deny_cache_renew_time(gate->deny_cache);
	gate->records = recent_is_wanted(gate->gateway->recent, gate_now(gate));
}

/** Whether the store can give results to more queries in time. */
static inline bool
gate_has_room(const struct gate *gate)
{
	return store_has_room(gate->store);
}

/** A second is over. */
void gate_end_second(struct gate *gate);

/** Count how long the checks took that were decided in this turn. */
void gate_time_checks(struct gate *gate);

/** End a loop turn, whose responses were sent: the next one reads the clock
 * again. */
static inline void
gate_end_turn(struct gate *gate)
{
	if (gate->at_once > 0)
		gate_time_checks(gate);
	gate->now_us = 0;
}

/** Free what it holds; of a zeroed gate too.  All checks must have ended. */
void gate_clear(struct gate *gate);

/** Take over the limits in force, if they changed.  Once a loop turn.  Return
 * whether they did. */
bool gate_update_rules(struct gate *gate);

/** What [limits] unmatched says now. */
static inline enum unmatched
gate_unmatched(const struct gate *gate)
{
	return (enum unmatched)atomic_load_explicit(
	    &gate->gateway->unmatched, memory_order_relaxed);
}

/** The snapshot in force, which stays until it was released as often as it was
 * acquired. */
static inline struct rules_snapshot *
gate_acquire_snapshot(struct gate *gate)
{
	gate->snapshot->users++;
	return gate->snapshot;
}

/** Free a snapshot that nothing uses any more. */
void gate_free_snapshot(struct rules_snapshot *snapshot);

/** Release a snapshot; the last one frees it if it is no longer in force. */
static inline void
gate_release_snapshot(struct gate *gate, struct rules_snapshot *snapshot)
{
	if (--snapshot->users == 0 && snapshot != gate->snapshot)
		gate_free_snapshot(snapshot);
}

#endif
