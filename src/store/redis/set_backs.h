/**
 * set_backs: by how much the clocks of servers were set back, from the workers
 * that notice it to the one that sweeps.
 *
 * Owns: one cell for each server of a topology.  Any thread may use it.
 */
#ifndef STORE_REDIS_SET_BACKS_H
#define STORE_REDIS_SET_BACKS_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct set_backs;

/** The clock of one server was set back. */
struct set_back {
	size_t place;     /* of the server in the topology */
	int64_t back_us;  /* by this much */
	int64_t since_us; /* some time after this time of our clock */
};

/** NULL: out of memory. */
struct set_backs *set_backs_new(size_t servers) MUST_USE;

/** Free it; NULL: no-op. */
void set_backs_free(struct set_backs *set_backs);

/** Note one.  Of several for one server that were not taken yet, the last one
 * counts: the workers all notice the same. */
void set_backs_note(struct set_backs *set_backs, const struct set_back *noted);

/** Take one that was noted.  Return false if there is none. */
bool set_backs_take(struct set_backs *set_backs, struct set_back *taken);

#endif
