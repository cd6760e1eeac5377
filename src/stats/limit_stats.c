/*
 * Counts by limit and worker.
 * Invariant: the counts of a name are referred to by each set of limits in use
 * that has the name, and by no other; so they go on over reloads.
 * The heart: limit_stats_add(), which finds those of the set before.
 */
#include "stats/limit_stats.h"

#include "limit/index.h"
#include "limit/override.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CACHE_LINE 64
#define NAME_SIZE  (OVERRIDE_PATTERN_MAX + 2)

struct limit_line {
	_Alignas(CACHE_LINE) struct limit_cell cell;
};

/* Those of one name. */
struct limit_counts {
	atomic_uint references;    /* sets that have a limit of that name */
	uint64_t settled_fallback; /* fallback when it was last settled */
	struct limit_line lines[]; /* one a worker */
};

struct limit_stats {
	atomic_uint references;
	size_t workers;
	struct hash_index names; /* of the limits -> their order */
	size_t count;
	struct limit_counts *of[]; /* by the limits' order */
};

_Static_assert(
    sizeof(struct limit_cell) == LIMIT_COUNT_COUNT * sizeof(_Atomic uint64_t),
    "a cell is its counts");

static const char *const names[] = {
#define X(name) #name,
    LIMIT_COUNTS(X)
#undef X
};

const char *const limit_fallback_names[LIMIT_FALLBACK_COUNT] = {
#define X(name) #name,
    LIMIT_FALLBACKS(X)
#undef X
};

static struct limit_counts *
limit_stats_counts_new(size_t workers)
{
	size_t size =
	    sizeof(struct limit_counts) + workers * sizeof(struct limit_line);
	struct limit_counts *limit_counts = aligned_alloc(CACHE_LINE, size);

	if (!limit_counts)
		return NULL;
	memset(limit_counts, 0, size);
	limit_counts->references = 1;
	return limit_counts;
}

static struct limit_counts *
limit_stats_counts_ref(struct limit_counts *limit_counts)
{
	atomic_fetch_add_explicit(
	    &limit_counts->references, 1, memory_order_relaxed);
	return limit_counts;
}

static void
limit_stats_counts_unref(struct limit_counts *limit_counts)
{
	if (atomic_fetch_sub_explicit(
		&limit_counts->references, 1, memory_order_acq_rel) == 1)
		free(limit_counts);
}

static struct limit_counts *
limit_stats_find(
    const struct limit_stats *limit_stats, const struct hash128 *name)
{
	unsigned order = hash_index_find(&limit_stats->names, name);

	return order == INDEX_NONE ? NULL : limit_stats->of[order];
}

static int
limit_stats_add(struct limit_stats *limit_stats, const char *name,
    const struct limit_stats *before)
{
	struct hash128 hash = key_make(name, strlen(name)).hash;
	struct limit_counts *old =
	    before ? limit_stats_find(before, &hash) : NULL;
	struct limit_counts *limit_counts =
	    old ? limit_stats_counts_ref(old)
		: limit_stats_counts_new(limit_stats->workers);

	if (!limit_counts)
		return -1;
	limit_stats->of[limit_stats->count++] = limit_counts;
	return hash_index_add(
	    &limit_stats->names, &hash, (unsigned)limit_stats->count - 1);
}

/* What goes by it: no limit has a name with a blank. */
static void
limit_stats_name(char name[NAME_SIZE], const struct rules *rules, size_t i)
{
	const size_t limits = rules_count(rules);

	if (i < limits)
		snprintf(name, NAME_SIZE, "%s", rules_at(rules, i)->name);
	else
		snprintf(name, NAME_SIZE, " %s",
		    rules_override_at(rules, i - limits)->match);
}

struct limit_stats *
limit_stats_new(
    const struct rules *rules, size_t workers, const struct limit_stats *before)
{
	size_t count = rules_count(rules) + rules_override_count(rules);
	struct limit_stats *limit_stats = calloc(
	    1, sizeof(*limit_stats) + count * sizeof(limit_stats->of[0]));
	char name[NAME_SIZE];

	if (!limit_stats)
		return NULL;
	limit_stats->references = 1;
	limit_stats->workers = workers;
	for (size_t i = 0; i < count; i++) {
		limit_stats_name(name, rules, i);
		if (limit_stats_add(limit_stats, name, before) == -1) {
			limit_stats_unref(limit_stats);
			return NULL;
		}
	}
	return limit_stats;
}

struct limit_stats *
limit_stats_ref(struct limit_stats *limit_stats)
{
	if (limit_stats)
		atomic_fetch_add_explicit(
		    &limit_stats->references, 1, memory_order_relaxed);
	return limit_stats;
}

void
limit_stats_unref(struct limit_stats *limit_stats)
{
	if (!limit_stats || atomic_fetch_sub_explicit(&limit_stats->references,
				1, memory_order_acq_rel) > 1)
		return;
	for (size_t i = 0; i < limit_stats->count; i++)
		limit_stats_counts_unref(limit_stats->of[i]);
	hash_index_free(&limit_stats->names);
	free(limit_stats);
}

struct limit_cell *
limit_stats_cell(
    const struct limit_stats *limit_stats, unsigned order, size_t worker)
{
	return &limit_stats->of[order]->lines[worker].cell;
}

void
limit_stats_sum(const struct limit_stats *limit_stats, unsigned order,
    uint64_t sums[LIMIT_COUNT_COUNT])
{
	memset(sums, 0, LIMIT_COUNT_COUNT * sizeof(*sums));
	for (size_t k = 0; k < limit_stats->workers; k++) {
		const struct limit_cell *cell =
		    limit_stats_cell(limit_stats, order, k);
		const _Atomic uint64_t *counts = (const _Atomic uint64_t *)cell;

		for (size_t i = 0; i < LIMIT_COUNT_COUNT; i++)
			sums[i] += atomic_load_explicit(
			    counts + i, memory_order_relaxed);
	}
}

void
limit_stats_settle_fallback(struct limit_stats *limit_stats)
{
	uint64_t sums[LIMIT_COUNT_COUNT];

	for (unsigned i = 0; i < limit_stats->count; i++) {
		limit_stats_sum(limit_stats, i, sums);
		limit_stats->of[i]->settled_fallback =
		    sums[LIMIT_COUNT_fallback];
	}
}

uint64_t
limit_stats_unsettled_fallback(
    const struct limit_stats *limit_stats, unsigned order)
{
	uint64_t sums[LIMIT_COUNT_COUNT];

	limit_stats_sum(limit_stats, order, sums);
	return sums[LIMIT_COUNT_fallback] -
	       limit_stats->of[order]->settled_fallback;
}

void
limit_stats_each(const struct limit_stats *limit_stats, unsigned order,
    limit_stats_visit *visit, void *arg)
{
	uint64_t sums[LIMIT_COUNT_COUNT];

	limit_stats_sum(limit_stats, order, sums);
	for (size_t i = 0; i < COUNT(names); i++)
		visit(names[i], sums[i], arg);
}
