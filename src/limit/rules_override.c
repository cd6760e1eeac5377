#include "base/clock.h"
#include "limit/override.h"
#include "limit/rules_internal.h"

#include <stdlib.h>

static struct limit *
rules_find_scale(const struct rules *rules, int64_t times)
{
	for (size_t i = 0; i < rules->scale_count; i++)
		if (rules->scales[i].times == times)
			return rules->scales[i].limits;
	return NULL;
}

/* Make all limits ${times} as large, unless that was done. */
static int
rules_add_scale(struct rules *rules, int64_t times)
{
	struct rules_scale *scale = &rules->scales[rules->scale_count];

	if (times == 0 || rules_find_scale(rules, times))
		return 0;
	*scale = (struct rules_scale){
	    times, calloc(rules->count + 1, sizeof(*scale->limits))};
	if (!scale->limits)
		return -1;
	for (size_t i = 0; i < rules->count; i++)
		override_scale(&scale->limits[i], rules->limits[i], times);
	rules->scale_count++;
	return 0;
}

struct rules *
rules_override(struct rules *base, struct rules *overrides)
{
	struct rules *rules = malloc(sizeof(*rules));

	if (!rules)
		return NULL;
	*rules = *base;
	atomic_init(&rules->references, 1);
	rules->base = rules_ref(base);
	rules->overrides = rules_ref(overrides);
	rules->scales = calloc(overrides->count + 1, sizeof(*rules->scales));
	for (size_t i = 0; i < overrides->count; i++)
		if (!rules->scales ||
		    rules_add_scale(
			rules, overrides->limits[i]->override->times) == -1) {
			rules_unref(rules);
			return NULL;
		}
	return rules;
}

size_t
rules_override_count(const struct rules *rules)
{
	return rules->overrides ? rules->overrides->count : 0;
}

void
rules_free_overrides(struct rules *rules)
{
	for (size_t i = 0; i < rules->scale_count; i++)
		free(rules->scales[i].limits);
	free(rules->scales);
	rules_unref(rules->overrides);
	rules_unref(rules->base);
	free(rules);
}

/* One that has ended is in force no longer, though the set still has it. */
const struct limit *
rules_find_override(const struct rules *rules, const struct key *key,
    struct rules_scratch *scratch)
{
	const struct limit *found =
	    rules->overrides ? rules_match_limit(rules->overrides, key, scratch)
			     : NULL;

	return found && found->override->ends_us > clock_us() ? found : NULL;
}

const struct limit *
rules_match(const struct rules *rules, const struct key *key,
    struct rules_scratch *scratch)
{
	const struct limit *limit = rules_match_limit(rules, key, scratch);
	const struct limit *found =
	    rules->overrides ? rules_find_override(rules, key, scratch) : NULL;

	if (!found)
		return limit;
	if (found->override->times == 0)
		return found;
	return limit ? &rules_find_scale(
			   rules, found->override->times)[limit->order]
		     : NULL;
}
