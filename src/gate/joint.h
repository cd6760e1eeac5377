/**
 * joint: the queries of a check that has several.  For gate/check.c only.
 *
 * All buckets are charged, or none is, unless check_charge_each() was called:
 * then each is decided by itself.  Queries of one place (store.h) are
 * decided together; where a place was charged and another one denies, what has
 * not leaked since is given back, so that no request too many is admitted, and
 * for that moment perhaps one too few.
 */
#ifndef GATE_JOINT_H
#define GATE_JOINT_H

#include "base/attr.h"
#include "gate/check.h"

#include <stdbool.h>
#include <stddef.h>

/** Make the queries of an open check, with copies of the keys.  NULL: out of
 * memory. */
struct joint *joint_new(struct check *check, enum op op,
    const struct check_key *keys, unsigned count) MUST_USE;

/** NULL: no-op. */
void joint_free(struct joint *joint);

/** Memory that it has; 0 of NULL. */
size_t joint_bytes(const struct joint *joint);

/** Make a prepared check's queries joint, if they are not, with those that
 * their limits charge too; find the limits; queries about one bucket become
 * one.  The check may be decided by that: there was an error; one that shows
 * each of them (check_show_each()) has its one query then, and is not joint. */
void joint_prepare(struct check *check);

/** As check_query_count(). */
unsigned joint_query_count(const struct joint *joint);

/** As check_prefetch(). */
void joint_prefetch(const struct joint *joint);

/** As check_start(), of a prepared check. */
bool joint_start(struct joint *joint) MUST_USE;

/** It waited: all has room now, or it gave its turn back. */
void joint_end_wait(struct joint *joint, bool passed);

/** It waits no more, after ${waited_us}: have each part give its turn back, if
 * it is the last in its line, and what it took at once, as far as that has not
 * leaked.  Return whether that is done; else joint_end_wait() and the check's
 * done follow. */
bool joint_leave(struct joint *joint, int64_t waited_us) MUST_USE;

/** As check_is_spread(). */
bool joint_is_spread(const struct joint *joint);

/** As check_decider(). */
const struct query *joint_decider(const struct joint *joint);

#endif
