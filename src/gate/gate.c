#include "gate/gate.h"

#include <stdlib.h>

/* Most decisions that a worker records a second, since each takes a lock. */
#define RECORDS_MAX 2000

static struct rules_snapshot *
gate_new_snapshot(struct gateway *gateway, size_t number, unsigned *generation)
{
	struct rules_snapshot *snapshot = calloc(1, sizeof(*snapshot));

	if (snapshot)
		snapshot->rules = gateway_get_rules(
		    gateway, number, &snapshot->limit_stats, generation);
	return snapshot;
}

void
gate_free_snapshot(struct rules_snapshot *snapshot)
{
	rules_unref(snapshot->rules);
	limit_stats_unref(snapshot->limit_stats);
	free(snapshot);
}

int
gate_init(struct gate *gate, struct gateway *gateway, size_t worker,
    struct store *store, struct loop *loop)
{
	*gate = (struct gate){
	    .gateway = gateway,
	    .worker = worker,
	    .counters = &gateway->counters[worker],
	    .store = store,
	    .record_left = RECORDS_MAX,
	};
	if (waits_init(&gate->waits, loop, gate->counters) == -1)
		return -1;
	top_pace_start(&gate->pace);
	gate->scratch = rules_scratch_new();
	gate->snapshot = gate_new_snapshot(gateway, worker, &gate->generation);
	gate->inlines = inline_limits_new();
	if (gateway->options->store == STORE_REDIS) {
		gate->deny_cache =
		    deny_cache_new(gateway->deny_marks, clock_us);
		if (!gate->deny_cache)
			return -1;
	}
	return gate->scratch && gate->snapshot && gate->inlines ? 0 : -1;
}

void
gate_clear(struct gate *gate)
{
	waits_clear(&gate->waits);
	rules_scratch_free(gate->scratch);
	samples_clear(&gate->samples);
	deny_cache_free(gate->deny_cache);
	if (gate->snapshot)
		gate_free_snapshot(gate->snapshot);
	inline_limits_free(gate->inlines);
	gate->scratch = NULL;
	gate->deny_cache = NULL;
	gate->snapshot = NULL;
	gate->inlines = NULL;
}

void
gate_end_second(struct gate *gate)
{
	top_pace_end_second(&gate->pace);
	gate->record_left = RECORDS_MAX;
	if (gate->unrecorded > 0)
		recent_skip(gate->gateway->recent, gate->unrecorded);
	gate->unrecorded = 0;
	top_age(gate->gateway->tops[gate->worker], gate_now(gate));
}

/* The clock is read once for all of them, so that none waits for it. */
void
gate_time_checks(struct gate *gate)
{
	histogram_add(&gate->counters->decisions, clock_us() - gate_now(gate),
	    gate->at_once);
	gate->at_once = 0;
}

bool
gate_update_rules(struct gate *gate)
{
	struct rules_snapshot *snapshot;

	if (atomic_load_explicit(&gate->gateway->generation,
		memory_order_acquire) == gate->generation)
		return false;
	snapshot =
	    gate_new_snapshot(gate->gateway, gate->worker, &gate->generation);
	if (!snapshot)
		return false; /* the next turn tries again */
	if (gate->snapshot->users == 0)
		gate_free_snapshot(gate->snapshot);
	gate->snapshot = snapshot;
	if (gate->deny_cache)
		deny_cache_empty(gate->deny_cache);
	return true;
}
