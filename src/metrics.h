/**
 * metrics: what is counted, one row each; STATS prints them.
 *
 * Each worker writes its own set, without locks; whoever reports adds them up.
 */
#ifndef METRICS_H
#define METRICS_H

#include "base/attr.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* X(name, help) */
#define METRICS(X)                                                             \
	X(allowed, "requests allowed")                                         \
	X(denied, "requests denied")                                           \
	X(shadow_denied, "requests that a limit in shadow would have denied")  \
	X(peeks, "requests that only looked")                                  \
	X(resets, "requests to forget a bucket")                               \
	X(unmatched, "requests that no limit matched")                         \
	X(denycache, "requests refused without asking Redis again")            \
	X(fallback, "requests answered without the Redis that should have")    \
	X(bad_lines, "requests answered ERR for what they said")               \
	X(connections, "connections taken")                                    \
	X(clients_stalled, "connections closed for not reading")               \
	X(clients_idle, "connections closed for saying nothing")               \
	X(batches, "script calls that decided buckets")                        \
	X(batch_buckets, "buckets in those calls")                             \
	X(foreign_values, "values found in Redis that are not buckets")        \
	X(swept_buckets, "drained buckets removed from Redis")                 \
	X(reloads, "sets of limits taken over by a worker")

/** Sets that stand side by side share no line of the processor's cache, which
 * their writers would take from each other at every request. */
#define METRICS_ALIGNMENT 64

struct metrics {
#define X(name, help) _Atomic uint64_t name;
	METRICS(X)
#undef X
} __attribute__((aligned(METRICS_ALIGNMENT)));

/** ${count} sets, all zero, for free(); or NULL. */
struct metrics *metrics_new(size_t count) MUST_USE;

/** Add to a counter that only this thread writes. */
static inline void
metric_add(_Atomic uint64_t *metric, uint64_t amount)
{
	uint64_t value = atomic_load_explicit(metric, memory_order_relaxed);

	atomic_store_explicit(metric, value + amount, memory_order_relaxed);
}

/** The name and help of each metric, in order, and its sum over ${count}
 * workers' sets. */
typedef void metric_visit(
    const char *name, const char *help, uint64_t sum, void *arg);
void metrics_each(const struct metrics *sets, size_t count,
    metric_visit *visit, void *arg);

#endif
