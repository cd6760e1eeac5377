/*
 * The way of a check: find its limit, ask, fall back, decide, count.
 * Invariant: a check that is not ENDED holds its snapshot, so the limits that
 * its queries and its decision name stay.
 * The heart: check_start() on the way there, check_conclude() on the way back.
 */
#include "gate/check.h"

#include "base/probe.h"
#include "gate/fallback.h"
#include "gate/gate.h"

#include <assert.h>
#include <string.h>

static void
check_set_state(struct check *check, enum check_state state)
{
	static const unsigned next[] = {
#define TO(name)      (1u << CHECK_##name)
#define X(name, next) [CHECK_##name] = next,
	    CHECK_STATES(X)
#undef X
#undef TO
	};

	assert(next[check->state] & (1u << state));
	check->state = state;
}

/* The decision, or the outcome without one, is known. */
static void
check_decided(struct check *check)
{
	struct gate *gate = check->gate;

	if (check->state == CHECK_ASKED)
		histogram_add(&gate->counters->decisions,
		    gate_now(gate) - check_decider(check)->now_us, 1);
	else
		gate->at_once++;
	check_set_state(check, CHECK_DECIDED);
	PROBE4(check_done, check, check->limit, check->decision.allowed,
	    check->decided_by);
}

/*
 * Counting.
 */

/* Where what becomes of a query is counted for its limit, or NULL. */
static struct limit_cell *
check_cell_of(const struct check *check, const struct query *query)
{
	const struct rules_snapshot *snapshot = check->snapshot;
	const struct limit *limit = query->limit;

	if (!limit || limit->is_inline || !snapshot->limit_stats)
		return NULL;
	return limit_stats_cell(
	    snapshot->limit_stats, limit->order, check->gate->worker);
}

/* Count for all limits together, and in the cell of the one, or NULL. */
#define COUNT_ONE(counters, cell, name)                                        \
	do {                                                                   \
		counter_add(&(counters)->name, 1);                             \
		if (cell)                                                      \
			counter_add(&(cell)->name, 1);                         \
	} while (0)

static void
check_record(const struct check *check, const struct key *key)
{
	struct gate *gate = check->gate;
	const struct limit *limit = check->limit;
	struct recent_entry entry = {.at_us = gate_now(gate),
	    .allowed = check->decision.allowed,
	    .from = decided_by_name(check->decided_by),
	    .level = check->decision.level,
	    .retry_us = check->decision.retry_us};

	assert(limit); /* without one, no check is looked at */
	entry.capacity = limit->capacity;
	strcpy(entry.limit, limit->name);
	recent_add(gate->gateway->recent, &entry, key, gate->unrecorded);
	gate->unrecorded = 0;
}

/* It was one of those that are looked at. */
static void
check_look(struct check *check, const struct query *query)
{
	struct gate *gate = check->gate;
	struct sample *sample = check->sample;
	const struct key key = {sample->bytes, sample->len, query->key.hash};

	if (sample->weight > 0)
		top_add(gate->gateway->tops[gate->worker],
		    check->decision.allowed ? TOP_ALLOWED : TOP_DENIED, &key,
		    query->limit->name, sample->weight, gate_now(gate));
	if (sample->is_recorded)
		check_record(check, &key);
	samples_put(&gate->samples, sample);
	check->sample = NULL;
}

static void
check_count(struct check *check)
{
	struct counters *counters = check->gate->counters;
	const struct query *query = check_decider(check);
	struct limit_cell *cell;

	if (query->op != OP_CONSUME) {
		counter_add(
		    query->op == OP_PEEK ? &counters->peeks : &counters->resets,
		    1);
		return;
	}
	if (check->sample)
		check_look(check, query);
	cell = check_cell_of(check, query);
	if (check->decision.allowed)
		COUNT_ONE(counters, cell, allowed);
	else
		COUNT_ONE(counters, cell, denied);
	if (check->shadow_denied)
		COUNT_ONE(counters, cell, shadow_denied);
	if (check->decided_by == DECIDED_BY_DENYCACHE)
		COUNT_ONE(counters, cell, denycache);
}

