#include "gate/check_internal.h"
#include "gate/gate.h"
#include "gate/sample.h"

#include <assert.h>
#include <string.h>

void
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

void
check_sample(struct check *check, const struct query *query)
{
	if (check_is_sampled(check->gate))
		check_take_sample(check, query);
	if (check->sample)
		check_look(check, query);
}

static void
check_record(
    const struct check *check, const struct query *query, const struct key *key)
{
	struct gate *gate = check->gate;
	const struct limit *limit = check->limit;
	struct recent_entry entry = {.at_us = gate_now(gate),
	    .allowed = check->decision.allowed,
	    .from = decided_by_name(check->decided_by),
	    .amount = query->amount,
	    .level = check->decision.level,
	    .retry_us = check->decision.retry_us};

	assert(limit); /* without one, no check is looked at */
	entry.capacity = limit->capacity;
	strcpy(entry.limit, limit->name);
	recent_add(gate->gateway->recent, &entry, key, gate->unrecorded);
	gate->unrecorded = 0;
}

void
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
		check_record(check, query, &key);
	samples_put(&gate->samples, sample);
	check->sample = NULL;
}
