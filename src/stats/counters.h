/**
 * counters: what STATS prints, one row each.
 *
 * Each worker writes its own set, without locks; a report adds them up.
 */
#ifndef STATS_COUNTERS_H
#define STATS_COUNTERS_H

#include "base/attr.h"
#include "stats/histogram.h"
#include "stats/metric.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/** X(name, type, unit, help): the figures of the process.  Type and unit are
 * those of struct metric. */
#define GAUGES(X)                                                              \
	X(uptime_seconds, GAUGE, SECONDS, "since the start")                   \
	X(workers, GAUGE, NONE, "threads that serve clients")                  \
	X(clients, GAUGE, NONE, "clients that are connected")                  \
	X(limits, GAUGE, NONE, "limits in force")                              \
	X(overrides, GAUGE, NONE, "overrides in force")                        \
	X(redis_ready, GAUGE, NONE, "1 if Redis decides, 0 if it does not")    \
	X(memory_buckets, GAUGE, NONE, "buckets in memory")                    \
	X(memory_full, COUNTER, NONE, "requests for which memory had no room") \
	X(reloads, COUNTER, NONE,                                              \
	    "sets of limits that came into force after the start")             \
	X(reload_errors, COUNTER, NONE, "reloads that were refused")           \
	X(clients_waiting, GAUGE, NONE, "clients that wait for their turn")    \
	X(longest_wait_us, GAUGE, MICROSECONDS, "the longest that one waited") \
	X(waits, GAUGE, NONE, "requests that wait for room in their bucket")

/** X(name, type, unit, help): what each worker counts. */
#define COUNTERS(X)                                                            \
	X(allowed, COUNTER, NONE, "requests allowed")                          \
	X(denied, COUNTER, NONE, "requests denied")                            \
	X(shadow_denied, COUNTER, NONE,                                        \
	    "requests that a limit in shadow would have denied")               \
	X(peeks, COUNTER, NONE, "requests that only asked")                    \
	X(resets, COUNTER, NONE, "requests to forget a bucket")                \
	X(releases, COUNTER, NONE, "requests to release a lease")              \
	X(unmatched, COUNTER, NONE, "requests that no limit matched")          \
	X(denycache, COUNTER, NONE,                                            \
	    "requests denied without asking Redis again")                      \
	X(fallback, COUNTER, NONE,                                             \
	    "requests decided without the Redis that should have")             \
	X(waits_allowed, COUNTER, NONE,                                        \
	    "requests that went ahead after they had waited")                  \
	X(waits_denied, COUNTER, NONE,                                         \
	    "requests that would have waited for too long")                    \
	X(waits_ended, COUNTER, NONE,                                          \
	    "requests that gave up: the client went, or the daemon ended")     \
	X(overridden, COUNTER, NONE, "requests that an override changed")      \
	X(repeated, COUNTER, NONE,                                             \
	    "requests whose id had come before: not charged again")            \
	X(bad_lines, COUNTER, NONE, "requests that were wrong")                \
	X(wrong_secrets, COUNTER, NONE, "logins with a wrong secret")          \
	X(refused_logins, COUNTER, NONE,                                       \
	    "logins refused after too many wrong secrets")                     \
	X(forbidden, COUNTER, NONE, "requests that their user may not make")   \
	X(connections, COUNTER, NONE, "connections accepted")                  \
	X(received_bytes, COUNTER, BYTES, "bytes from clients, without TLS")   \
	X(sent_bytes, COUNTER, BYTES, "bytes to clients, without TLS")         \
	X(clients_stalled, COUNTER, NONE,                                      \
	    "connections closed for not reading")                              \
	X(clients_idle, COUNTER, NONE,                                         \
	    "connections closed for sending nothing")                          \
	X(clients_moved, COUNTER, NONE,                                        \
	    "connections that went to a less busy worker")                     \
	X(deferred, COUNTER, NONE,                                             \
	    "turns of clients that waited for room in Redis")                  \
	X(waited_us, COUNTER, MICROSECONDS,                                    \
	    "time that clients waited for their turns")                        \
	X(batches, COUNTER, NONE, "script calls that decided buckets")         \
	X(batch_buckets, COUNTER, NONE, "buckets in those calls")              \
	X(foreign_values, COUNTER, NONE,                                       \
	    "values found in Redis that are not buckets")                      \
	X(swept_buckets, COUNTER, NONE, "drained buckets removed from Redis")  \
	X(sweep_errors, COUNTER, NONE,                                         \
	    "calls to remove drained buckets that Redis refused")

/** Sets in one array share no cache line of the processor: at every request,
 * one worker would take it from another. */
#define COUNTERS_ALIGNMENT 64

struct counters {
#define X(name, ...) _Atomic uint64_t name;
	COUNTERS(X)
#undef X

	/* The worker's state at this moment, for the gauges of these names. */
	_Atomic uint64_t clients_waiting, longest_wait_us, waits;

	/* How long decisions took, from when the request was received until the
	 * response was sent, or, if Redis decided, was known. */
	struct histogram decisions;

	/* How long requests waited that went ahead then. */
	struct histogram waited;
} __attribute__((aligned(COUNTERS_ALIGNMENT)));

/** ${count} sets, all zero, for free(); or NULL. */
struct counters *counters_new(size_t count) MUST_USE;

/** Add to a counter that only this thread writes. */
static inline void
counter_add(_Atomic uint64_t *counter, uint64_t amount)
{
	uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);

	atomic_store_explicit(counter, value + amount, memory_order_relaxed);
}

enum {
#define X(name, ...) COUNTER_##name,
	COUNTERS(X)
#undef X
	    COUNTER_COUNT
};

/** In the order of COUNTERS. */
extern const struct metric counter_rows[COUNTER_COUNT];

/** The sum of counter ${i}, of COUNTER_COUNT, over ${count} workers' sets. */
uint64_t counters_sum(const struct counters *sets, size_t count, size_t i);

#endif
