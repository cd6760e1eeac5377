/**
 * top: the keys that are denied most, and those that are allowed most.
 *
 * A sketch of fixed size: Space-Saving (A. Metwally, D. Agrawal, A. El Abbadi,
 * "Efficient computation of frequent and top-k elements in data streams",
 * 2005).  A key that is not among the TOP_SIZE counted takes the place of the
 * one with the lowest count, and starts from that: a count is never too low,
 * and too high by at most ${error}, which is at most a TOP_SIZE-th of all.  A
 * key with a larger share than that is always among them.  Counts are halved
 * every TOP_HALF_US, so that they are of the recent past.
 *
 * Each worker has one, which any thread may read.  At most about TOP_PACE
 * requests a second are counted, each for several (struct top_pace): on top of
 * the above, a count of c is uncertain by about the square root of c times
 * their number.
 */
#ifndef STATS_TOP_H
#define STATS_TOP_H

#include "base/attr.h"
#include "limit/key.h"
#include "limit/limit.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOP_SIZE    256
#define TOP_HALF_US INT64_C(10000000)
#define TOP_PACE    1024

enum top_verdict { TOP_DENIED, TOP_ALLOWED, TOP_VERDICTS };

extern const char *const top_verdict_names[TOP_VERDICTS];

/** Which requests are counted, each for how many: 1 while there are few.  A
 * field of its worker's gate; top_pace_start() first. */
struct top_pace {
	unsigned left;          /* requests up to the next one that is */
	unsigned weight;        /* what that counts */
	unsigned counted, seen; /* in this second */
	uint64_t random;        /* xorshift */
};

void top_pace_start(struct top_pace *pace);

/** One is counted: return its weight, and choose the next one. */
unsigned top_pace_next(struct top_pace *pace);

/** A second is over. */
void top_pace_end_second(struct top_pace *pace);

/** Whether this request is to be counted. */
static inline bool
top_pace_is_due(struct top_pace *pace)
{
	return --pace->left == 0;
}

struct top;

/** NULL: out of memory. */
struct top *top_new(int64_t now_us) MUST_USE;
void top_free(struct top *top);

/** Count ${weight} requests for ${key} under the limit of that name. */
void top_add(struct top *top, enum top_verdict verdict, const struct key *key,
    const char *limit, unsigned weight, int64_t now_us);

/** Some time has passed: forget what is long ago. */
void top_age(struct top *top, int64_t now_us);

struct top_entry {
	struct hash128 hash;
	double count, error;       /* count - error <= the truth <= count */
	int64_t first_us, last_us; /* since it is counted */
	char limit[LIMIT_NAME_MAX + 1]; /* of the last request */
	uint16_t key_len;
	char key[KEY_MAX];
};

/** Several sketches added up. */
struct top_list {
	struct top_entry *entries; /* by count, highest first */
	size_t count;
	double all;     /* of all keys */
	double seconds; /* that the counts are of: divide by it for a rate */
};

/** Add up ${count} sketches.  Return 0, or -1 (out of memory); top_list_free()
 * in either case. */
int top_merge(struct top_list *list, struct top *const *tops, size_t count,
    enum top_verdict verdict, int64_t now_us) MUST_USE;
void top_list_free(struct top_list *list);

/** The entry of the key with ${hash}, or NULL. */
const struct top_entry *top_list_find(
    const struct top_list *list, const struct hash128 *hash);

#endif
