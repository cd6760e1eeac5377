#include "store/redis/chores.h"

#include "base/clock.h"
#include "base/random.h"
#include "limit/algorithm.h"

#include <stdlib.h>

/* A hash is walked once in the life of its buckets, within these bounds and
 * CHORES_PERIOD_MAX_US.  Where there are many limits, the lower one rises: each
 * daemon tries them all. */
#define PERIOD_MIN_US  INT64_C(2000000)
#define PERIOD_MANY_US INT64_C(15000000)
#define PERIOD_A_LIMIT INT64_C(100000)

/* The lives of limits that come with requests are not known; most are short. */
#define PERIOD_INLINE_US INT64_C(300000000)

static int64_t
chores_clamp_us(int64_t us, int64_t min_us, int64_t max_us)
{
	if (us < min_us)
		return min_us;
	return us > max_us ? max_us : us;
}

int64_t
chores_period_us(const struct chores *chores, const struct limit *limit)
{
	int64_t life_us =
	    limit->is_inline ? PERIOD_INLINE_US : limit_life_us(limit);
	int64_t min_us =
	    chores_clamp_us((int64_t)chores->count * PERIOD_A_LIMIT,
		PERIOD_MIN_US, PERIOD_MANY_US);

	return chores_clamp_us(life_us, min_us, CHORES_PERIOD_MAX_US);
}

struct chore *
chores_next(const struct chores *chores)
{
	struct chore *next = NULL;

	for (size_t i = 0; i < chores->count; i++)
		if (!next || chores->items[i].due_us < next->due_us)
			next = &chores->items[i];
	return next;
}

void
chores_trim_all(struct chores *chores)
{
	for (size_t i = 0; i < chores->count; i++) {
		chores->items[i].trims = true;
		chores->items[i].due_us = clock_us();
	}
}

bool
chores_have_trims(const struct chores *chores)
{
	for (size_t i = 0; i < chores->count; i++)
		if (chores->items[i].trims)
			return true;
	return false;
}

void
chores_include_inline(struct chores *chores)
{
	limit_init_inline(&chores->inline_limit, 1, 1, 0);
	chores->has_inline = true;
}

/* The limits of the set, and behind them the one for limits of requests. */
static const struct limit *
chores_limit_at(const struct chores *chores, size_t i)
{
	return i < rules_count(chores->rules) ? rules_at(chores->rules, i)
					      : &chores->inline_limit;
}

/* The first pass over each hash comes at a random time: daemons started
 * together do not all ask for the lock together. */
static void
chores_plan_limit(
    struct chores *chores, const struct limit *limit, struct chore *items)
{
	const struct topology *topology = chores->topology;
	int64_t now_us = clock_us();

	for (unsigned i = 0; i < topology->partitions.count; i++)
		if (topology_server_of(topology, i) == chores->place)
			*items++ = (struct chore){
			    .limit = limit,
			    .partition = i,
			    .due_us = now_us + random_below(chores_period_us(
						   chores, limit)),
			};
}

static size_t
chores_count_swept(const struct chores *chores, size_t limits)
{
	size_t count = 0;

	for (size_t i = 0; i < limits; i++)
		count += chores_limit_at(chores, i)->algorithm->sweep != NULL;
	return count;
}

int
chores_set_rules(struct chores *chores, struct rules *rules, bool trims)
{
	size_t limits = rules_count(rules) + chores->has_inline;
	size_t partitions =
	    topology_count_partitions(chores->topology, chores->place);
	struct chore *items = calloc(limits * partitions, sizeof(*items));

	if (!items)
		return -1;
	chores_free(chores);
	chores->items = items;
	chores->rules = rules_ref(rules);
	chores->count = chores_count_swept(chores, limits) * partitions;
	for (size_t i = 0; i < limits; i++) {
		const struct limit *limit = chores_limit_at(chores, i);

		if (!limit->algorithm->sweep)
			continue; /* it has no buckets */
		chores_plan_limit(chores, limit, items);
		items += partitions;
	}
	if (trims)
		chores_trim_all(chores);
	return 0;
}

void
chores_free(struct chores *chores)
{
	free(chores->items);
	rules_unref(chores->rules);
	chores->items = NULL;
	chores->rules = NULL;
	chores->count = 0;
}
