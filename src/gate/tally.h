/**
 * tally: what became of the requests under each limit; LIMITS shows it.
 *
 * Each set of limits has its tallies.  A limit that bears the name of one in
 * the set before goes on with that one's counts; who is gone from all sets in
 * use is forgotten.  Each worker writes a cell of its own for each limit, a
 * line of the processor's cache that no other writes; whoever reports adds them
 * up.
 */
#ifndef GATE_TALLY_H
#define GATE_TALLY_H

#include "base/attr.h"
#include "limit/rules.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* X(name), in the order in which they are shown */
#define TALLY(X)                                                               \
	X(allowed)                                                             \
	X(denied)                                                              \
	X(shadow_denied)                                                       \
	X(fallback)                                                            \
	X(denycache)

/** Count with metric_add(). */
struct tally_cell {
#define X(name) _Atomic uint64_t name;
	TALLY(X)
#undef X
};

struct tallies;

/** Return tallies with one reference for ${rules} and ${workers}; ${before}, or
 * NULL, are those of the set before, and as many workers.  NULL: out of
 * memory. */
struct tallies *tallies_new(const struct rules *rules, size_t workers,
    const struct tallies *before) MUST_USE;

/** Take another reference, of NULL too.  Any thread. */
struct tallies *tallies_ref(struct tallies *tallies);

/** Let go of a reference, or of NULL; the last one frees them.  Any thread. */
void tallies_unref(struct tallies *tallies);

/** The cell of one worker for the limit at place ${order} of the set. */
struct tally_cell *tallies_cell(
    const struct tallies *tallies, unsigned order, size_t worker);

/** The name of each count of that limit, in order, and its sum over all
 * workers.  Any thread. */
typedef void tally_visit(const char *name, uint64_t sum, void *arg);
void tallies_each(const struct tallies *tallies, unsigned order,
    tally_visit *visit, void *arg);

#endif
