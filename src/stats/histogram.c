#include "stats/histogram.h"

const int64_t histogram_bounds_us[HISTOGRAM_BOUND_COUNT] = {HISTOGRAM_BOUNDS};

/* Most things are fast: the first bounds are looked at first. */
static unsigned
histogram_class(int64_t us)
{
	unsigned class = 0;

	while (class < HISTOGRAM_BOUND_COUNT && us > histogram_bounds_us[class])
		class ++;
	return class;
}

static void
histogram_grow(_Atomic uint64_t *count, uint64_t amount)
{
	uint64_t value = atomic_load_explicit(count, memory_order_relaxed);

	atomic_store_explicit(count, value + amount, memory_order_relaxed);
}

void
histogram_add(struct histogram *histogram, int64_t us, uint64_t times)
{
	if (us < 0)
		us = 0;
	histogram_grow(&histogram->counts[histogram_class(us)], times);
	histogram_grow(&histogram->sum_us, (uint64_t)us * times);
}

void
histogram_add_shared(struct histogram *histogram, int64_t us)
{
	if (us < 0)
		us = 0;
	atomic_fetch_add_explicit(
	    &histogram->counts[histogram_class(us)], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(
	    &histogram->sum_us, (uint64_t)us, memory_order_relaxed);
}

void
histogram_sum(struct histogram *to, const struct histogram *from)
{
	for (unsigned i = 0; i <= HISTOGRAM_BOUND_COUNT; i++)
		histogram_grow(
		    &to->counts[i], atomic_load_explicit(&from->counts[i],
					memory_order_relaxed));
	histogram_grow(&to->sum_us,
	    atomic_load_explicit(&from->sum_us, memory_order_relaxed));
}
