/**
 * joint_internal: a joint check from inside, for joint_keys.c, which makes its
 * queries, joint_ask.c, which asks the store, and joint.c, which has them
 * decided.
 */
#ifndef GATE_JOINT_INTERNAL_H
#define GATE_JOINT_INTERNAL_H

#include "gate/check_internal.h"
#include "gate/joint.h"
#include "limit/id.h"

#include <stdbool.h>
#include <stddef.h>

/** A key has no query, since it has no limit. */
#define JOINT_NO_QUERY 255

struct joint {
	struct check *check;
	size_t bytes;     /* that it has */
	bool is_spread;   /* over several places */
	bool postpones;   /* what it gives back, until the rest is allowed */
	bool gives_back;  /* that is what is waited for */
	bool leaves;      /* after it has waited */
	unsigned decider; /* the query that decides; before, 0, or one that has
			   * no limit, which decides then */
	unsigned waiting;
	struct once once; /* its id; without one, the length is 0 */
	char id[ID_MAX];
	unsigned asked; /* keys that the check was given */
	unsigned char query_of[CHECK_KEYS_MAX]; /* of each of these, and then of
						 * those of also */
	unsigned count;                         /* of queries */
	struct query queries[];
};

/** As query->done. */
void joint_on_result(struct query *query);

static inline bool
joint_has_id(const struct joint *joint)
{
	return joint->once.len > 0;
}

/** Whether the store need not be asked, or was away. */
bool joint_is_decided(const struct query *query);

/** Whether one of the queries that have results denies the check. */
bool joint_is_denied(const struct joint *joint);

/** Ask the store.  Return whether it decided all at once, or is not asked. */
bool joint_ask_store(struct joint *joint);

/** The same about what was postponed, if nothing denies the check. */
bool joint_ask_postponed(struct joint *joint);

#endif