static void
check_count_fallback(const struct check *check, const struct query *query)
{
	struct counters *counters = check->gate->counters;
	struct limit_cell *cell = check_cell_of(check, query);

	COUNT_ONE(counters, cell, fallback);
	if (cell)
		counter_add(&cell->fallbacks[query->why], 1);
}

/*
 * Deciding.
 */

/* No limit matches: what [limits] unmatched says. */
static void
check_conclude_unmatched(struct check *check)
{
	struct gate *gate = check->gate;
	enum unmatched unmatched = (enum unmatched)atomic_load_explicit(
	    &gate->gateway->unmatched, memory_order_relaxed);

	counter_add(&gate->counters->unmatched, 1);
	check->limit = NULL;
	check->decision = (struct decision){
	    .allowed = unmatched == UNMATCHED_ALLOW,
	};
	check->decided_by = DECIDED_BY_NONE;
	check->shadow_denied = false;
	if (unmatched == UNMATCHED_ERROR)
		check->outcome = OUTCOME_NOLIMIT;
	else if (check_decider(check)->op == OP_RESET)
		check->outcome = OUTCOME_RESET;
	else
		check->outcome = OUTCOME_DECISION;
	if (check->outcome != OUTCOME_NOLIMIT)
		check_count(check);
	check_decided(check);
}

/* Turn the result of its query into the decision for the client. */
static void
check_conclude(struct check *check)
{
	const struct query *query = check_decider(check);

	if (query->op != OP_RESET)
		check->outcome = OUTCOME_DECISION;
	else if (query->result == RESULT_UNAVAILABLE)
		check->outcome = OUTCOME_UNAVAILABLE;
	else
		check->outcome = OUTCOME_RESET;
	check->limit = query->limit;
	check->decision = query->decision;
	check->decided_by = query->decided_by;
	check->shadow_denied = query->limit->shadow && !query->decision.allowed;
	if (check->shadow_denied) {
		check->decision.allowed = true;
		check->decision.retry_us = 0;
	}
	check_count(check);
	check_decided(check);
}

/* The store has decided, or cannot. */
static void
check_take_result(struct check *check, struct query *query)
{
	struct gate *gate = check->gate;

	if (gate->deny_cache)
		deny_cache_learn(gate->deny_cache, query);
	if (query->result == RESULT_UNAVAILABLE) {
		check_count_fallback(check, query);
		fallback_decide(gate, query);
	}
	check_conclude(check);
}

_Static_assert(CHECK_QUERIES_MAX == 1,
    "check_on_result() takes the first query's check for that of any");

static void
check_on_result(struct query *query)
{
	struct check *check = CONTAINER_OF(query, struct check, queries);

	check_take_result(check, query);
	check->done(check);
}

/* Have it looked at when it is decided: for TOP, for MONITOR, or both. */
static void
check_take_sample(struct check *check, const struct query *query)
{
	struct gate *gate = check->gate;
	unsigned weight = gate->pace.left == 0 ? top_pace_next(&gate->pace) : 0;
	bool is_recorded = gate->records && gate->record_left > 0;

	if (weight > 0 || is_recorded)
		check->sample =
		    samples_take(&gate->samples, &query->key, weight);
	if (check->sample)
		check->sample->is_recorded = is_recorded;
	if (is_recorded && check->sample)
		gate->record_left--;
	else if (gate->records)
		gate->unrecorded++;
}

/* Decide at once, or leave it to the store and return false. */
static bool
check_ask(struct check *check, struct query *query)
{
	struct gate *gate = check->gate;

	if (query->op == OP_CONSUME &&
	    (top_pace_is_due(&gate->pace) | gate->records))
		check_take_sample(check, query);
	if (gate->deny_cache && deny_cache_decide(gate->deny_cache, query)) {
		check_conclude(check);
		return true;
	}
	if (!store_query(gate->store, query)) {
		check_set_state(check, CHECK_ASKED);
		return false;
	}
	check_take_result(check, query);
	return true;
}

