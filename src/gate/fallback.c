#include "gate/fallback.h"

#include "store/mates.h"

/* The retry of a denial by on_error: Redis may be back by then. */
#define UNAVAILABLE_RETRY_US INT64_C(1000000)

void
fallback_decide(struct gate *gate, struct query *query)
{
	const struct limit *limit = query->limit;
	const int64_t most =
	    query->op == OP_CHARGE ? limit_most(limit) : limit->capacity;
	/* What can never fit does not fit now. */
	bool never = query->op != OP_TAKE && query->amount > most;

	if (query->op == OP_WAIT)
		query->op = OP_CONSUME; /* nothing waits for a guess */
	query->decided_by = DECIDED_BY_FALLBACK;
	query->decision = (struct decision){0};
	switch (limit->on_error) {
	case ON_ERROR_MEMORY:
		memory_decide_query(
		    gate->gateway->memory, query, gate_now(gate));
		return;
	case ON_ERROR_ALLOW:
		query->decision.allowed = !never && query->op != OP_RELEASE;
		query->decision.taken =
		    (int32_t)(query->amount < most ? query->amount : most);
		break;
	case ON_ERROR_DENY:
		query->decision.retry_us = UNAVAILABLE_RETRY_US;
		break;
	}
	if (never)
		query->decision.retry_us = RETRY_NEVER;
}

/* Decide together the queries that on_error gives to memory, unless another one
 * denies. */
static void
fallback_decide_in_memory(
    struct gate *gate, struct query *first, bool is_denied)
{
	struct memory *memory = gate->gateway->memory;

	if (!is_denied)
		memory_decide_together(memory, first);
	for (struct query *query = first; query; query = query->mate) {
		if (is_denied)
			memory_decide(memory, query->limit, &query->key,
			    OP_PEEK, mates_peek_amount(query), gate_now(gate),
			    &query->decision);
		query->decided_by = DECIDED_BY_FALLBACK;
		query->charged = false; /* in the store */
	}
}

void
fallback_decide_together(struct gate *gate, struct query *first, bool is_denied)
{
	struct query *in_memory = NULL, **end = &in_memory, *next;

	for (struct query *query = first; query; query = next) {
		next = query->mate;
		query->mate = NULL;
		if (query->limit->on_error == ON_ERROR_MEMORY) {
			*end = query;
			end = &query->mate;
			continue;
		}
		fallback_decide(gate, query);
		is_denied |= !query->decision.allowed && !query->limit->shadow;
	}
	if (in_memory)
		fallback_decide_in_memory(gate, in_memory, is_denied);
}
