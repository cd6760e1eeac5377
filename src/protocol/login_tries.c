/*
 * Counts wrong secrets by place.  Invariant: an entry is one number, so that a
 * thread reads and replaces it as a whole.  The heart: login_tries_find().
 */
#include "protocol/login_tries.h"

#include "base/siphash.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* The places of a set compete for its entries: a line of the processor's
 * cache. */
#define SETS 512
#define WAYS 8

/* An entry: the end of a hash of the place, and the time, in milliseconds, at
 * which its bucket will be empty. */
#define TIME_BITS 44
#define TIME_MASK ((UINT64_C(1) << TIME_BITS) - 1)

#define TRY_MS (LOGIN_TRY_US / 1000)

struct login_tries {
	struct siphash_seed seed;
	_Atomic uint64_t entries[SETS][WAYS];
};

/* Where the entry of a place is, or is to be. */
struct login_place {
	uint64_t hash; /* its bits of an entry */
	_Atomic uint64_t *entry;
	uint64_t found;   /* what the entry holds; it may be of another place */
	int64_t empty_at; /* of this place; 0: it has none */
};

struct login_tries *
login_tries_new(void)
{
	struct login_tries *tries = calloc(1, sizeof(*tries));

	if (tries)
		tries->seed = siphash_seed_random();
	return tries;
}

void
login_tries_free(struct login_tries *tries)
{
	free(tries);
}

/* Its own entry, or the one whose bucket is empty first. */
static struct login_place
login_tries_find(struct login_tries *tries, const char *place)
{
	struct hash128 hash = siphash128(&tries->seed, place, strlen(place));
	_Atomic uint64_t *set = tries->entries[hash.hi % SETS];
	struct login_place at = {.hash = hash.lo & ~TIME_MASK};

	for (int i = 0; i < WAYS; i++) {
		uint64_t found = set[i];

		if ((found & ~TIME_MASK) == at.hash) {
			at.entry = &set[i];
			at.found = found;
			at.empty_at = (int64_t)(found & TIME_MASK);
			return at;
		}
		if (at.entry && (found & TIME_MASK) >= (at.found & TIME_MASK))
			continue;
		at.entry = &set[i];
		at.found = found;
	}
	return at;
}

bool
login_tries_may(struct login_tries *tries, const char *place, int64_t now_us)
{
	struct login_place at = login_tries_find(tries, place);

	return at.empty_at - now_us / 1000 <= (LOGIN_TRIES_MAX - 1) * TRY_MS;
}

void
login_tries_note(struct login_tries *tries, const char *place, int64_t now_us)
{
	int64_t now_ms = now_us / 1000, empty_at;
	struct login_place at;

	do {
		at = login_tries_find(tries, place);
		empty_at = at.empty_at > now_ms ? at.empty_at : now_ms;
		empty_at += TRY_MS;
	} while (!atomic_compare_exchange_weak(
	    at.entry, &at.found, at.hash | ((uint64_t)empty_at & TIME_MASK)));
}
