#include "gate/inline.h"

#include "base/siphash.h"

#include <stddef.h>
#include <stdlib.h>
#include <sys/queue.h>

struct item {
	struct limit limit;
	unsigned place;         /* its own for good: the order of its limit */
	unsigned users;
	LIST_ENTRY(item) same;  /* in the chain of its hash */
	TAILQ_ENTRY(item) idle; /* while it has no users */
};

LIST_HEAD(chain, item);

struct inline_limits {
	struct siphash_seed seed;
	unsigned count;
	TAILQ_HEAD(, item) idle; /* the one used least recently first */
	struct chain chains[INLINE_LIMITS_MAX];
};

struct inline_limits *
inline_limits_new(void)
{
	struct inline_limits *limits = calloc(1, sizeof(*limits));

	if (!limits)
		return NULL;
	limits->seed = siphash_seed_random();
	TAILQ_INIT(&limits->idle);
	return limits;
}

static struct chain *
chain_of(struct inline_limits *limits, int64_t capacity, int64_t recharge_us)
{
	int64_t parameters[] = {capacity, recharge_us};
	struct hash128 hash =
	    siphash128(&limits->seed, parameters, sizeof(parameters));

	return &limits->chains[hash.lo % INLINE_LIMITS_MAX];
}

/* One that is new, or that nobody needs any more. */
static struct item *
take_unused(struct inline_limits *limits)
{
	struct item *item = TAILQ_FIRST(&limits->idle);

	if (item && limits->count >= INLINE_LIMITS_MAX) {
		TAILQ_REMOVE(&limits->idle, item, idle);
		LIST_REMOVE(item, same);
		return item;
	}
	item = calloc(1, sizeof(*item));
	if (item)
		item->place = limits->count++;
	return item;
}

const struct limit *
inline_limits_get(
    struct inline_limits *limits, int64_t capacity, int64_t recharge_us)
{
	struct chain *chain = chain_of(limits, capacity, recharge_us);
	struct item *item;

	LIST_FOREACH (item, chain, same)
		if (item->limit.capacity == capacity &&
		    item->limit.recharge_us == recharge_us)
			break;
	if (item) {
		if (item->users++ == 0)
			TAILQ_REMOVE(&limits->idle, item, idle);
		return &item->limit;
	}
	item = take_unused(limits);
	if (!item)
		return NULL;
	limit_init_inline(&item->limit, capacity, recharge_us, item->place);
	item->users = 1;
	LIST_INSERT_HEAD(chain, item, same);
	return &item->limit;
}

void
inline_limits_put(struct inline_limits *limits, const struct limit *limit)
{
	struct item *item =
	    CONTAINER_OF((uintptr_t)limit, struct item, limit);

	if (--item->users == 0)
		TAILQ_INSERT_TAIL(&limits->idle, item, idle);
}

void
inline_limits_free(struct inline_limits *limits)
{
	struct item *item;

	if (!limits)
		return;
	while ((item = TAILQ_FIRST(&limits->idle))) {
		TAILQ_REMOVE(&limits->idle, item, idle);
		free(item);
	}
	free(limits);
}
