#include "gate/tally.h"

#include "limit/index.h"

#include <stdlib.h>
#include <string.h>

#define CACHE_LINE 64

struct line {
	_Alignas(CACHE_LINE) struct tally_cell cell;
};

/* Of one name. */
struct tally {
	atomic_uint references;  /* sets that have a limit of that name */
	struct line lines[];     /* one a worker */
};

struct tallies {
	atomic_uint references;
	size_t workers;
	struct hash_index names; /* of the limits -> their order */
	size_t count;
	struct tally *of[];      /* by the limits' order */
};

#define CELL_COUNT (sizeof(struct tally_cell) / sizeof(_Atomic uint64_t))

static const char *const names[CELL_COUNT] = {
#define X(name) #name,
    TALLY(X)
#undef X
};

static struct tally *
tally_new(size_t workers)
{
	size_t size = sizeof(struct tally) + workers * sizeof(struct line);
	struct tally *tally = aligned_alloc(CACHE_LINE, size);

	if (!tally)
		return NULL;
	memset(tally, 0, size);
	tally->references = 1;
	return tally;
}

static struct tally *
tally_ref(struct tally *tally)
{
	atomic_fetch_add_explicit(&tally->references, 1, memory_order_relaxed);
	return tally;
}

static void
tally_unref(struct tally *tally)
{
	if (atomic_fetch_sub_explicit(
		&tally->references, 1, memory_order_acq_rel) == 1)
		free(tally);
}

static struct tally *
find(const struct tallies *tallies, const struct hash128 *name)
{
	unsigned order = hash_index_find(&tallies->names, name);

	return order == INDEX_NONE ? NULL : tallies->of[order];
}

static int
add(struct tallies *tallies, const char *name, const struct tallies *before)
{
	struct hash128 hash = key_make(name, strlen(name)).hash;
	struct tally *old = before ? find(before, &hash) : NULL;
	struct tally *tally =
	    old ? tally_ref(old) : tally_new(tallies->workers);

	if (!tally)
		return -1;
	tallies->of[tallies->count++] = tally;
	return hash_index_add(
	    &tallies->names, &hash, (unsigned)tallies->count - 1);
}

struct tallies *
tallies_new(const struct rules *rules, size_t workers,
    const struct tallies *before)
{
	size_t count = rules_count(rules);
	struct tallies *tallies =
	    calloc(1, sizeof(*tallies) + count * sizeof(tallies->of[0]));

	if (!tallies)
		return NULL;
	tallies->references = 1;
	tallies->workers = workers;
	for (size_t i = 0; i < count; i++) {
		if (add(tallies, rules_at(rules, i)->name, before) == -1) {
			tallies_unref(tallies);
			return NULL;
		}
	}
	return tallies;
}

struct tallies *
tallies_ref(struct tallies *tallies)
{
	if (tallies)
		atomic_fetch_add_explicit(
		    &tallies->references, 1, memory_order_relaxed);
	return tallies;
}

void
tallies_unref(struct tallies *tallies)
{
	if (!tallies || atomic_fetch_sub_explicit(&tallies->references, 1,
			    memory_order_acq_rel) > 1)
		return;
	for (size_t i = 0; i < tallies->count; i++)
		tally_unref(tallies->of[i]);
	hash_index_free(&tallies->names);
	free(tallies);
}

struct tally_cell *
tallies_cell(const struct tallies *tallies, unsigned order, size_t worker)
{
	return &tallies->of[order]->lines[worker].cell;
}

void
tallies_each(const struct tallies *tallies, unsigned order, tally_visit *visit,
    void *arg)
{
	for (size_t i = 0; i < CELL_COUNT; i++) {
		uint64_t sum = 0;

		for (size_t k = 0; k < tallies->workers; k++) {
			const struct tally_cell *cell =
			    tallies_cell(tallies, order, k);
			const _Atomic uint64_t *counts =
			    (const _Atomic uint64_t *)cell;

			sum += atomic_load_explicit(
			    counts + i, memory_order_relaxed);
		}
		visit(names[i], sum, arg);
	}
}
