/*
 * Job: the way of a check with several queries.
 * Invariant: while the check is ASKED, ${waiting} firsts of places have no
 * result yet.
 * The heart: joint_start() on the way there, joint_conclude() on the way back.
 */
#include "gate/joint_internal.h"

#include "gate/fallback.h"
#include "gate/gate.h"
#include "limit/algorithm.h"

bool
joint_is_spread(const struct joint *joint)
{
	/* A wait is not what others wait for. */
	return joint->is_spread && !joint->check->wait;
}

unsigned
joint_query_count(const struct joint *joint)
{
	return joint->count;
}

const struct query *
joint_decider(const struct joint *joint)
{
	return &joint->queries[joint->decider];
}

const struct key *
check_joint_told_key(const struct check *check)
{
	const struct joint *joint = check->joint;

	return joint->asked > 1 || joint->count > 1 ? &joint_decider(joint)->key
						    : NULL;
}

unsigned
check_key_count(const struct check *check)
{
	return check->joint ? check->joint->asked : 1;
}

const struct query *
check_query_of(const struct check *check, unsigned i)
{
	const struct joint *joint = check->joint;

	if (!check->limit)
		return NULL;
	if (!joint)
		return &check->query;
	i = joint->query_of[i];
	return i == JOINT_NO_QUERY || !joint->queries[i].limit
		   ? NULL
		   : &joint->queries[i];
}

/*
 * Asking.
 */

static bool
joint_is_refused_again(const struct query *query)
{
	return query->decided_by == DECIDED_BY_DENYCACHE;
}

bool
joint_is_decided(const struct query *query)
{
	return joint_is_refused_again(query) ||
	       query->decided_by == DECIDED_BY_ACTION ||
	       query->decided_by == DECIDED_BY_FALLBACK;
}

static bool
joint_denies(const struct query *query)
{
	return !query->decision.allowed && !query->limit->shadow;
}

/* The drops that still fit. */
static int64_t
joint_room(const struct query *query)
{
	return query->limit->capacity - query->decision.level;
}

/* Whether ${query} rather than ${other} decides. */
static bool
joint_outweighs(const struct query *query, const struct query *other)
{
	int64_t retry = query->decision.retry_us;
	int64_t its = other->decision.retry_us;

	if (joint_denies(query) != joint_denies(other))
		return joint_denies(query);
	if (query->limit->shadow != other->limit->shadow)
		return other->limit->shadow;
	if (!joint_denies(query))
		return joint_room(query) < joint_room(other);
	return its != RETRY_NEVER && (retry == RETRY_NEVER || retry > its);
}

/* Have actions and the deny cache decide what they can.  Return whether that
 * denies the check, so that the store need not be asked.  If there is an id, it
 * must be: it may have allowed that before. */
static bool
joint_ask_deny_cache(struct joint *joint)
{
	struct deny_cache *cache = joint->check->gate->deny_cache;
	bool is_denied = false;

	for (unsigned i = 0; i < joint->count; i++) {
		struct query *query = &joint->queries[i];

		if (!check_act(query) && joint_has_id(joint)) {
			if (cache)
				deny_cache_pass(cache, query);
			continue;
		}
		if ((joint_is_decided(query) ||
			(cache && deny_cache_decide(cache, query))) &&
		    joint_denies(query) && !joint->check->charges_each) {
			if (!is_denied ||
			    joint_outweighs(query, joint_decider(joint)))
				joint->decider = i;
			is_denied = true;
		}
	}
	return is_denied;
}

/*
 * The results.
 */

/* Whether the limit of ${query} did allow, though perhaps only as a shadow. */
static bool
joint_is_allowed(const struct joint *joint, const struct query *query)
{
	const struct check *check = joint->check;

	return check->decision.allowed ||
	       (check->charges_each && !joint_denies(query));
}

/* Count for the limits.  Those that would have allowed a check that another one
 * denies did neither. */
