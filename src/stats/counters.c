#include "stats/counters.h"

#include <stdlib.h>
#include <string.h>

const struct metric counter_rows[COUNTER_COUNT] = {
#define X(name, type, unit, help) {#name, METRIC_##type, UNIT_##unit, help},
    COUNTERS(X)
#undef X
};

static const _Atomic uint64_t *
counters_counter_at(const struct counters *set, size_t i)
{
	return (const _Atomic uint64_t *)set + i;
}

struct counters *
counters_new(size_t count)
{
	size_t size = count * sizeof(struct counters);
	struct counters *sets = aligned_alloc(COUNTERS_ALIGNMENT, size);

	if (sets)
		memset(sets, 0, size);
	return sets;
}

uint64_t
counters_sum(const struct counters *sets, size_t count, size_t i)
{
	uint64_t sum = 0;

	for (size_t k = 0; k < count; k++)
		sum += atomic_load_explicit(
		    counters_counter_at(&sets[k], i), memory_order_relaxed);
	return sum;
}
