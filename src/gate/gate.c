#include "gate/gate.h"

#include "base/attr.h"

#include <stdlib.h>

/* What a client that on_error denies is told: Redis may be back by then. */
#define UNAVAILABLE_RETRY_US INT64_C(1000000)

static struct held_rules *
hold(struct shared *shared, unsigned *generation)
{
	struct held_rules *held = calloc(1, sizeof(*held));

	if (held)
		held->rules =
		    shared_get_rules(shared, &held->tallies, generation);
	return held;
}

static void
let_go(struct held_rules *held)
{
	rules_unref(held->rules);
	tallies_unref(held->tallies);
	free(held);
}

int
gate_init(struct gate *gate, struct shared *shared, size_t worker,
    struct store *store)
{
	*gate = (struct gate){
	    .shared = shared,
	    .worker = worker,
	    .metrics = &shared->metrics[worker],
	    .store = store,
	};
	gate->scratch = rules_scratch_new();
	gate->held = hold(shared, &gate->generation);
	gate->inlines = inline_limits_new();
	if (shared->options->store == STORE_REDIS) {
		gate->deny_cache = deny_cache_new(shared->deny_marks, clock_us);
		if (!gate->deny_cache)
			return -1;
	}
	return gate->scratch && gate->held && gate->inlines ? 0 : -1;
}

void
gate_clear(struct gate *gate)
{
	rules_scratch_free(gate->scratch);
	deny_cache_free(gate->deny_cache);
	if (gate->held)
		let_go(gate->held);
	inline_limits_free(gate->inlines);
	gate->scratch = NULL;
	gate->deny_cache = NULL;
	gate->held = NULL;
	gate->inlines = NULL;
}

bool
gate_update_rules(struct gate *gate)
{
	struct held_rules *held;

	if (atomic_load_explicit(&gate->shared->generation,
		memory_order_acquire) == gate->generation)
		return false;
	held = hold(gate->shared, &gate->generation);
	if (!held)
		return false; /* the next turn tries again */
	if (gate->held->users == 0)
		let_go(gate->held);
	gate->held = held;
	if (gate->deny_cache)
		deny_cache_empty(gate->deny_cache);
	metric_add(&gate->metrics->reloads, 1);
	return true;
}

/* Where what becomes of the request is counted for its limit. */
static struct tally_cell *
cell_of(const struct passage *passage)
{
	const struct held_rules *held = passage->held;
	const struct limit *limit = passage->ask.limit;

	if (!limit || limit->is_inline || !held->tallies)
		return NULL;
	return tallies_cell(held->tallies, limit->order, passage->gate->worker);
}

/* Count for all limits together, and in the cell of the one, or NULL. */
#define COUNT_ONE(metrics, cell, name)                                         \
	do {                                                                   \
		metric_add(&(metrics)->name, 1);                               \
		if (cell)                                                      \
			metric_add(&(cell)->name, 1);                          \
	} while (0)

static void
count(struct passage *passage)
{
	struct metrics *metrics = passage->gate->metrics;
	enum op op = passage->ask.op;
	const struct reply *reply = &passage->reply;
	struct tally_cell *cell;

	if (op != OP_CONSUME) {
		metric_add(
		    op == OP_PEEK ? &metrics->peeks : &metrics->resets, 1);
		return;
	}
	cell = cell_of(passage);
	if (reply->decision.allowed)
		COUNT_ONE(metrics, cell, allowed);
	else
		COUNT_ONE(metrics, cell, denied);
	if (reply->shadow_deny)
		COUNT_ONE(metrics, cell, shadow_denied);
	if (reply->from == FROM_DENYCACHE)
		COUNT_ONE(metrics, cell, denycache);
}

static void
answer_unmatched(struct gate *gate, struct passage *passage)
{
	enum unmatched unmatched = (enum unmatched)atomic_load_explicit(
	    &gate->shared->unmatched, memory_order_relaxed);

	metric_add(&gate->metrics->unmatched, 1);
	passage->reply = (struct reply){.from = FROM_NONE};
	passage->reply.decision.allowed = unmatched == UNMATCHED_ALLOW;
	if (unmatched == UNMATCHED_ERROR)
		passage->outcome = OUTCOME_NOLIMIT;
	else if (passage->ask.op == OP_RESET)
		passage->outcome = OUTCOME_DONE;
	else
		passage->outcome = OUTCOME_DECISION;
	if (passage->outcome != OUTCOME_NOLIMIT)
		count(passage);
}

