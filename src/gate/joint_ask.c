/*
 * Job: asks the store about the queries of a joint check, those of one place
 * together.
 * Invariant: what one place gives back is not to be taken again because another
 * one denies: it may be gone.  So of a check that is spread, it is asked about
 * last, once all the rest is allowed.
 * The heart: joint_ask_store(), joint_ask_postponed().
 */
#include "gate/gate.h"
#include "gate/joint_internal.h"
#include "limit/algorithm.h"

/* The queries of each place, chained. */
struct joint_groups {
	unsigned count;
	size_t places[CHECK_KEYS_MAX];
	struct query *firsts[CHECK_KEYS_MAX], *lasts[CHECK_KEYS_MAX];
};

static void
joint_group(struct joint_groups *groups, size_t place, struct query *query)
{
	unsigned i = 0;

	query->mate = NULL;
	while (i < groups->count && groups->places[i] != place)
		i++;
	if (i == groups->count) {
		groups->places[groups->count++] = place;
		groups->firsts[i] = query;
	} else {
		groups->lasts[i]->mate = query;
	}
	groups->lasts[i] = query;
}

static bool
joint_gives_back(const struct query *query)
{
	return op_puts(query->op) && query->amount < 0;
}

/* Group those that give back, or the others, or both. */
static void
joint_group_those(struct joint_groups *groups, struct joint *joint,
    bool that_give_back, bool others)
{
	struct store *store = joint->check->gate->store;
	bool each = joint->check->charges_each;

	groups->count = 0;
	for (unsigned i = 0; i < joint->count; i++) {
		struct query *query = &joint->queries[i];

		if (!joint_is_decided(query) &&
		    (joint_gives_back(query) ? that_give_back : others))
			joint_group(groups,
			    each ? i : store_place(store, query), query);
	}
}

/* Have the queries of all places take place once.  Return whether they can:
 * what one place remembers says nothing of what became of the others, and a log
 * is too long to be remembered. */
static bool
joint_remember(struct joint *joint, const struct joint_groups *groups)
{
	const struct query *query;

	if (groups->count == 0)
		return true;
	if (groups->count > 1)
		joint->check->outcome = OUTCOME_SPREADID;
	for (query = groups->firsts[0]; query; query = query->mate)
		if (query->limit->algorithm->has_log)
			joint->check->outcome = OUTCOME_NOIDS;
	groups->firsts[0]->once = &joint->once;
	return joint->check->outcome == OUTCOME_DECISION;
}

static bool
joint_ask_groups(struct joint *joint, const struct joint_groups *groups)
{
	struct store *store = joint->check->gate->store;

	joint->waiting = groups->count;
	for (unsigned i = 0; i < groups->count; i++)
		joint->waiting -= store_query(store, groups->firsts[i]);
	return joint->waiting == 0;
}

/* Until then they allow it. */
static void
joint_postpone(struct joint *joint)
{
	for (unsigned i = 0; i < joint->count; i++) {
		struct query *query = &joint->queries[i];

		if (joint_is_decided(query) || !joint_gives_back(query))
			continue;
		query->result = RESULT_DECISION;
		query->decision = (struct decision){.allowed = true};
		joint->postpones = true;
	}
}

bool
joint_ask_store(struct joint *joint)
{
	struct joint_groups groups UNINITIALIZED;

	joint_group_those(&groups, joint, true, true);
	if (joint_has_id(joint) && !joint_remember(joint, &groups))
		return true;
	joint->is_spread = groups.count > 1 && !joint->check->charges_each;
	if (joint->is_spread)
		joint_postpone(joint);
	if (joint->postpones)
		joint_group_those(&groups, joint, false, true);
	return joint_ask_groups(joint, &groups);
}

bool
joint_ask_postponed(struct joint *joint)
{
	struct joint_groups groups UNINITIALIZED;

	joint->postpones = false;
	if (joint_is_denied(joint))
		return true;
	joint_group_those(&groups, joint, true, false);
	return joint_ask_groups(joint, &groups);
}
