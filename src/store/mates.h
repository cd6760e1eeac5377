/**
 * mates: queries that are decided together, see struct query.
 * Pure: no store, no clock.
 */
#ifndef STORE_MATES_H
#define STORE_MATES_H

#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

/** The bucket of one of them. */
struct mate_bucket {
	int64_t now_us;       /* the time of its store */
	struct bucket bucket; /* before, and then after the decision */
	bool changed;
};

/** Decide ${first} and its mates, whose buckets are those of ${buckets} in the
 * same order. */
void mates_decide(struct query *first, struct mate_bucket *buckets);

/** Give ${first} and its mates RESULT_UNAVAILABLE, and why. */
void mates_abandon(struct query *first, enum unavailable why);

/** How many there are, with ${first}. */
unsigned mates_count(const struct query *first);

#endif
