/*
 * Job: counts denials by key.
 * Invariant: the table of slots has each key of the list once.
 * The heart: victims_open().
 */
#include "cli/victims.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 1024

struct victims {
	struct victim *list;
	size_t count, cap;

	/* places in ${list}, plus one; open addressing, at most half full */
	size_t *slots;
	size_t mask;
};

struct victims *
victims_new(void)
{
	struct victims *victims = calloc(1, sizeof(*victims));

	if (!victims)
		return NULL;
	victims->mask = FIRST_SLOTS - 1;
	victims->cap = FIRST_SLOTS / 2;
	victims->slots = calloc(FIRST_SLOTS, sizeof(*victims->slots));
	victims->list = calloc(victims->cap, sizeof(*victims->list));
	if (victims->slots && victims->list)
		return victims;
	victims_free(victims);
	return NULL;
}

void
victims_free(struct victims *victims)
{
	if (!victims)
		return;
	for (size_t i = 0; i < victims->count; i++)
		free(victims->list[i].key);
	free(victims->list);
	free(victims->slots);
	free(victims);
}

/* The slot of a key, or the free one where it goes. */
static size_t *
victims_slot(const struct victims *victims, struct hash128 hash)
{
	for (size_t i = hash.lo;; i++) {
		size_t *slot = &victims->slots[i & victims->mask];

		if (*slot == 0 ||
		    hash128_equal(victims->list[*slot - 1].hash, hash))
			return slot;
	}
}

static int
victims_grow(struct victims *victims)
{
	size_t size = 2 * (victims->mask + 1);
	size_t *slots = calloc(size, sizeof(*slots));
	struct victim *list = reallocarray(
	    victims->list, 2 * victims->cap, sizeof(*victims->list));

	if (list) {
		victims->list = list;
		victims->cap *= 2;
	}
	if (!slots || !list) {
		free(slots);
		return -1;
	}
	free(victims->slots);
	victims->slots = slots;
	victims->mask = size - 1;
	for (size_t i = 0; i < victims->count; i++)
		*victims_slot(victims, list[i].hash) = i + 1;
	return 0;
}

/* NULL: out of memory. */
static struct victim *
victims_open(struct victims *victims, const struct key *key)
{
	size_t *slot = victims_slot(victims, key->hash);
	struct victim *victim;
	char *copy;

	if (*slot > 0)
		return &victims->list[*slot - 1];
	if (2 * (victims->count + 1) > victims->mask) {
		if (victims_grow(victims) == -1)
			return NULL;
		slot = victims_slot(victims, key->hash);
	}
	copy = malloc(key->len);
	if (!copy)
		return NULL;
	memcpy(copy, key->bytes, key->len);
	victim = &victims->list[victims->count++];
	*victim =
	    (struct victim){.hash = key->hash, .key = copy, .len = key->len};
	*slot = victims->count;
	return victim;
}

int
victims_add(struct victims *victims, const struct key *key, const char *limit,
    int64_t at_us, bool now, bool then)
{
	struct victim *victim = victims_open(victims, key);

	if (!victim)
		return -1;
	victim->limit = limit;
	victim->denied_now += now;
	victim->denied_then += then;
	if (then && victim->first_us == 0)
		victim->first_us = at_us;
	return 0;
}

static int64_t
victims_gain(const struct victim *victim)
{
	return victim->denied_then - victim->denied_now;
}

bool
victims_gained(const struct victims *victims)
{
	for (size_t i = 0; i < victims->count; i++)
		if (victims_gain(&victims->list[i]) > 0)
			return true;
	return false;
}

/* Those that lose most come first; of equals, those that lose first. */
static int
victims_compare(const void *left, const void *right)
{
	const struct victim *a = left, *b = right;
	int64_t a_gain = victims_gain(a), b_gain = victims_gain(b);

	if (a_gain != b_gain)
		return (a_gain < b_gain) - (a_gain > b_gain);
	return (a->first_us > b->first_us) - (a->first_us < b->first_us);
}

size_t
victims_sort(struct victims *victims, const struct victim **list)
{
	size_t count = 0;

	qsort(victims->list, victims->count, sizeof(*victims->list),
	    victims_compare);
	while (
	    count < victims->count && victims_gain(&victims->list[count]) > 0)
		count++;
	*list = victims->list;
	return count;
}
