/**
 * check_internal: what the files of a check share: gate/check.c,
 * gate/check_count.c, gate/check_sample.c, and gate/joint.c, which has those of
 * several queries.
 */
#ifndef GATE_CHECK_INTERNAL_H
#define GATE_CHECK_INTERNAL_H

#include "gate/check.h"
#include "gate/gate.h"
#include "stats/limit_stats.h"

void check_set_state(struct check *check, enum check_state state);

/** Make ${query} ask ${op} of ${amount} drops on the bucket of ${key}. */
void check_init_query(struct check *check, struct query *query, enum op op,
    const struct key *key, int64_t amount);

/** Turn the result of its query into the decision for the client. */
void check_conclude(struct check *check);

/** Have the processor fetch where the bucket of ${query} is, which has its key
 * as the store gets it. */
void check_prefetch_query(const struct check *check, const struct query *query);

/** The decision, or the outcome without one, is known. */
void check_decided(struct check *check);

/** Its outcome is no decision: it has none then, and no limit. */
void check_leave_undecided(struct check *check);

/** There is no memory for its keys, its limit or its id: decided so. */
void check_lack_memory(struct check *check);

/** Decide a query whose limit has an action.  Return whether it has one. */
bool check_act(struct query *query);

/** No limit matches: what [limits] unmatched says. */
void check_conclude_unmatched(struct check *check);

/** Take the result of ${query} over as the decision for the client. */
void check_tell(struct check *check, const struct query *query);

/** The outcome of a query that has its decision. */
enum check_outcome check_outcome_of(const struct query *query);

/** Whether the limit of its query, which names a lease, has none: decided then.
 */
bool check_lacks_leases(struct check *check);

/** Where what becomes of ${query} is counted for its limit; NULL: nowhere. */
struct limit_cell *check_cell_of(
    const struct check *check, const struct query *query);

/** Count what became of a check of one query. */
void check_count(struct check *check);

/** Count that an override had a say in ${query}, if so. */
void check_count_override(const struct check *check, const struct query *query);

/** Count that on_error decides ${query}. */
void check_count_fallback(const struct check *check, const struct query *query);

/** Whether the next check may be one of those that TOP or MONITOR show. */
static inline bool
check_is_sampled(struct gate *gate)
{
	return top_pace_is_due(&gate->pace) | gate->records;
}

/** Have it looked at, with the key of ${query}, when it is decided: for TOP,
 * for MONITOR, or both. */
void check_take_sample(struct check *check, const struct query *query);

/** It is decided, and one of those that are looked at. */
void check_look(struct check *check, const struct query *query);

/** The same for a check that has its decision already: take it, perhaps, and
 * look at it. */
void check_sample(struct check *check, const struct query *query);

#endif
