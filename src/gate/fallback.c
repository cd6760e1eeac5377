#include "gate/fallback.h"

/* The retry of a denial by on_error: Redis may be back by then. */
#define UNAVAILABLE_RETRY_US INT64_C(1000000)

void
fallback_decide(struct gate *gate, struct query *query)
{
	const struct limit *limit = query->limit;
	/* What can never fit does not fit now. */
	bool never = query->amount > limit->capacity;

	query->decided_by = DECIDED_BY_FALLBACK;
	query->decision = (struct decision){0};
	switch (limit->on_error) {
	case ON_ERROR_MEMORY:
		memory_decide(gate->gateway->memory, limit, &query->key,
		    query->op, query->amount, gate_now(gate), &query->decision);
		return;
	case ON_ERROR_ALLOW:
		query->decision.allowed = !never;
		break;
	case ON_ERROR_DENY:
		query->decision.retry_us = UNAVAILABLE_RETRY_US;
		break;
	}
	if (never)
		query->decision.retry_us = RETRY_NEVER;
}
