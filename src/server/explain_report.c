/*
 * Job: the rows of EXPLAIN.
 * Invariant: the rows of the key itself are the same whether its limit charges
 * other keys or not, but for fields at the end; each of those has one row.
 * The heart: explain_row().
 */
#include "server/explain_report.h"

#include "base/num.h"
#include "gate/gate.h"
#include "limit/algorithm.h"
#include "limit/also.h"
#include "limit/normalize.h"
#include "limit/override.h"
#include "server/explain_upstream.h"
#include "server/reports.h"
#include "store/redis/field.h"
#include "store/redis/key_secrets.h"

/*
 * The parts of the check: number 0 is the key itself, and behind it are those
 * that its limit charges too.
 */

/* NULL: the part has no limit, or there was no memory to ask for it. */
static const struct query *
explain_part(const struct slot *slot, size_t part)
{
	const struct check *check = &slot->check;

	return part == 0 || check->joint ? check_query_of(check, (unsigned)part)
					 : NULL;
}

static size_t
explain_also_count(const struct slot *slot)
{
	const struct query *query = explain_part(slot, 0);

	return query ? also_count(query->limit) : 0;
}

/* The part that decides.  A key without a limit does, if it may not pass. */
static size_t
explain_decider(const struct slot *slot)
{
	const struct check *check = &slot->check;
	size_t count = 1 + explain_also_count(slot), decider = count;

	for (size_t part = 0; part < count; part++) {
		const struct query *query = explain_part(slot, part);

		if (query ? decider == count && query == check_decider(check)
			  : gate_unmatched(check->gate) != UNMATCHED_ALLOW)
			decider = part;
	}
	return decider;
}

/* What becomes of one drop more by this part, which decides. */
static const char *
explain_verdict(const struct slot *slot, size_t part)
{
	static const char *const unmatched[] = {
	    [UNMATCHED_ALLOW] = "ALLOW",
	    [UNMATCHED_DENY] = "DENY",
	    [UNMATCHED_ERROR] = "ERR",
	};
	const struct check *check = &slot->check;

	if (!explain_part(slot, part))
		return unmatched[gate_unmatched(check->gate)];
	return check->decision.allowed ? "ALLOW" : "DENY";
}

/* Behind the figures of a part: what makes it decide, or not. */
static int
explain_role(struct buf *out, const struct slot *slot, size_t part)
{
	const struct query *query = explain_part(slot, part);

	if (!slot->check.joint)
		return 0;
	if (query && query->limit->shadow &&
	    buf_printf(out, " shadow=yes") == -1)
		return -1;
	return explain_decider(slot) == part
		   ? buf_printf(out, " decides=%s", explain_verdict(slot, part))
		   : 0;
}

static int
explain_figures(struct buf *out, const struct query *query)
{
	const struct limit *limit = query->limit;
	const struct decision *decision = &query->decision;
	char empty[NUM_MAX_LEN + 1], blocked[NUM_MAX_LEN + 1];

	if (buf_printf(out,
		" level=%lld capacity=%lld empty=%s blocked=%s from=%s ",
		(long long)decision->level, (long long)limit->capacity,
		num_seconds(empty, decision->empty_us),
		num_seconds(blocked, decision->blocked_us),
		decided_by_name(query->decided_by)) == -1 ||
	    limit->algorithm->describe(limit, out) == -1)
		return -1;
	return reports_write_debt(out, limit);
}

/*
 * Limits that do not apply.
 */

static const char *
explain_kind_name(const struct limit *limit)
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

static const struct rules *
explain_rules(const struct slot *slot)
{
	return check_decider(&slot->check)->rules;
}

/* Limits before the one that applies; all, if none does. */
static size_t
explain_count_passed_over(const struct slot *slot)
{
	const struct query *query = explain_part(slot, 0);

	if (!query)
		return rules_count(explain_rules(slot));
	return query->limit->override ? 0 /* it is in front of all */
				      : query->limit->order;
}

/* Why such a limit does not apply. */
static int
explain_passed_over(const struct slot *slot, size_t order, struct buf *out)
{
	const struct limit *limit = rules_at(explain_rules(slot), order);

	return buf_printf(out, "not %s: no match (%s %s)\n", limit->name,
	    explain_kind_name(limit), limit->match);
}

/*
 * The limit that does.
 */

static int
explain_match(const struct slot *slot, const struct query *query,
    const struct key *key, struct buf *out)
{
	struct rules_scratch *scratch = slot->cache->gate->scratch;
	const struct limit *limit = query->limit;
	const struct limit *found =
	    rules_find_override(query->rules, key, scratch);
	const char *why = limit_matches(limit, key, scratch) == MATCH_TOO_HARD
			      ? "; too hard to try, which counts as a match"
			      : "";

	return buf_printf(out, "limit %s: match (%s %s%s)%s%s\n", limit->name,
	    explain_kind_name(limit), limit->match, why,
	    found ? ", override " : "", found ? found->override->note : "");
}

static int
explain_normalized(struct buf *out, const struct key *bucket)
{
	char text[KEY_SHOWN_MAX];

	return buf_printf(
	    out, "normalized %s\n", key_show(text, bucket->bytes, bucket->len));
}

