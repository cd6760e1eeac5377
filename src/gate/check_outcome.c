#include "gate/check_internal.h"
#include "limit/algorithm.h"

enum check_outcome
check_outcome_of(const struct query *query)
{
	const bool is_unavailable = query->result == RESULT_UNAVAILABLE;

	if (query->op == OP_RESET)
		return is_unavailable ? OUTCOME_UNAVAILABLE : OUTCOME_RESET;
	if (query->op == OP_RELEASE && !query->decision.allowed)
		return is_unavailable ? OUTCOME_UNRELEASED : OUTCOME_NOTHELD;
	return OUTCOME_DECISION;
}

void
check_leave_undecided(struct check *check)
{
	check->limit = NULL;
	check->decision = (struct decision){0};
	check->decided_by = DECIDED_BY_NONE;
	check->shadow_denied = false;
}

bool
check_key_has_leases(struct gate *gate, const struct check_key *given)
{
	const struct key key = key_make(given->bytes, given->len);
	const struct limit *limit =
	    rules_match(gate->snapshot->rules, &key, gate->scratch);

	return limit && limit->algorithm->lease &&
	       limit->action == ACTION_NONE && !limit->also;
}

bool
check_lacks_leases(struct check *check)
{
	const struct limit *limit = check->query.limit;

	if (!limit || limit->algorithm->lease || limit->action != ACTION_NONE)
		return false;
	check->outcome = OUTCOME_NOLEASE;
	check_set_state(check, CHECK_DECIDED);
	return true;
}
