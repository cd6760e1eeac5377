/*
 * Job: puts overrides in front of a set of limits.
 * Invariant: one that has ended is in force no longer, though the set still has
 * it.
 * The heart: rules_match(), rules_find_override(), rules_scale().
 */
#include "base/clock.h"
#include "limit/override.h"
#include "limit/rules_internal.h"
#include "limit/word.h"

#include <stdlib.h>

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
	rules->scaled =
	    calloc(overrides->count * rules->count + 1, sizeof(*rules->scaled));
	if (!rules->scaled) {
		rules_unref(rules);
		return NULL;
	}
	return rules;
}

static struct limit *
rules_read_override(const struct override_line *line, struct limit_error *error)
{
	if (line->left_us < 0) {
		word_fail(error, "its end cannot be read");
		return NULL;
	}
	return override_read(line->pattern, line->pattern_len, line->value,
	    line->len, clock_us() + line->left_us, error);
}

/* Add it; if it is none, leave it out, and say so. */
static int
rules_add_override(struct rules *overrides, const struct override_line *line,
    struct reasons *reasons)
{
	struct limit_error error;
	struct limit *limit = rules_read_override(line, &error);

	if (!limit) {
		reasons_add(reasons, "override '%.*s' is left out: %s",
		    line->pattern_len < 90 ? (int)line->pattern_len : 90,
		    line->pattern, error.reason);
		return 0;
	}
	if (rules_add(overrides, limit) == 0)
		return 0;
	limit_free(limit);
	return -1;
}

/* The set of all of them; NULL: out of memory. */
static struct rules *
rules_read_overrides(
    const struct override_line *lines, size_t count, struct reasons *reasons)
{
	struct rules *overrides = rules_new();

	for (size_t i = 0; overrides && i < count; i++)
		if (rules_add_override(overrides, &lines[i], reasons) == -1) {
			rules_unref(overrides);
			return NULL;
		}
	if (overrides && rules_finish(overrides) == 0)
		return overrides;
	rules_unref(overrides);
	return NULL;
}

struct rules *
rules_override_lines(struct rules *base, const struct override_line *lines,
    size_t count, struct reasons *reasons)
{
	struct rules *overrides, *both;

	if (count == 0)
		return base;
	overrides = rules_read_overrides(lines, count, reasons);
	both = overrides ? rules_override(base, overrides) : NULL;
	rules_unref(overrides);
	if (!both) {
		reasons_add(reasons, "overrides: out of memory");
		return base;
	}
	rules_unref(base);
	return both;
}

bool
rules_has_overrides(const struct rules *rules)
{
	return rules->overrides != NULL;
}

size_t
rules_override_count(const struct rules *rules)
{
	return rules->overrides ? rules->overrides->count : 0;
}

const struct limit *
rules_override_at(const struct rules *rules, size_t i)
{
	return rules_at(rules->overrides, i);
}

void
rules_free_overrides(struct rules *rules)
{
	size_t count =
	    rules->scaled ? rules->overrides->count * rules->count : 0;

	for (size_t i = 0; i < count; i++)
		free(rules->scaled[i]);
	free(rules->scaled);
	rules_unref(rules->overrides);
	rules_unref(rules->base);
	free(rules);
}

/* Another override behind the one that has ended may match.  The daemon soon
 * reads the overrides again, without the one that has ended. */
static const struct limit *
rules_find_later_override(const struct rules *overrides,
    const struct limit *ended, const struct key *key,
    struct rules_scratch *scratch)
{
	for (size_t i = ended->order + 1; i < overrides->count; i++) {
		const struct limit *limit = overrides->limits[i];

		if (override_left_us(limit->override) > 0 &&
		    limit_matches(limit, key, scratch) != MATCH_NO)
			return limit;
	}
	return NULL;
}

const struct limit *
rules_find_override(const struct rules *rules, const struct key *key,
    struct rules_scratch *scratch)
{
	const struct limit *found =
	    rules->overrides ? rules_match_limit(rules->overrides, key, scratch)
			     : NULL;

	if (!found || override_left_us(found->override) > 0)
		return found;
	return rules_find_later_override(rules->overrides, found, key, scratch);
}

/* What the override makes of the limit.  The first thread that needs it makes
 * it: to make all at once takes 300 MB for 10,000 limits and 100 overrides.
 * Without memory, the limit stays as it is. */
static const struct limit *
rules_scale(const struct rules *rules, const struct limit *limit,
    const struct limit *override)
{
	_Atomic(struct limit *) *place =
	    &rules->scaled[override->order * rules->count + limit->order];
	struct limit *scaled =
	    atomic_load_explicit(place, memory_order_acquire);
	struct limit *others = NULL;

	if (scaled)
		return scaled;
	scaled = malloc(sizeof(*scaled));
	if (!scaled)
		return limit;
	override_scale(scaled, limit, override);
	if (atomic_compare_exchange_strong(place, &others, scaled))
		return scaled;
	free(scaled);
	return others;
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
	return limit ? rules_scale(rules, limit, found) : NULL;
}
