#include "gate/inline_limits.h"

#include "base/list.h"
#include "base/siphash.h"

#include <stddef.h>
#include <stdlib.h>

struct inline_limit {
	struct limit limit;
	int64_t recharge_ns;            /* as it was asked for */
	unsigned place;                 /* its own, for good: limit.order */
	unsigned users;                 /* queries */
	LIST_ENTRY(inline_limit) same;  /* in the chain of its hash */
	TAILQ_ENTRY(inline_limit) idle; /* while it has no users */
};

LIST_HEAD(chain, inline_limit);

struct inline_limits {
	struct siphash_seed seed;
	unsigned count;
	TAILQ_HEAD(, inline_limit) idle; /* the one used least recently first */
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
inline_limits_chain_of(
    struct inline_limits *limits, int64_t capacity, int64_t recharge_ns)
{
	int64_t parameters[] = {capacity, recharge_ns};
	struct hash128 hash =
	    siphash128(&limits->seed, parameters, sizeof(parameters));

	return &limits->chains[hash.lo % INLINE_LIMITS_MAX];
}

/* A new one, or one that is not used any more. */
static struct inline_limit *
inline_limits_take_unused(struct inline_limits *limits)
{
	struct inline_limit *item = TAILQ_FIRST(&limits->idle);

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
    struct inline_limits *limits, int64_t capacity, int64_t recharge_ns)
{
	struct chain *chain =
	    inline_limits_chain_of(limits, capacity, recharge_ns);
	struct inline_limit *item;

	LIST_FOREACH (item, chain, same)
		if (item->limit.capacity == capacity &&
		    item->recharge_ns == recharge_ns)
			break;
	if (item) {
		if (item->users++ == 0)
			TAILQ_REMOVE(&limits->idle, item, idle);
		return &item->limit;
	}
	item = inline_limits_take_unused(limits);
	if (!item)
		return NULL;
	limit_init_inline(&item->limit, capacity, recharge_ns, item->place);
	item->recharge_ns = recharge_ns;
	item->users = 1;
	LIST_INSERT_HEAD(chain, item, same);
	return &item->limit;
}

void
inline_limits_put(struct inline_limits *limits, const struct limit *limit)
{
	struct inline_limit *item =
	    CONTAINER_OF((uintptr_t)limit, struct inline_limit, limit);

	if (--item->users == 0)
		TAILQ_INSERT_TAIL(&limits->idle, item, idle);
}

void
inline_limits_free(struct inline_limits *limits)
{
	struct inline_limit *item;

	if (!limits)
		return;
	while ((item = TAILQ_FIRST(&limits->idle))) {
		TAILQ_REMOVE(&limits->idle, item, idle);
		free(item);
	}
	free(limits);
}
