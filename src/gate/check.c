/*
 * The way of a check: find its limit, ask, fall back, decide, count.
 * Invariant: a check that is not ENDED holds its snapshot, so the limits that
 * its queries and its decision name stay.
 * The heart: check_start() on the way there, check_conclude() on the way back.
 */
#include "gate/check.h"

#include "base/probe.h"
#include "base/random.h"
#include "gate/check_internal.h"
#include "gate/fallback.h"
#include "gate/gate.h"
#include "gate/joint.h"
#include "limit/algorithm.h"
#include "limit/normalize.h"

#include <assert.h>
#include <string.h>

void
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

void
check_decided(struct check *check)
{
	struct gate *gate = check->gate;

	if (check->state == CHECK_ASKED)
		histogram_add(&gate->counters->decisions,
		    gate_now(gate) - check_decider(check)->now_us, 1);
	else if (check->state != CHECK_WAITING)
		gate->at_once++;
	check_set_state(check, CHECK_DECIDED);
	PROBE4(check_done, check, check->limit, check->decision.allowed,
	    check->decided_by);
}

/*
 * Deciding.
 */

void
check_conclude_unmatched(struct check *check)
{
	struct gate *gate = check->gate;
	enum unmatched unmatched = gate_unmatched(gate);

	counter_add(&gate->counters->unmatched, 1);
	check->limit = NULL;
	check->decision = (struct decision){
	    .allowed = unmatched == UNMATCHED_ALLOW,
	};
	if (check->decision.allowed)
		check->decision.taken = (int32_t)check_decider(check)->amount;
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

/* Clients that are denied at one moment should not all return at one moment. */
static int64_t
check_spread_retry(int64_t retry_us, int64_t percent)
{
	return retry_us == RETRY_NEVER
		   ? RETRY_NEVER
		   : retry_us + random_below(retry_us / 100 * percent + 1);
}

/* Whether a limit that is not in shadow would let it have less than it asks. */
static bool
check_falls_short(const struct query *query)
{
	return !query->decision.allowed ||
	       (query->op == OP_TAKE && query->decision.taken < query->amount);
}

void
check_tell(struct check *check, const struct query *query)
{
	check->limit = query->limit;
	check->decision = query->decision;
	check->decided_by = query->decided_by;
	check->shadow_denied = query->limit->shadow && check_falls_short(query);
	if (check->shadow_denied) {
		check->decision.allowed = true;
		check->decision.taken = (int32_t)query->amount;
		check->decision.retry_us = 0;
	} else if (!query->decision.allowed && query->limit->retry_jitter > 0 &&
		   query->op != OP_PEEK) {
		check->decision.retry_us = check_spread_retry(
		    query->decision.retry_us, query->limit->retry_jitter);
	}
}

/* Turn the result of its query into the decision for the client. */
void
check_conclude(struct check *check)
{
	const struct query *query = check_decider(check);

	check->outcome = check_outcome_of(query);
	check_tell(check, query);
	check_count(check);
	check_decided(check);
}

/* The store has decided, or cannot.  Return whether that decides the check. */
static bool
check_take_result(struct check *check, struct query *query)
{
	struct gate *gate = check->gate;

	if (gate->deny_cache)
		deny_cache_learn(gate->deny_cache, query);
	if (query->result == RESULT_UNAVAILABLE) {
		check_count_fallback(check, query);
		fallback_decide(gate, query);
	}
	if (query->op == OP_WAIT && query->decision.allowed &&
	    wait_begin(check, query->decision.retry_us))
		return false;
	check_conclude(check);
	return true;
}

static void
check_on_result(struct query *query)
{
	struct check *check = query->owner;

	if (check_take_result(check, query))
		check->done(check);
}

void
check_lack_memory(struct check *check)
{
	check->outcome = OUTCOME_NOMEMORY;
	check_set_state(check, CHECK_DECIDED);
}

bool
check_act(struct query *query)
{
	if (query->limit->action == ACTION_NONE)
		return false;
	decide(query->limit, query->op, query->amount, query->now_us, NULL,
	    &query->decision);
	query->result = query->op == OP_RESET ? RESULT_DONE : RESULT_DECISION;
	query->decided_by = DECIDED_BY_ACTION;
	return true;
}

/* Decide at once, or leave it to the store and return false. */
static bool
check_ask(struct check *check, struct query *query)
{
	struct gate *gate = check->gate;

	if (query->op == OP_WAIT && wait_open(check) == -1) {
		check_lack_memory(check);
		return true;
	}
	if (op_puts(query->op) && check_is_sampled(gate))
		check_take_sample(check, query);
	if (check_act(query) ||
	    (gate->deny_cache && deny_cache_decide(gate->deny_cache, query))) {
		check_conclude(check);
		return true;
	}
	if (!store_query(gate->store, query)) {
		check_set_state(check, CHECK_ASKED);
		return false;
	}
	return check_take_result(check, query);
}

/* The same, for the bucket of the key that its limit makes of this one. */
static bool
check_ask_normalized(struct check *check, struct query *query)
{
	char room[NORMALIZED_MAX];

	query->key = normalize_key(
	    query->limit, &query->key, check->gate->scratch, room);
	return check_ask(check, query);
}

static void
check_open(struct check *check)
{
	check_set_state(check, CHECK_OPEN);
	check->is_alone = false;
	check->charges_each = false;
	check->shows_each = false;
	check->snapshot = gate_acquire_snapshot(check->gate);
}

/* Give back what its queries hold. */
static void
check_drop_queries(struct check *check)
{
	const struct limit *limit = check->query.limit;

	if (check->joint)
		joint_free(check->joint);
	else if (limit && limit->is_inline)
		inline_limits_put(check->gate->inlines, limit);
	check->joint = NULL;
	if (check->wait)
		wait_close(check);
}

/*
 * The calls of the header.
 */

void
check_settle(struct check *check, bool allowed)
{
	struct counters *counters = check->gate->counters;

	check_open(check);
	check->query.limit = NULL;
	check->query.op = OP_CONSUME;
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
	check->query = (struct query){.op = OP_CONSUME};
	check_conclude_unmatched(check);
}

void
check_init_query(struct check *check, struct query *query, enum op op,
    const struct key *key, int64_t amount)
{
	query->rules = check->snapshot->rules;
	query->limit = NULL;
	query->key = *key;
	query->op = op;
	query->amount = amount;
	query->now_us = gate_now(check->gate);
	query->done = check_on_result;
	query->owner = check;
	query->mate = NULL;
	query->once = NULL;
}

void
check_add(struct check *check, enum op op, const char *key, size_t key_len,
    int64_t amount)
{
	const struct key made = key_make(key, key_len);

	check_open(check);
	check_init_query(check, &check->query, op, &made, amount);
}

void
check_set_wait(struct check *check, int64_t wait_us)
{
	check->query.op = OP_WAIT;
	check->query.wait_us = wait_us;
}

void
check_add_wait(struct check *check, const char *key, size_t key_len,
    int64_t amount, int64_t wait_us)
{
	check_add(check, OP_CONSUME, key, key_len, amount);
	check_set_wait(check, wait_us);
}

void
check_add_keys(struct check *check, enum op op, const struct check_key *keys,
    unsigned count)
{
	assert(count > 0 && count <= CHECK_KEYS_MAX);
	if (count == 1) {
		check_add(check, op, keys->bytes, keys->len, keys->amount);
		if (keys->capacity > 0)
			check_use_inline_limit(
			    check, keys->capacity, keys->recharge_ns);
		return;
	}
	check_open(check);
	check->query.limit = NULL;
	check->query.op = op;
	check->joint = joint_new(check, op, keys, count);
	if (!check->joint)
		check_lack_memory(check);
}

bool
check_is_spread(const struct check *check)
{
	return check->joint && joint_is_spread(check->joint);
}

bool
check_may_be_spread(const struct check *check)
{
	return check->joint && check->gate->store->has_places;
}

unsigned
check_query_count(const struct check *check)
{
	return check->joint ? joint_query_count(check->joint) : 1;
}

size_t
check_bytes(const struct check *check)
{
	return joint_bytes(check->joint) +
	       (check->query.op == OP_WAIT ? wait_bytes(check) : 0);
}

void
check_use_inline_limit(
    struct check *check, int64_t capacity, int64_t recharge_ns)
{
	struct query *query = &check->query;

	query->limit =
	    inline_limits_get(check->gate->inlines, capacity, recharge_ns);
	if (!query->limit)
		check_lack_memory(check);
}

void
check_prepare(struct check *check)
{
	struct gate *gate = check->gate;
	struct query *query = &check->query;

	if (check->state != CHECK_OPEN)
		return;
	check_set_state(check, CHECK_READY);
	if (check->joint) {
		joint_prepare(check);
		return;
	}
	if (!query->limit)
		query->limit =
		    rules_match(query->rules, &query->key, gate->scratch);
	if (op_names_lease(query->op) && check_lacks_leases(check))
		return;
	if (query->limit && query->limit->also && !check->is_alone &&
	    query->op != OP_RESET)
		joint_prepare(check);
	else if (query->op == OP_WAIT)
		wait_prepare(check, query);
}

void
check_prefetch_query(const struct check *check, const struct query *query)
{
	const struct gate *gate = check->gate;

	if (!query->limit || query->limit->action != ACTION_NONE)
		return;
	if (gate->deny_cache)
		deny_cache_prefetch(gate->deny_cache, query);
	store_prefetch(gate->store, query);
}

void
check_prefetch(const struct check *check)
{
	const struct limit *limit = check->query.limit;

	if (check->state != CHECK_READY)
		return;
	if (check->joint)
		joint_prefetch(check->joint);
	else if (limit && !limit->normalize)
		check_prefetch_query(check, &check->query);
}

bool
check_start(struct check *check)
{
	struct query *query = &check->query;

	check_prepare(check);
	if (check->state == CHECK_DECIDED)
		return true;
	if (check->joint)
		return joint_start(check->joint);
	PROBE4(check_start, check, query->key.bytes, query->key.len,
	    query->amount);
	if (query->limit && query->limit->normalize)
		return check_ask_normalized(check, query);
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

const struct query *
check_joint_decider(const struct check *check)
{
	return joint_decider(check->joint);
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
	    [DECIDED_BY_ACTION] = "action",
	};

	return names[decided_by];
}