static void
joint_count_limits(const struct joint *joint)
{
	const struct check *check = joint->check;

	for (unsigned i = 0; i < joint->count; i++) {
		const struct query *query = &joint->queries[i];
		struct limit_cell *cell = check_cell_of(check, query);

		if (!cell || query->decided_by == DECIDED_BY_NONE)
			continue;
		if (joint_is_allowed(joint, query)) {
			counter_add(&cell->allowed, 1);
			if (!query->decision.allowed)
				counter_add(&cell->shadow_denied, 1);
		} else if (joint_denies(query)) {
			counter_add(&cell->denied, 1);
		}
		if (joint_is_refused_again(query))
			counter_add(&cell->denycache, 1);
	}
}

static void
joint_count(struct joint *joint)
{
	struct check *check = joint->check;
	struct counters *counters = check->gate->counters;
	const struct query *query = joint_decider(joint);

	if (joint->once.result == ONCE_REPEATED) {
		counter_add(&counters->repeated, 1);
		return;
	}
	if (query->op == OP_PEEK) {
		counter_add(&counters->peeks, 1);
		return;
	}
	check_sample(check, query);
	counter_add(
	    check->decision.allowed ? &counters->allowed : &counters->denied,
	    1);
	if (check->shadow_denied)
		counter_add(&counters->shadow_denied, 1);
	if (check->decided_by == DECIDED_BY_DENYCACHE)
		counter_add(&counters->denycache, 1);
	check_count_override(check, query);
	joint_count_limits(joint);
}

/* The check is told what its deciding query was. */
static void
joint_tell(struct joint *joint)
{
	struct check *check = joint->check;

	check->outcome = OUTCOME_DECISION;
	check_tell(check, joint_decider(joint));
	for (unsigned i = 0; i < joint->count && check->decision.allowed; i++)
		check->shadow_denied |= !joint->queries[i].decision.allowed;
	joint_count(joint);
}

static void
joint_choose_decider(struct joint *joint)
{
	joint->decider = 0;
	for (unsigned i = 1; i < joint->count; i++)
		if (joint_outweighs(&joint->queries[i], joint_decider(joint)))
			joint->decider = i;
}

bool
joint_is_denied(const struct joint *joint)
{
	for (unsigned i = 0; i < joint->count; i++)
		if (joint->queries[i].result == RESULT_DECISION &&
		    joint_denies(&joint->queries[i]))
			return true;
	return false;
}

/* Decide by on_error what the store could not. */
static void
joint_fall_back(struct joint *joint)
{
	struct query *first = NULL, **end = &first;

	for (unsigned i = 0; i < joint->count; i++) {
		struct query *query = &joint->queries[i];

		query->mate = NULL;
		if (query->result != RESULT_UNAVAILABLE)
			continue;
		check_count_fallback(joint->check, query);
		if (query->op == OP_WAIT)
			query->op = OP_CONSUME; /* nothing waits for a guess */
		if (joint->check->charges_each) {
			fallback_decide(joint->check->gate, query);
			continue;
		}
		*end = query;
		end = &query->mate;
	}
	if (first)
		fallback_decide_together(
		    joint->check->gate, first, joint_is_denied(joint));
	for (unsigned i = 0; i < joint->count; i++)
		joint->queries[i].result = RESULT_DECISION;
}

static void
joint_learn(const struct joint *joint)
{
	struct deny_cache *cache = joint->check->gate->deny_cache;

	if (joint->once.result == ONCE_REPEATED)
		return; /* it is old */
	for (unsigned i = 0; cache && i < joint->count; i++)
		if (!joint_is_decided(&joint->queries[i]))
			deny_cache_learn(cache, &joint->queries[i]);
}

/* Give back what was charged, though the check is denied: these are the queries
 * from now on.  What the client itself gave back stays so.  Return whether it
 * is done. */
