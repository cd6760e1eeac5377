#include "metrics.h"

#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	const char *help;
} rows[] = {
#define X(name, help) {#name, help},
    METRICS(X)
#undef X
};

static const _Atomic uint64_t *
metric_at(const struct metrics *set, size_t i)
{
	return (const _Atomic uint64_t *)set + i;
}

struct metrics *
metrics_new(size_t count)
{
	size_t size = count * sizeof(struct metrics);
	struct metrics *sets = aligned_alloc(METRICS_ALIGNMENT, size);

	if (sets)
		memset(sets, 0, size);
	return sets;
}

void
metrics_each(const struct metrics *sets, size_t count, metric_visit *visit,
    void *arg)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t sum = 0;

		for (size_t k = 0; k < count; k++)
			sum += atomic_load_explicit(
			    metric_at(&sets[k], i), memory_order_relaxed);
		visit(rows[i].name, rows[i].help, sum, arg);
	}
}
