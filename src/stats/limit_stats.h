/**
 * limit_stats: what became of the requests under each limit; LIMITS shows it.
 *
 * Each set of limits has its limit_stats.  A limit with the name of one in the
 * set before goes on with that one's counts; the counts of a name that is in no
 * set in use are forgotten.  For each limit, each worker writes a cell of its
 * own, in a cache line of its own; a report adds them up.
 *
 * Behind the limits come the overrides: what override i changed is counted at
 * place rules_count() + i, as overridden, and goes on by its pattern.
 */
#ifndef STATS_LIMIT_STATS_H
#define STATS_LIMIT_STATS_H

#include "base/attr.h"
#include "limit/rules.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/** X(name), in the order in which they are shown */
#define LIMIT_COUNTS(X)                                                        \
	X(allowed)                                                             \
	X(denied)                                                              \
	X(shadow_denied)                                                       \
	X(fallback)                                                            \
	X(denycache)                                                           \
	X(overridden)

/** X(name): requests that fell back, by why, in the order of enum unavailable
 * (store/store.h); not shown in LIMITS. */
#define LIMIT_FALLBACKS(X)                                                     \
	X(down)                                                                \
	X(timeout)                                                             \
	X(refused)

enum limit_count {
#define X(name) LIMIT_COUNT_##name,
	LIMIT_COUNTS(X)
#undef X
#define X(name) LIMIT_FALLBACK_##name,
	    LIMIT_FALLBACKS(X)
#undef X
		LIMIT_COUNT_COUNT
};

#define LIMIT_FALLBACK_COUNT (LIMIT_COUNT_COUNT - LIMIT_FALLBACK_down)

extern const char *const limit_fallback_names[LIMIT_FALLBACK_COUNT];

/** Count with counter_add(). */
struct limit_cell {
#define X(name) _Atomic uint64_t name;
	LIMIT_COUNTS(X)
#undef X
	_Atomic uint64_t fallbacks[LIMIT_FALLBACK_COUNT];
};

struct limit_stats;

/** Return limit_stats with one reference for ${rules} and ${workers};
 * ${before}, or NULL, are those of the set before, and as many workers.  NULL:
 * out of memory. */
struct limit_stats *limit_stats_new(const struct rules *rules, size_t workers,
    const struct limit_stats *before) MUST_USE;

/** Take another reference, of NULL too.  Any thread. */
struct limit_stats *limit_stats_ref(struct limit_stats *limit_stats);

/** Release a reference, or NULL; the last one frees them.  Any thread. */
void limit_stats_unref(struct limit_stats *limit_stats);

/** The cell of one worker for what is at place ${order} of the set. */
struct limit_cell *limit_stats_cell(
    const struct limit_stats *limit_stats, unsigned order, size_t worker);

/** Sum each count of that place over all workers, by enum limit_count.  Any
 * thread. */
void limit_stats_sum(const struct limit_stats *limit_stats, unsigned order,
    uint64_t sums[LIMIT_COUNT_COUNT]);

/** Remember how many requests of each limit fell back until now; and how many
 * did since.  Not from two threads at once. */
void limit_stats_settle_fallback(struct limit_stats *limit_stats);
uint64_t limit_stats_unsettled_fallback(
    const struct limit_stats *limit_stats, unsigned order);

/** The name of each count of that limit, in order, and its sum over all
 * workers.  Any thread. */
typedef void limit_stats_visit(const char *name, uint64_t sum, void *arg);
void limit_stats_each(const struct limit_stats *limit_stats, unsigned order,
    limit_stats_visit *visit, void *arg);

#endif