static void
check_open(struct check *check)
{
	check_set_state(check, CHECK_OPEN);
	check->snapshot = gate_acquire_snapshot(check->gate);
}

/* Give back what the queries hold. */
static void
check_drop_queries(struct check *check)
{
	for (unsigned i = 0; i < check->count; i++) {
		const struct limit *limit = check->queries[i].limit;

		if (limit && limit->is_inline)
			inline_limits_put(check->gate->inlines, limit);
	}
	check->count = 0;
}

/*
 * The calls of the header.
 */

void
check_reopen(struct check *check)
{
	check_drop_queries(check);
	check_set_state(check, CHECK_OPEN);
}

void
check_settle(struct check *check, bool allowed)
{
	struct counters *counters = check->gate->counters;

	check_open(check);
	check->outcome = OUTCOME_DECISION;
	check->limit = NULL;
	check->decision = (struct decision){.allowed = allowed};
	check->decided_by = DECIDED_BY_NONE;
	check->shadow_denied = false;
	counter_add(allowed ? &counters->allowed : &counters->denied, 1);
	check_decided(check);
}

void
check_settle_unmatched(struct check *check)
{
	check_open(check);
	check_conclude_unmatched(check);
}

void
check_add(struct check *check, enum op op, const char *key, size_t key_len,
    int64_t amount)
{
	struct query *query = &check->queries[check->count];

	assert(check->count < CHECK_QUERIES_MAX);
	check->count++;
	if (check->state != CHECK_OPEN)
		check_open(check);
	query->rules = check->snapshot->rules;
	query->limit = NULL;
	query->key = key_make(key, key_len);
	query->op = op;
	query->amount = amount;
	query->now_us = gate_now(check->gate);
	query->done = check_on_result;
	query->mate = NULL;
}

void
check_use_inline_limit(
    struct check *check, int64_t capacity, int64_t recharge_ns)
{
	struct query *query = &check->queries[check->count - 1];

	query->limit =
	    inline_limits_get(check->gate->inlines, capacity, recharge_ns);
	if (query->limit)
		return;
	check->outcome = OUTCOME_NOMEMORY;
	check_set_state(check, CHECK_DECIDED);
}

void
check_prepare(struct check *check)
{
	struct gate *gate = check->gate;
	struct query *query = &check->queries[0];

	if (check->state != CHECK_OPEN)
		return;
	check_set_state(check, CHECK_READY);
	if (!query->limit)
		query->limit =
		    rules_match(query->rules, &query->key, gate->scratch);
}

void
check_prefetch(const struct check *check)
{
	const struct gate *gate = check->gate;
	const struct query *query = &check->queries[0];

	if (check->state != CHECK_READY || !query->limit)
		return;
	if (gate->deny_cache)
		deny_cache_prefetch(gate->deny_cache, query);
	store_prefetch(gate->store, query);
}

bool
check_start(struct check *check)
{
	struct query *query = &check->queries[0];

	assert(check->count > 0);
	check_prepare(check);
	if (check->state == CHECK_DECIDED)
		return true;
	PROBE4(check_start, check, query->key.bytes, query->key.len,
	    query->amount);
	if (query->limit)
		return check_ask(check, query);
	check_conclude_unmatched(check);
	return true;
}

void
check_end(struct check *check)
{
	if (check->state == CHECK_ENDED)
		return;
	check_drop_queries(check);
	gate_release_snapshot(check->gate, check->snapshot);
	check_set_state(check, CHECK_ENDED);
}

const char *
decided_by_name(enum decided_by decided_by)
{
	static const char *const names[] = {
	    [DECIDED_BY_NONE] = "none",
	    [DECIDED_BY_MEMORY] = "memory",
	    [DECIDED_BY_REDIS] = "redis",
	    [DECIDED_BY_DENYCACHE] = "denycache",
	    [DECIDED_BY_FALLBACK] = "fallback",
	};

	return names[decided_by];
}
