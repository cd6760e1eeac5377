/**
 * chores: when which hash is to be swept, and whether buckets are trimmed.
 *
 * Owns: a reference to the rules, one chore for each limit and partition.
 * Never: calls Redis.
 *
 * A field of a sweep, zeroed at first but for the topology and the place.
 */
#ifndef STORE_REDIS_CHORES_H
#define STORE_REDIS_CHORES_H

#include "base/attr.h"
#include "limit/rules.h"
#include "redis/topology.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The longest time from one pass over a limit's hash to the next. */
#define CHORES_PERIOD_MAX_US INT64_C(3600000000)

struct chore {
	const struct limit *limit;
	unsigned partition;
	int64_t due_us; /* when its next pass begins */
	bool trims;     /* that pass trims: the server's clock was set back */
};

struct chores {
	const struct topology *topology; /* borrowed */
	size_t place; /* in it, of the server whose partitions are swept */
	struct rules *rules;
	struct chore *items;
	size_t count;
	struct limit inline_limit; /* for all that come with requests */
	bool has_inline;           /* it is swept for too */
};

/** Plan also for the limits that come with requests.  Call this before
 * chores_set_rules(). */
void chores_include_inline(struct chores *chores);

/** Plan for these limits from now on, their first passes at random times; with
 * ${trims}, all trim, at once.  Takes a reference of its own.  Return 0, or -1
 * (out of memory, and the plan is as before). */
int chores_set_rules(
    struct chores *chores, struct rules *rules, bool trims) MUST_USE;

/** The chore that is due first; NULL: there are none. */
struct chore *chores_next(const struct chores *chores);

/** How long from one pass over this limit's hash to the next. */
int64_t chores_period_us(
    const struct chores *chores, const struct limit *limit);

/** Make all due now, with trimming. */
void chores_trim_all(struct chores *chores);

/** Whether one of them trims. */
bool chores_have_trims(const struct chores *chores);

/** Free the memory. */
void chores_free(struct chores *chores);

#endif
