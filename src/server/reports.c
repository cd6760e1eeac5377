/*
 * The rows of each report.
 * Invariant: a row is one whole line, and a report has as many as it counts.
 * The heart: reports_explain_row() and reports_limits_row().
 */
#include "server/reports.h"

#include "base/num.h"
#include "gate/gate.h"
#include "limit/also.h"
#include "limit/normalize.h"
#include "limit/override.h"
#include "limit/algorithm.h"
#include "server/clients.h"
#include "store/redis/field.h"
#include "store/redis/key_secrets.h"
#include "store/redis/redis_store.h"

static const char *
reports_kind_name(const struct limit *limit)
{
	static const char *const names[] = {
	    [MATCH_EXACT] = "exact",
	    [MATCH_PREFIX] = "prefix",
	    [MATCH_GLOB] = "glob",
	    [MATCH_REGEX] = "regex",
	};

	return limit->segments && limit->kind == MATCH_GLOB
		   ? "segments"
		   : names[limit->kind];
}

/* Limits before the one that applies; all, if none does. */
static size_t
reports_count_passed_over(const struct check *check)
{
	if (check->limit && check->limit->override)
		return 0; /* it is in front of all */
	return check->limit ? check->limit->order
			    : rules_count(check_decider(check)->rules);
}

/* Why such a limit does not apply. */
static int
reports_explain_passed_over(
    struct buf *out, const struct check *check, size_t order)
{
	const struct limit *limit =
	    rules_at(check_decider(check)->rules, order);

	return buf_printf(out, "not %s: no match (%s %s)\n", limit->name,
	    reports_kind_name(limit), limit->match);
}

static int
reports_explain_match(struct buf *out, struct gate *gate,
    const struct rules *rules, const struct limit *limit, const struct key *key)
{
	const char *why =
	    limit_matches(limit, key, gate->scratch) == MATCH_TOO_HARD
		? "; too hard to try, which counts as a match"
		: "";

	const struct limit *found =
	    rules_find_override(rules, key, gate->scratch);

	return buf_printf(out, "limit %s: match (%s %s%s)%s%s\n", limit->name,
	    reports_kind_name(limit), limit->match, why,
	    found ? ", override " : "", found ? found->override->note : "");
}

static int
reports_explain_place(struct buf *out, struct gate *gate,
    const struct query *query, const struct key *key)
{
	const struct gateway *gateway = gate->gateway;
	const struct placing *placing = gateway->placing;
	struct key_secrets *secrets = gateway->options->redis.secrets;
	char hash[FIELD_HASH_MAX], shown[KEY_SHOWN_MAX];
	char name[KEY_NAME_LEN + 1];

	if (query->limit->action != ACTION_NONE)
		return buf_printf(out, "store none: no bucket is asked\n");
	if (gateway->options->store == STORE_MEMORY)
		return buf_printf(out, "store memory\n");
	field_hash_name(placing->redis.prefix,
	    partition_tag(&placing->topology.partitions,
		topology_partition_of(
		    &placing->topology, key->bytes, key->len)),
	    key_secrets_limit_name(secrets, query->limit, name), query->limit,
	    hash);
	if (secrets)
		key_secrets_show(secrets, query->limit, key, shown);
	else
		key_show(shown, key->bytes, key->len);
	return buf_printf(out, "store redis %s, field %s of hash %s%s\n",
	    query->decided_by == DECIDED_BY_REDIS ? "(replies)"
						  : "(does not reply)",
	    shown, hash, query->limit->deny_cache ? "" : ", no deny cache");
}

static int
reports_debt(struct buf *out, const struct limit *limit)
{
	return limit->debt == 0
		   ? 0
		   : buf_printf(out, " debt=%lld", (long long)limit->debt);
}

static int
reports_explain_bucket(struct buf *out, const struct query *query)
{
	const struct limit *limit = query->limit;
	const struct decision *decision = &query->decision;
	char empty[NUM_MAX_LEN + 1], blocked[NUM_MAX_LEN + 1];

	if (buf_printf(out,
		"bucket level=%lld capacity=%lld empty=%s blocked=%s from=%s",
		(long long)decision->level, (long long)limit->capacity,
		num_seconds(empty, decision->empty_us),
		num_seconds(blocked, decision->blocked_us),
		decided_by_name(query->decided_by)) == -1 ||
	    reports_debt(out, limit) == -1)
		return -1;
	return buf_printf(out, "\n");
}

/* The rows of the limit that applies; behind them, one for each key that it
 * charges too. */
