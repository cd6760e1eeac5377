#include "metrics.h"

#define METRIC_COUNT (sizeof(struct metrics) / sizeof(_Atomic uint64_t))

static const struct {
	const char *name;
	const char *help;
} rows[METRIC_COUNT] = {
#define X(name, help) {#name, help},
    METRICS(X)
#undef X
};

static const _Atomic uint64_t *
metric_at(const struct metrics *set, size_t i)
{
	return (const _Atomic uint64_t *)set + i;
}

void
metrics_each(const struct metrics *sets, size_t count, metric_visit *visit,
    void *arg)
{
	for (size_t i = 0; i < METRIC_COUNT; i++) {
		uint64_t sum = 0;

		for (size_t k = 0; k < count; k++)
			sum += atomic_load_explicit(
			    metric_at(&sets[k], i), memory_order_relaxed);
		visit(rows[i].name, rows[i].help, sum, arg);
	}
}
