/**
 * overload: whether a worker keeps up with its clients; the log and STATS say
 * so if not.
 *
 * A worker is overloaded while clients wait for their turn all the time: for a
 * whole second no loop turn came to the last of them.  Either the store has no
 * room for more, or the worker is busy.  A line in the log says so, and one
 * when that is over.
 *
 * Pure but for the log: it has no clock.
 */
#ifndef SERVER_OVERLOAD_H
#define SERVER_OVERLOAD_H

#include "base/log.h"
#include "stats/counters.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What a second, or an overload, was like. */
struct overload_sum {
	uint64_t deferred;  /* turns of clients that waited for room */
	int64_t longest_us; /* that one waited for its turn */
};

struct overload {
	struct counters *counters; /* the worker's; borrowed */
	size_t worker;

	/* this second */
	struct overload_sum now;
	unsigned turns, full_turns; /* loop turns that left clients waiting; of
				     * those, while the store had no room */
	bool kept_up;               /* a loop turn left none */
	uint64_t decided;           /* by Redis, until this second */

	/* the overload under way, or the last one */
	struct overload_sum all;
	unsigned seconds;      /* that it has lasted; 0: none */
	unsigned calm_seconds; /* since */
	bool logged;
	struct log_limiter limiter;
};

/** Start for worker number ${worker}, from 0; ${counters} are its own. */
void overload_init(
    struct overload *overload, size_t worker, struct counters *counters);

/** A client's turn came after ${waited_us}; ${deferred}: the store had no room
 * meanwhile. */
void overload_note_wait(
    struct overload *overload, int64_t waited_us, bool deferred);

/** A loop turn left so many clients waiting; ${full}: the store has no room. */
void overload_note_turn(struct overload *overload, size_t waiting, bool full);

/** A second is over. */
void overload_end_second(struct overload *overload);

#endif
