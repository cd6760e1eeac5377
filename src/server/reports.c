/*
 * The rows of each report.
 * Invariant: a row is one whole line, and a report has as many as it counts.
 * The heart: reports_limits_row(), and the table of gauges.
 */
#include "server/reports.h"

#include "gate/gate.h"
#include "limit/algorithm.h"
#include "server/clients.h"
#include "server/override_text.h"
#include "store/redis/redis_store.h"

#include <string.h>

/*
 * LIMITS.
 */

int
reports_write_debt(struct buf *out, const struct limit *limit)
{
	return limit->debt == 0
		   ? 0
		   : buf_printf(out, " debt=%lld", (long long)limit->debt);
}

/* Rows of a table, which are written as they are visited. */
struct counts {
	struct buf *out;
	int result; /* -1: memory ran out */
};

static void
reports_write_count(const char *name, uint64_t sum, void *arg)
{
	struct counts *counts = arg;

	if (buf_printf(
		counts->out, " %s=%llu", name, (unsigned long long)sum) == -1)
		counts->result = -1;
}

static int
reports_counts(
    struct buf *out, const struct rules_snapshot *snapshot, unsigned order)
{
	struct counts counts = {out, 0};

	if (snapshot->limit_stats)
		limit_stats_each(
		    snapshot->limit_stats, order, reports_write_count, &counts);
	return counts.result;
}

/* Words that LIMITS shows as they are written, if they are not the default. */
static void
reports_write_word(const char *word, const char *value, void *arg)
{
	static const char *const shown[] = {
	    "normalize", "also", "retry_jitter", "id_memory"};
	struct counts *counts = arg;

	for (size_t i = 0; i < COUNT(shown); i++)
		if (strcmp(shown[i], word) == 0 &&
		    buf_printf(counts->out, " %s=%s", word, value) == -1)
			counts->result = -1;
}

static int
reports_words(struct buf *out, const struct limit *limit)
{
	struct counts counts = {out, 0};

	limit_each_word(limit, reports_write_word, &counts);
	return counts.result;
}

static int
reports_share(struct buf *out, const struct limit *limit)
{
	return limit->max_buckets == 0 ? 0
				       : buf_printf(out, " max_buckets=%lld",
					     (long long)limit->max_buckets);
}

/* Overrides come first, as they do where a key is looked up. */
static size_t
reports_limits_count(const struct slot *slot)
{
	const struct rules *rules = slot->report.snapshot->rules;

	return rules_override_count(rules) + rules_count(rules);
}

static int
reports_limit(struct buf *out, const struct rules_snapshot *snapshot, size_t i)
{
	const struct limit *limit = rules_at(snapshot->rules, i);

	if (buf_printf(out, "%s algorithm=%s capacity=%lld ", limit->name,
		limit->algorithm->name, (long long)limit->capacity) == -1 ||
	    limit->algorithm->describe(limit, out) == -1 ||
	    buf_printf(out, " on_error=%s shadow=%s%s",
		on_error_name(limit->on_error), limit->shadow ? "yes" : "no",
		limit->deny_cache ? "" : " deny_cache=no") == -1 ||
	    reports_share(out, limit) == -1 ||
	    reports_write_debt(out, limit) == -1 ||
	    reports_words(out, limit) == -1 ||
	    reports_counts(out, snapshot, limit->order) == -1)
		return -1;
	return buf_printf(out, "%s match=%s\n",
	    limit->segments ? " segments=yes" : "", limit->match);
}

static int
reports_limits_row(struct slot *slot, size_t i, struct buf *out)
{
	const struct rules_snapshot *snapshot = slot->report.snapshot;
	size_t overrides = rules_override_count(snapshot->rules);

	return i < overrides ? override_text_add(out, NULL, snapshot, i)
			     : reports_limit(out, snapshot, i - overrides);
}

const struct report reports_limits = {
    .count = reports_limits_count, .row = reports_limits_row};

/*
 * STATS.
 */

/* Each gauge has a function of its name, for the table below. */

static uint64_t
reports_get_uptime_seconds(const struct slot *slot)
{
	struct gate *gate = slot->cache->gate;

	return (uint64_t)(gate_now(gate) - gate->gateway->started_us) / 1000000;
}

static uint64_t
reports_get_workers(const struct slot *slot)
{
	return slot->cache->gate->gateway->workers;
}

static uint64_t
reports_get_clients(const struct slot *slot)
{
	return slot->cache->clients->count;
}

static uint64_t
reports_get_limits(const struct slot *slot)
{
	return rules_count(slot->cache->gate->snapshot->rules);
}