static bool
joint_give_back(struct joint *joint)
{
	struct gate *gate = joint->check->gate;

	joint->gives_back = true;
	joint->waiting = 0;
	for (unsigned i = 0; i < joint->count; i++) {
		struct query *query = &joint->queries[i];

		if (!query->charged || query->amount <= 0)
			continue;
		/* Where there is a line, others may be behind. */
		query->op = query->op == OP_WAIT ? OP_LEAVE : OP_GIVE_BACK;
		query->mate = NULL;
		if (gate->deny_cache)
			deny_cache_decide(gate->deny_cache, query);
		joint->waiting += !store_query(gate->store, query);
	}
	return joint->waiting == 0;
}

/* Until when the last of its parts has room; 0: now, or one denies. */
static int64_t
joint_wait_us(const struct joint *joint)
{
	int64_t us = 0;

	for (unsigned i = 0; i < joint->count; i++) {
		const struct query *query = &joint->queries[i];

		if (joint_denies(query))
			return 0;
		if (query->op == OP_WAIT && query->decision.retry_us > us)
			us = query->decision.retry_us;
	}
	return us;
}

static bool
joint_begin_wait(struct joint *joint)
{
	struct check *check = joint->check;

	return check->wait && wait_begin(check, joint_wait_us(joint));
}

void
joint_end_wait(struct joint *joint, bool passed)
{
	for (unsigned i = 0; i < joint->count; i++) {
		struct query *query = &joint->queries[i];

		if (query->op != OP_WAIT && query->op != OP_LEAVE)
			continue;
		query->op = OP_WAIT; /* which is counted */
		query->decision.allowed = passed;
		if (passed)
			query->decision.retry_us = 0;
	}
	joint_choose_decider(joint);
	joint_tell(joint);
	check_decided(joint->check);
}

bool
joint_leave(struct joint *joint, int64_t waited_us)
{
	for (unsigned i = 0; i < joint->count; i++) {
		struct query *query = &joint->queries[i];
		int64_t left_us = query->decision.retry_us - waited_us;

		query->now_us = gate_now(joint->check->gate);
		query->decision.retry_us = left_us > 0 ? left_us : 0;
	}
	joint->leaves = true;
	return joint_give_back(joint);
}

/* All have their results.  Return whether it is decided, and nothing has to be
 * given back. */
static bool
joint_conclude(struct joint *joint)
{
	struct check *check = joint->check;

	if (joint->once.result == ONCE_OTHER)
		check->outcome = OUTCOME_OTHERID;
	if (check->outcome != OUTCOME_DECISION) {
		check_leave_undecided(check);
		return true;
	}
	joint_learn(joint);
	joint_fall_back(joint);
	if (joint->postpones)
		return joint_ask_postponed(joint) && joint_conclude(joint);
	if (joint_begin_wait(joint))
		return false;
	joint_choose_decider(joint);
	joint_tell(joint);
	return check->decision.allowed || check->charges_each ||
	       joint_give_back(joint);
}

void
joint_on_result(struct query *query)
{
	struct joint *joint = query->owner;
	struct check *check = joint->check;

	if (joint->gives_back && check->gate->deny_cache)
		deny_cache_learn(check->gate->deny_cache, query);
	if (--joint->waiting > 0)
		return;
	if (joint->leaves)
		joint_end_wait(joint, false);
	else if (joint->gives_back || joint_conclude(joint))
		check_decided(check);
	else
		return;
	check->done(check);
}

bool
joint_start(struct joint *joint)
{
	struct check *check = joint->check;

	if (!joint_decider(joint)->limit) {
		check_conclude_unmatched(check);
		return true;
	}
	if (check->query.op == OP_WAIT && wait_open(check) == -1) {
		check_lack_memory(check);
		return true;
	}
	if (joint_ask_deny_cache(joint)) {
		joint_tell(joint);
		check_decided(check);
		return true;
	}
	if (joint_ask_store(joint) && joint_conclude(joint)) {
		check_decided(check);
		return true;
	}
	if (check->state != CHECK_WAITING)
		check_set_state(check, CHECK_ASKED);
	return false;
}