enum { EXPLAIN_MATCH, EXPLAIN_PLACE, EXPLAIN_BUCKET, EXPLAIN_ROWS };

/* A limit that normalizes keys has one more behind the first. */
static size_t
reports_explain_extra(const struct limit *limit)
{
	return limit->normalize != 0;
}

static int
reports_explain_normalized(struct buf *out, const struct key *key)
{
	char text[KEY_SHOWN_MAX];

	return buf_printf(
	    out, "normalized %s\n", key_show(text, key->bytes, key->len));
}

static int
reports_explain_also(struct buf *out, struct gate *gate,
    const struct query *query, const struct key *key, size_t i)
{
	struct also_key keys[ALSO_MAX];
	const struct limit *limit;
	struct key also;
	char text[KEY_SHOWN_MAX];

	if (also_write_keys(query->limit, key, gate->scratch, keys) == -1)
		return buf_printf(out, "also a key that is too long\n");
	also = key_make(keys[i].bytes, keys[i].len);
	limit = rules_match(query->rules, &also, gate->scratch);
	return buf_printf(out, "also %s: limit %s\n",
	    key_show(text, also.bytes, also.len), limit ? limit->name : "-");
}

static int
reports_explain_limit(const struct slot *slot, size_t i, struct buf *out)
{
	struct gate *gate = slot->cache->gate;
	const struct query *query = check_decider(&slot->check);
	const struct key key = {slot->bytes, slot->len, query->key.hash};
	char room[NORMALIZED_MAX];
	struct key bucket;

	if (!query->limit)
		return buf_printf(out, "limit -: no limit matches\n");
	if (i == EXPLAIN_MATCH)
		return reports_explain_match(
		    out, gate, query->rules, query->limit, &key);
	bucket = normalize_key(query->limit, &key, gate->scratch, room);
	if (i == reports_explain_extra(query->limit))
		return reports_explain_normalized(out, &bucket);
	i -= reports_explain_extra(query->limit);
	if (i == EXPLAIN_PLACE)
		return reports_explain_place(out, gate, query, &bucket);
	if (i == EXPLAIN_BUCKET)
		return reports_explain_bucket(out, query);
	return reports_explain_also(out, gate, query, &key, i - EXPLAIN_ROWS);
}

static size_t
reports_explain_count(const struct slot *slot)
{
	const struct check *check = &slot->check;
	const struct limit *limit = check_decider(check)->limit;

	return 1 + reports_count_passed_over(check) +
	       (limit ? EXPLAIN_ROWS + reports_explain_extra(limit) +
			    also_count(limit)
		      : 1);
}

static int
reports_explain_row(struct slot *slot, size_t i, struct buf *out)
{
	size_t passed_over = reports_count_passed_over(&slot->check);
	char text[KEY_SHOWN_MAX];

	if (i == 0)
		return buf_printf(
		    out, "key %s\n", key_show(text, slot->bytes, slot->len));
	if (i <= passed_over)
		return reports_explain_passed_over(out, &slot->check, i - 1);
	return reports_explain_limit(slot, i - 1 - passed_over, out);
}

const struct report reports_explain = {
    .count = reports_explain_count, .row = reports_explain_row};

/*
 * LIMITS.
 */

struct counts {
	struct buf *out;
	int result;
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

static int
reports_share(struct buf *out, const struct limit *limit)
{
	return limit->max_buckets == 0 ? 0
				       : buf_printf(out, " max_buckets=%lld",
					     (long long)limit->max_buckets);
}

static size_t
reports_limits_count(const struct slot *slot)
{
	return rules_count(slot->report.snapshot->rules);
}

static int
reports_limits_row(struct slot *slot, size_t i, struct buf *out)
{
	const struct rules_snapshot *snapshot = slot->report.snapshot;
	const struct limit *limit = rules_at(snapshot->rules, i);

	if (buf_printf(out, "%s algorithm=%s capacity=%lld ", limit->name,
		limit->algorithm->name, (long long)limit->capacity) == -1 ||
	    limit->algorithm->describe(limit, out) == -1 ||
	    buf_printf(out, " on_error=%s shadow=%s%s",
		on_error_name(limit->on_error), limit->shadow ? "yes" : "no",
		limit->deny_cache ? "" : " deny_cache=no") == -1 ||
	    reports_share(out, limit) == -1 || reports_debt(out, limit) == -1 ||
	    reports_counts(out, snapshot, limit->order) == -1)
		return -1;
	return buf_printf(out, "%s match=%s\n",
	    limit->segments ? " segments=yes" : "", limit->match);
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
