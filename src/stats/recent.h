/**
 * recent: the last decisions, for who wants to look on.
 *
 * A ring of fixed size for all workers.  Decisions are numbered; those that
 * were overwritten, or were too many, are gone, and their numbers show it.
 * They are recorded only while someone asks for them.
 */
#ifndef STATS_RECENT_H
#define STATS_RECENT_H

#include "base/attr.h"
#include "limit/key.h"
#include "limit/limit.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECENT_SIZE 1024

/** How long decisions are recorded after they were asked for. */
#define RECENT_WANTED_US INT64_C(5000000)

struct recent_entry {
	uint64_t number;
	int64_t at_us;
	bool allowed;
	const char *from; /* "redis", "memory" ...: a constant */
	int64_t amount, level, capacity, retry_us;
	char limit[LIMIT_NAME_MAX + 1];
	size_t key_len;
	char key[KEY_MAX];
};

struct recent;

/** NULL: out of memory. */
struct recent *recent_new(void) MUST_USE;
void recent_free(struct recent *recent);

/** Someone asks for them at this time. */
void recent_want(struct recent *recent, int64_t now_us);
bool recent_is_wanted(const struct recent *recent, int64_t now_us);

/** Record a decision, whose number is set, after ${skipped} that are not. */
void recent_add(struct recent *recent, struct recent_entry *entry,
    const struct key *key, unsigned skipped);

/** Note ${count} decisions that are not recorded. */
void recent_skip(struct recent *recent, unsigned count);

/** The number of the next one. */
uint64_t recent_next(struct recent *recent);

/** Copy the first one with ${*number} or a later one that is still there, and
 * set ${*number} to its own.  Return false if there is none. */
bool recent_get(
    struct recent *recent, uint64_t *number, struct recent_entry *to) MUST_USE;

#endif