static int
explain_place(const struct slot *slot, const struct query *query,
    const struct key *bucket, struct buf *out)
{
	const struct gateway *gateway = slot->cache->gate->gateway;
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
		    &placing->topology, bucket->bytes, bucket->len)),
	    key_secrets_limit_name(secrets, query->limit, name), query->limit,
	    hash);
	if (secrets)
		key_secrets_show(secrets, query->limit, bucket, shown);
	else
		key_show(shown, bucket->bytes, bucket->len);
	return buf_printf(out, "store redis %s, field %s of hash %s%s\n",
	    query->decided_by == DECIDED_BY_REDIS ? "(replies)"
						  : "(does not reply)",
	    shown, hash, query->limit->deny_cache ? "" : ", no deny cache");
}

static int
explain_bucket(
    const struct slot *slot, const struct query *query, struct buf *out)
{
	if (buf_printf(out, "bucket") == -1 ||
	    explain_figures(out, query) == -1 ||
	    explain_role(out, slot, 0) == -1)
		return -1;
	return buf_printf(out, "\n");
}

/* The rows of the limit that applies. */
enum { EXPLAIN_MATCH, EXPLAIN_PLACE, EXPLAIN_BUCKET, EXPLAIN_ROWS };

/* One that normalizes keys has one more behind the first. */
static size_t
explain_extra(const struct limit *limit)
{
	return limit->normalize != 0;
}

static int
explain_limit(const struct slot *slot, size_t i, struct buf *out)
{
	const struct query *query = explain_part(slot, 0);
	const struct key key = key_make(slot->bytes, slot->len);
	char room[NORMALIZED_MAX];
	struct key bucket;

	if (i == EXPLAIN_MATCH)
		return explain_match(slot, query, &key, out);
	bucket =
	    normalize_key(query->limit, &key, slot->cache->gate->scratch, room);
	if (i == explain_extra(query->limit))
		return explain_normalized(out, &bucket);
	return i - explain_extra(query->limit) == EXPLAIN_PLACE
		   ? explain_place(slot, query, &bucket, out)
		   : explain_bucket(slot, query, out);
}

/*
 * The keys that it charges too.
 */

/* What the row of the key itself says elsewhere. */
static int
explain_also_details(const struct slot *slot, const struct query *query,
    const struct key *key, struct buf *out)
{
	const struct limit *found =
	    rules_find_override(query->rules, key, slot->cache->gate->scratch);
	char text[KEY_SHOWN_MAX];

	if (query->limit->normalize &&
	    buf_printf(out, " normalized=%s",
		key_show(text, query->key.bytes, query->key.len)) == -1)
		return -1;
	return found ? buf_printf(out, " override=%s", found->override->note)
		     : 0;
}

static int
explain_also_part(const struct slot *slot, size_t part, const struct key *key,
    struct buf *out)
{
	const struct query *query = explain_part(slot, part);
	const struct limit *limit =
	    rules_match(explain_rules(slot), key, slot->cache->gate->scratch);
	char text[KEY_SHOWN_MAX];

	if (buf_printf(out, "also %s: limit %s",
		key_show(text, key->bytes, key->len),
		limit ? limit->name : "-") == -1 ||
	    (query && explain_figures(out, query) == -1) ||
	    explain_role(out, slot, part) == -1 ||
	    (query && explain_also_details(slot, query, key, out) == -1))
		return -1;
	return buf_printf(out, "\n");
}

static int
explain_also(const struct slot *slot, size_t part, struct buf *out)
{
	const struct key key = key_make(slot->bytes, slot->len);
	struct also_key keys[ALSO_MAX];
	struct key also;

	if (also_write_keys(explain_part(slot, 0)->limit, &key,
		slot->cache->gate->scratch, keys) == -1)
		return buf_printf(out, "also a key that is too long\n");
	also = key_make(keys[part - 1].bytes, keys[part - 1].len);
	return explain_also_part(slot, part, &also, out);
}

/*
 * All of it.
 */

/* Rows about limits. */
static size_t
explain_own_count(const struct slot *slot)
{
	const struct query *query = explain_part(slot, 0);
	size_t rows = 1 + explain_count_passed_over(slot);

	return query ? rows + EXPLAIN_ROWS + explain_extra(query->limit) +
			   explain_also_count(slot)
		     : rows + 1;
}

static size_t
explain_count(const struct slot *slot)
{
	return explain_own_count(slot) + explain_upstream_count(slot);
}

static int
explain_row(struct slot *slot, size_t i, struct buf *out)
{
	size_t passed_over = explain_count_passed_over(slot), rows;
	size_t own = explain_own_count(slot);
	const struct query *query = explain_part(slot, 0);
	char text[KEY_SHOWN_MAX];

	if (i == 0)
		return buf_printf(
		    out, "key %s\n", key_show(text, slot->bytes, slot->len));
	if (i <= passed_over)
		return explain_passed_over(slot, i - 1, out);
	if (i >= own)
		return explain_upstream_row(slot, i - own, out);
	if (!query)
		return buf_printf(out, "limit -: no limit matches\n");
	i -= 1 + passed_over;
	rows = EXPLAIN_ROWS + explain_extra(query->limit);
	return i < rows ? explain_limit(slot, i, out)
			: explain_also(slot, 1 + i - rows, out);
}

const struct report explain_report = {
    .count = explain_count, .row = explain_row};