static uint64_t
reports_get_overrides(const struct slot *slot)
{
	return override_text_count(slot->cache->gate->snapshot->rules);
}

static uint64_t
reports_get_redis_ready(const struct slot *slot)
{
	const struct gate *gate = slot->cache->gate;

	return gate->gateway->options->store == STORE_REDIS &&
	       redis_store_is_ready(gate->store);
}

static uint64_t
reports_get_memory_buckets(const struct slot *slot)
{
	return memory_buckets(slot->cache->gate->gateway->memory);
}

static uint64_t
reports_get_memory_full(const struct slot *slot)
{
	return memory_full(slot->cache->gate->gateway->memory);
}

static uint64_t
reports_get_reloads(const struct slot *slot)
{
	return slot->cache->gate->gateway->reloads;
}

static uint64_t
reports_get_reload_errors(const struct slot *slot)
{
	return slot->cache->gate->gateway->reload_errors;
}

/* The sum of the gauge at ${offset} of the counters, of all gates. */
static uint64_t
reports_sum(const struct slot *slot, size_t offset)
{
	const struct gateway *gateway = slot->cache->gate->gateway;
	uint64_t sum = 0;

	for (size_t i = 0; i < gateway->gates; i++)
		sum += *(const _Atomic uint64_t
			*)((const char *)&gateway->counters[i] + offset);
	return sum;
}

static uint64_t
reports_get_clients_waiting(const struct slot *slot)
{
	return reports_sum(slot, offsetof(struct counters, clients_waiting));
}

static uint64_t
reports_get_waits(const struct slot *slot)
{
	return reports_sum(slot, offsetof(struct counters, waits));
}

static uint64_t
reports_get_longest_wait_us(const struct slot *slot)
{
	const struct gateway *gateway = slot->cache->gate->gateway;
	uint64_t longest = 0;

	for (size_t i = 0; i < gateway->workers; i++) {
		uint64_t wait = gateway->counters[i].longest_wait_us;

		longest = wait > longest ? wait : longest;
	}
	return longest;
}

enum protocol_error
reports_readiness(const struct slot_cache *cache, const char **word)
{
	const struct gate *gate = cache->gate;
	const struct gateway_options *options = gate->gateway->options;
	bool redis = options->store == STORE_REDIS;
	bool fallback = redis && !redis_store_is_ready(gate->store);

	*word = fallback ? "READY fallback"
		: redis  ? "READY redis"
			 : "READY memory";
	if (cache->clients->draining)
		return ERROR_DRAINING;
	/* An empty set that was read is one that is allowed to be. */
	if (gate->generation == 0 && rules_count(gate->snapshot->rules) == 0)
		return ERROR_NOLIMITS;
	return fallback && !options->ready_on_fallback ? ERROR_FALLBACK
						       : ERROR_NONE;
}

static const struct {
	struct metric metric;
	uint64_t (*get)(const struct slot *slot);
} gauges[] = {
#define X(name, type, unit, help)                                              \
	{{#name, METRIC_##type, UNIT_##unit, help}, reports_get_##name},
    GAUGES(X)
#undef X
};

const struct metric *
reports_stat(const struct slot *slot, size_t i, uint64_t *value)
{
	const struct gateway *gateway = slot->cache->gate->gateway;
	size_t counter = i - COUNT(gauges);

	if (i < COUNT(gauges)) {
		*value = gauges[i].get(slot);
		return &gauges[i].metric;
	}
	if (counter >= COUNTER_COUNT)
		return NULL;
	*value = counters_sum(gateway->counters, gateway->gates, counter);
	return &counter_rows[counter];
}

static size_t
reports_stats_count(const struct slot *slot)
{
	(void)slot;
	return COUNT(gauges) + COUNTER_COUNT;
}

static int
reports_stats_row(struct slot *slot, size_t i, struct buf *out)
{
	uint64_t value;
	const struct metric *metric = reports_stat(slot, i, &value);

	return buf_printf(
	    out, "%s %llu\n", metric->name, (unsigned long long)value);
}

const struct report reports_stats = {
    .count = reports_stats_count, .row = reports_stats_row};

/*
 * HELP.
 */

static size_t
reports_help_count(const struct slot *slot)
{
	return verbs_help_count(slot->protocol->families);
}

static int
reports_help_row(struct slot *slot, size_t i, struct buf *out)
{
	return verbs_help_row(out, slot->protocol->families, i);
}

const struct report reports_help = {
    .count = reports_help_count, .row = reports_help_row};
