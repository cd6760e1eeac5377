#include "server/override_text.h"

#include "base/num.h"
#include "gate/gate.h"
#include "limit/override.h"
#include "stats/limit_stats.h"

int
override_text_add(struct buf *out, const char *name,
    const struct rules_snapshot *snapshot, size_t i)
{
	const struct limit *limit = rules_override_at(snapshot->rules, i);
	uint64_t sums[LIMIT_COUNT_COUNT] = {0};
	char left[NUM_MAX_LEN + 1];

	if (snapshot->limit_stats)
		limit_stats_sum(snapshot->limit_stats,
		    (unsigned)(rules_count(snapshot->rules) + i), sums);
	return buf_printf(out, "%s left=%s pattern=%s used=%llu note=%s\n",
	    name ? name : limit->name,
	    num_seconds(left, override_left_us(limit->override)), limit->match,
	    (unsigned long long)sums[LIMIT_COUNT_overridden],
	    limit->override->note);
}

uint64_t
override_text_count(const struct rules *rules)
{
	uint64_t count = 0;

	for (size_t i = 0; i < rules_override_count(rules); i++)
		count +=
		    override_left_us(rules_override_at(rules, i)->override) > 0;
	return count;
}
