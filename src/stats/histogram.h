/**
 * histogram: how long things took, in a fixed set of classes.
 */
#ifndef STATS_HISTOGRAM_H
#define STATS_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

/** Upper bounds in microseconds, each included; what took longer than the last
 * one is in a class of its own. */
#define HISTOGRAM_BOUNDS                                                       \
	10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000,      \
	    100000, 250000, 500000, 1000000
#define HISTOGRAM_BOUND_COUNT 16

extern const int64_t histogram_bounds_us[HISTOGRAM_BOUND_COUNT];

struct histogram {
	_Atomic uint64_t counts[HISTOGRAM_BOUND_COUNT + 1]; /* by class */
	_Atomic uint64_t sum_us;
};

/** Count ${times} things that took ${us}.  One thread only. */
void histogram_add(struct histogram *histogram, int64_t us, uint64_t times);

/** Count one thing.  Any thread. */
void histogram_add_shared(struct histogram *histogram, int64_t us);

/** Add ${from} to ${to}, which only this thread uses. */
void histogram_sum(struct histogram *to, const struct histogram *from);

#endif
