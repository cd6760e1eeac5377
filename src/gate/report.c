#include "gate/report.h"

#include "base/num.h"
#include "store/field.h"
#include "wire/line.h"

static const char *
kind_name(enum match_kind kind)
{
	static const char *const names[] = {
	    [MATCH_EXACT] = "exact",
	    [MATCH_PREFIX] = "prefix",
	    [MATCH_GLOB] = "glob",
	    [MATCH_REGEX] = "regex",
	};

	return names[kind];
}

/* Times as in the replies: seconds with six decimals. */
static const char *
seconds(char *to, int64_t us)
{
	to[num_write_seconds(to, us)] = '\0';
	return to;
}

/* Why the limits before the one that applies do not. */
static int
explain_passed_over(struct buf *out, const struct passage *passage)
{
	const struct rules *rules = passage->ask.rules;
	const struct limit *found = passage->ask.limit;
	size_t count = found ? found->order : rules_count(rules);

	for (size_t i = 0; i < count; i++) {
		const struct limit *limit = rules_at(rules, i);

		if (buf_printf(out, "not %s: the key is not %s %s\n",
			limit->name, kind_name(limit->kind),
			limit->match) == -1)
			return -1;
	}
	return 0;
}

static int
explain_match(struct buf *out, struct gate *gate, const struct limit *limit,
    const struct key *key)
{
	const char *why =
	    limit_matches(limit, key, gate->scratch) == MATCH_TOO_HARD
		? ", which is too hard to try, and so counts as a match"
		: "";

	return buf_printf(out, "limit %s: the key is %s %s%s\n", limit->name,
	    kind_name(limit->kind), limit->match, why);
}

static int
explain_place(struct buf *out, struct gate *gate, const struct ask *ask,
    const char *key)
{
	const struct gate_options *options = gate->shared->options;
	char hash[FIELD_HASH_MAX];

	if (options->store == STORE_MEMORY)
		return buf_printf(out, "store memory\n");
	field_hash_name(options->remote.prefix, ask->limit, hash);
	return buf_printf(out, "store redis %s, field %s of hash %s%s\n",
	    ask->from == FROM_REDIS ? "(answers)" : "(does not answer)", key,
	    hash, ask->limit->deny_cache ? "" : ", no deny cache");
}

static int
explain_bucket(struct buf *out, const struct ask *ask)
{
	const struct limit *limit = ask->limit;
	const struct decision *decision = &ask->decision;
	int64_t empty_us = decision->next_us;
	char empty[NUM_MAX_LEN + 1], blocked[NUM_MAX_LEN + 1];

	if (limit->algorithm == ALGORITHM_LEAKY_BUCKET && decision->level > 0)
		empty_us += (decision->level - 1) * limit->recharge_us;
	return buf_printf(out,
	    "bucket level=%lld capacity=%lld empty=%s blocked=%s from=%s\n",
	    (long long)decision->level, (long long)limit->capacity,
	    seconds(empty, empty_us), seconds(blocked, decision->blocked_us),
	    from_name(ask->from));
}

int
report_explain(struct buf *out, struct gate *gate,
    const struct passage *passage, const char *text)
{
	const struct ask *ask = &passage->ask;
	const struct key key = {text, ask->key.len, ask->key.hash};

	if (buf_printf(out, "key %s\n", text) == -1 ||
	    explain_passed_over(out, passage) == -1)
		return -1;
	if (!ask->limit)
		return buf_printf(out, "limit -: no limit matches\nEND\n");
	if (explain_match(out, gate, ask->limit, &key) == -1 ||
	    explain_place(out, gate, ask, text) == -1 ||
	    explain_bucket(out, ask) == -1)
		return -1;
	return buf_printf(out, "END\n");
}

static int
describe_limit(struct buf *out, const struct limit *limit)
{
	char first[NUM_MAX_LEN + 1], second[NUM_MAX_LEN + 1];

	if (limit->algorithm == ALGORITHM_FIXED_WINDOW)
		return buf_printf(out, "window=%s",
		    seconds(first, limit->window_us));
	return buf_printf(out, "recharge=%s block=%s",
	    seconds(first, limit->recharge_us),
	    seconds(second, limit->block_us));
}

struct stats {
	struct buf *out;
	int result;
};

static void
write_count(const char *name, uint64_t sum, void *arg)
{
	struct stats *stats = arg;

	if (buf_printf(stats->out, " %s=%llu", name,
		(unsigned long long)sum) == -1)
		stats->result = -1;
}

static int
report_counts(struct buf *out, const struct held_rules *held, unsigned order)
{
	struct stats stats = {out, 0};

	if (held->tallies)
		tallies_each(held->tallies, order, write_count, &stats);
	return stats.result;
}

int
report_limits(struct buf *out, struct gate *gate)
{
	const struct rules *rules = gate->held->rules;

	for (size_t i = 0; i < rules_count(rules); i++) {
		const struct limit *limit = rules_at(rules, i);

		if (buf_printf(out, "%s algorithm=%s capacity=%lld ",
			limit->name, algorithm_name(limit->algorithm),
			(long long)limit->capacity) == -1 ||
		    describe_limit(out, limit) == -1 ||
		    buf_printf(out, " on_error=%s shadow=%s%s",
			on_error_name(limit->on_error),
			limit->shadow ? "yes" : "no",
			limit->deny_cache ? "" : " deny_cache=no") == -1 ||
		    report_counts(out, gate->held, limit->order) == -1 ||
		    buf_printf(out, " match=%s\n", limit->match) == -1)
			return -1;
	}
	return buf_printf(out, "END\n");
}

static void
write_stat(const char *name, const char *help, uint64_t sum, void *arg)
{
	struct stats *stats = arg;

	(void)help;
	if (buf_printf(stats->out, "%s %llu\n", name,
		(unsigned long long)sum) == -1)
		stats->result = -1;
}

int
report_stats(struct buf *out, struct gate *gate)
{
	const struct shared *shared = gate->shared;
	struct stats stats = {out, 0};
	bool redis = shared->options->store == STORE_REDIS;

	write_stat("uptime_seconds", NULL,
	    (uint64_t)(gate_now(gate) - shared->started_us) / 1000000, &stats);
	write_stat("workers", NULL, shared->workers, &stats);
	write_stat("clients", NULL, shared->clients, &stats);
	write_stat("limits", NULL, rules_count(gate->held->rules), &stats);
	write_stat("redis_ready", NULL,
	    redis && remote_is_ready(gate->store), &stats);
	write_stat("memory_buckets", NULL, memory_buckets(shared->memory),
	    &stats);
	write_stat("memory_full", NULL, memory_full(shared->memory), &stats);
	metrics_each(shared->metrics, shared->workers, write_stat, &stats);
	if (stats.result == -1)
		return -1;
	return buf_printf(out, "END\n");
}