/* Redis cannot answer: on_error does.  What can never fit does not fit now. */
static void
fall_back(struct passage *passage)
{
	struct gate *gate = passage->gate;
	struct ask *ask = &passage->ask;
	const struct limit *limit = ask->limit;
	struct tally_cell *cell = cell_of(passage);
	bool never = ask->amount > limit->capacity;

	COUNT_ONE(gate->metrics, cell, fallback);
	ask->from = FROM_FALLBACK;
	ask->decision = (struct decision){0};
	switch (limit->on_error) {
	case ON_ERROR_MEMORY:
		memory_decide(gate->shared->memory, limit, &ask->key, ask->op,
		    ask->amount, gate_now(gate), &ask->decision);
		return;
	case ON_ERROR_ALLOW:
		ask->decision.allowed = !never;
		break;
	case ON_ERROR_DENY:
		ask->decision.retry_us = UNAVAILABLE_RETRY_US;
		break;
	}
	if (never)
		ask->decision.retry_us = RETRY_NEVER;
}

/* Turn the store's answer into a reply. */
static void
conclude(struct passage *passage)
{
	struct ask *ask = &passage->ask;
	struct reply *reply = &passage->reply;

	if (ask->answer == ANSWER_UNAVAILABLE)
		fall_back(passage);
	if (ask->op == OP_RESET) {
		passage->outcome = ask->answer == ANSWER_UNAVAILABLE
				       ? OUTCOME_UNAVAILABLE
				       : OUTCOME_DONE;
	} else {
		passage->outcome = OUTCOME_DECISION;
	}
	reply->limit = ask->limit;
	reply->decision = ask->decision;
	reply->from = ask->from;
	reply->shadow_deny = ask->limit->shadow && !ask->decision.allowed;
	if (reply->shadow_deny) {
		reply->decision.allowed = true;
		reply->decision.retry_us = 0;
	}
	count(passage);
}

/* The store has answered, or cannot. */
static void
take_answer(struct passage *passage)
{
	struct deny_cache *cache = passage->gate->deny_cache;

	if (cache)
		deny_cache_learn(cache, &passage->ask);
	conclude(passage);
}

static void
on_answered(struct ask *ask)
{
	struct passage *passage = CONTAINER_OF(ask, struct passage, ask);

	take_answer(passage);
	passage->done(passage);
}

static enum op
op_of(const struct request *request)
{
	switch ((int)request->verb) {
	case VERB_CONSUME:
		return OP_CONSUME;
	case VERB_RESET:
		return OP_RESET;
	case VERB_THROTTLE:
		return request->amount > 0 ? OP_CONSUME : OP_PEEK;
	}
	return OP_PEEK;
}

/* The limit that came with the request, or that its key has.  False: there is
 * none, and the passage is answered. */
static bool
find_limit(struct gate *gate, const struct request *request,
    struct passage *passage)
{
	struct ask *ask = &passage->ask;

	if (request->verb == VERB_THROTTLE) {
		ask->limit = inline_limits_get(gate->inlines,
		    request->capacity, request->recharge_us);
		if (!ask->limit)
			passage->outcome = OUTCOME_UNAVAILABLE;
	} else {
		ask->limit = rules_match(ask->rules, &ask->key, gate->scratch);
		if (!ask->limit)
			answer_unmatched(gate, passage);
	}
	return ask->limit != NULL;
}

bool
gate_pass(struct gate *gate, const struct request *request,
    struct passage *passage)
{
	struct ask *ask = &passage->ask;

	passage->gate = gate;
	passage->held = gate->held;
	passage->held->users++;
	ask->key = key_make(request->key, request->key_len);
	ask->op = op_of(request);
	ask->amount = request->amount;
	ask->now_us = gate_now(gate);
	ask->done = on_answered;
	ask->rules = gate->held->rules;
	if (!find_limit(gate, request, passage))
		return true;
	if (gate->deny_cache && deny_cache_ask(gate->deny_cache, ask)) {
		conclude(passage);
		return true;
	}
	if (!store_ask(gate->store, ask))
		return false;
	take_answer(passage);
	return true;
}

void
passage_end(struct passage *passage)
{
	struct held_rules *held = passage->held;
	const struct limit *limit = passage->ask.limit;

	if (held && limit && limit->is_inline)
		inline_limits_put(passage->gate->inlines, limit);
	if (held && --held->users == 0 && held != passage->gate->held)
		let_go(held);
	passage->held = NULL;
}
