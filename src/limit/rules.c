/*
 * Sets of limits: indexes of them, and the search for the first that matches.
 * Holds: each limit is in exactly one index, or in ${others}.
 * The heart is rules_index_limit() and rules_match_limit().
 */
#include "limit/rules_internal.h"

#include "limit/glob.h"
#include "limit/index.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Most steps of a regular expression from one place of a key, and from all of
 * them together, which take less than a millisecond; and how deep it may
 * backtrack, which bounds memory. */
#define REGEX_STEPS_MAX     20000
#define REGEX_ALL_STEPS_MAX 100000
#define REGEX_DEPTH_MAX     5000

/* So many times rules_cover() tries a glob, for all limits of a set: a load
 * must not take seconds for a warning. */
#define COVER_TRIES_MAX 1000000

struct rules_scratch {
	pcre2_match_data *match;
	pcre2_match_context *context;
};

struct rules *
rules_ref(struct rules *rules)
{
	atomic_fetch_add_explicit(&rules->references, 1, memory_order_relaxed);
	return rules;
}

static void
rules_free(struct rules *rules)
{
	if (rules->base) {
		rules_free_overrides(rules);
		return;
	}
	for (size_t i = 0; i < rules->count; i++)
		limit_free(rules->limits[i]);
	free(rules->limits);
	hash_index_free(&rules->exact);
	prefix_index_free(&rules->prefixes);
	prefix_index_free(&rules->globs);
	free(rules->others);
	routes_free(&rules->routes);
	free(rules);
}

void
rules_unref(struct rules *rules)
{
	if (rules && atomic_fetch_sub_explicit(
			 &rules->references, 1, memory_order_acq_rel) == 1)
		rules_free(rules);
}

void
rules_set_digest(struct rules *rules, const char *digest)
{
	snprintf(rules->digest, sizeof(rules->digest), "%s", digest);
}

const char *
rules_digest(const struct rules *rules)
{
	return rules->digest;
}

size_t
rules_count(const struct rules *rules)
{
	return rules->count;
}

const struct limit *
rules_at(const struct rules *rules, size_t i)
{
	return rules->limits[i];
}

/*
 * Building.
 */

struct rules *
rules_new(void)
{
	struct rules *rules = calloc(1, sizeof(*rules));

	if (rules)
		atomic_init(&rules->references, 1);
	return rules;
}

int
rules_add(struct rules *rules, struct limit *limit)
{
	if (rules->count == rules->cap) {
		size_t cap = rules->cap ? rules->cap * 2 : 16;
		struct limit **limits =
		    reallocarray(rules->limits, cap, sizeof(*limits));

		if (!limits)
			return -1;
		rules->limits = limits;
		rules->cap = cap;
	}
	limit->order = (unsigned)rules->count;
	rules->limits[rules->count++] = limit;
	return 0;
}

int
rules_add_route(struct rules *rules, struct route *route)
{
	return routes_add(&rules->routes, route);
}

const struct routes *
rules_routes(const struct rules *rules)
{
	return &rules->routes;
}

/* The prefixes of an index, which is built in one step. */
struct prefix_list {
	struct prefix *items; /* has room for all limits */
	size_t count;
};

static void
rules_add_prefix(struct prefix_list *list, const struct limit *limit)
{
	list->items[list->count++] =
	    (struct prefix){limit->literal, limit->literal_len, limit->order};
}

/* Put ${limit} where rules_match() finds it. */
static int
rules_index_limit(struct rules *rules, const struct limit *limit,
    struct prefix_list *prefixes, struct prefix_list *globs)
{
	struct hash128 hash;

	switch (limit->kind) {
	case MATCH_EXACT:
		hash = key_make(limit->literal, limit->literal_len).hash;
		return hash_index_add(&rules->exact, &hash, limit->order);
	case MATCH_PREFIX:
		rules_add_prefix(prefixes, limit);
		return 0;
	case MATCH_GLOB:
		if (limit->literal_len > 0) {
			rules_add_prefix(globs, limit);
			return 0;
		}
		break;
	case MATCH_REGEX:
		break;
	}
	rules->others[rules->others_count++] = limit;
	return 0;
}

int
rules_finish(struct rules *rules)
{
	struct prefix_list prefixes = {0}, globs = {0};
	int status = -1;

	if (routes_finish(&rules->routes) == -1)
		return -1;
	if (rules->count == 0)
		return 0;
	prefixes.items = calloc(rules->count, sizeof(*prefixes.items));
	globs.items = calloc(rules->count, sizeof(*globs.items));
	rules->others = calloc(rules->count, sizeof(*rules->others));
	if (!prefixes.items || !globs.items || !rules->others)
		goto out;
	for (size_t i = 0; i < rules->count; i++)
		if (rules_index_limit(
			rules, rules->limits[i], &prefixes, &globs) < 0)
			goto out;
	status = prefix_index_build(
	    &rules->prefixes, prefixes.items, prefixes.count);
	if (status == 0)
		status =
		    prefix_index_build(&rules->globs, globs.items, globs.count);
out:
	free(prefixes.items);
	free(globs.items);
	return status;
}

/*
 * Matching.
 */

struct rules_scratch *
rules_scratch_new(void)
{
	struct rules_scratch *scratch = calloc(1, sizeof(*scratch));

	if (!scratch)
		return NULL;
	scratch->match = pcre2_match_data_create(ROUTE_NAMES_MAX + 1, NULL);
	scratch->context = pcre2_match_context_create(NULL);
	if (!scratch->match || !scratch->context) {
		rules_scratch_free(scratch);
		return NULL;
	}
	pcre2_set_depth_limit(scratch->context, REGEX_DEPTH_MAX);
	return scratch;
}

void
rules_scratch_free(struct rules_scratch *scratch)
{
	if (!scratch)
		return;
	pcre2_match_data_free(scratch->match);
	pcre2_match_context_free(scratch->context);
	free(scratch);
}

int
rules_scratch_try(struct rules_scratch *scratch, const void *regex,
    bool anchored, const char *text, size_t len)
{
	size_t starts = anchored || len == 0 ? 1 : len;
	size_t steps = REGEX_ALL_STEPS_MAX / starts;

	/* PCRE2 counts steps from zero at each place where a match may
	 * start. */
	pcre2_set_match_limit(scratch->context,
	    steps < REGEX_STEPS_MAX ? (uint32_t)steps : REGEX_STEPS_MAX);
	/* No JIT: the service may not make memory executable. */
	return pcre2_match(regex, (PCRE2_SPTR)text, len, 0, PCRE2_NO_JIT,
	    scratch->match, scratch->context);
}

bool
rules_scratch_is_no_utf8(int result)
{
	return result <= PCRE2_ERROR_UTF8_ERR1 &&
	       result >= PCRE2_ERROR_UTF8_ERR21;
}

const char *
rules_scratch_group(
    const struct rules_scratch *scratch, int i, const char *text, size_t *len)
{
	const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(scratch->match);

	ends += (ptrdiff_t)2 * i;
	*len = 0;
	if (ends[0] == PCRE2_UNSET || ends[1] < ends[0])
		return NULL;
	*len = ends[1] - ends[0];
	return text + ends[0];
}

static int
rules_try_regex(const struct limit *limit, const char *text, size_t len,
    struct rules_scratch *scratch)
{
	return rules_scratch_try(
	    scratch, limit->regex, limit->anchored, text, len);
}

/* A byte that is no part of UTF-8 is a character of its own, as for globs. */
static enum match_result
rules_regex_matches(const struct limit *limit, const struct key *key,
    struct rules_scratch *scratch)
{
	char text[KEY_UTF8_MAX];
	int status = rules_try_regex(limit, key->bytes, key->len, scratch);

	if (rules_scratch_is_no_utf8(status))
		status = rules_try_regex(limit, text,
		    key_write_utf8(text, key->bytes, key->len), scratch);
	if (status >= 0)
		return MATCH_YES;
	return status == PCRE2_ERROR_NOMATCH ? MATCH_NO : MATCH_TOO_HARD;
}

/* Not for a regular expression. */
static bool
rules_glob_matches(const struct limit *limit, const struct key *key)
{
	const size_t len = limit->literal_len;

	if (key->len < len || memcmp(key->bytes, limit->literal, len) != 0)
		return false;
	if (limit->kind == MATCH_GLOB)
		return (limit->segments ? glob_matches_segments : glob_matches)(
		    limit->rest, key->bytes + len, key->len - len);
	return limit->kind == MATCH_PREFIX || key->len == len;
}

enum match_result
limit_matches(const struct limit *limit, const struct key *key,
    struct rules_scratch *scratch)
{
	if (limit->kind == MATCH_REGEX)
		return rules_regex_matches(limit, key, scratch);
	return rules_glob_matches(limit, key) ? MATCH_YES : MATCH_NO;
}

/* The smallest order below ${best} of a glob that matches, or ${best}. */
static unsigned
rules_match_globs(
    const struct rules *rules, const struct key *key, unsigned best)
{
	const struct prefix_entry *entries = rules->globs.entries;
	unsigned i = prefix_index_longest(&rules->globs, key->bytes, key->len);

	for (; i != INDEX_NONE; i = entries[i].parent) {
		unsigned order = entries[i].prefix.order;

		if (order < best &&
		    rules_glob_matches(rules->limits[order], key))
			best = order;
	}
	return best;
}

static unsigned
rules_match_others(const struct rules *rules, const struct key *key,
    struct rules_scratch *scratch, unsigned best)
{
	for (size_t i = 0; i < rules->others_count; i++) {
		const struct limit *limit = rules->others[i];

		if (limit->order > best)
			break;
		if (limit_matches(limit, key, scratch) != MATCH_NO)
			return limit->order;
	}
	return best;
}

const struct limit *
rules_match_limit(const struct rules *rules, const struct key *key,
    struct rules_scratch *scratch)
{
	unsigned best = hash_index_find(&rules->exact, &key->hash);
	unsigned prefix =
	    prefix_index_find(&rules->prefixes, key->bytes, key->len);

	if (prefix < best)
		best = prefix;
	best = rules_match_globs(rules, key, best);
	best = rules_match_others(rules, key, scratch, best);
	return best == INDEX_NONE ? NULL : rules->limits[best];
}

/*
 * Limits that no key reaches.
 */

/* The smallest order below ${best} of a glob that matches one key. */
static unsigned
rules_cover_by_globs(
    const struct rules *rules, const struct key *key, unsigned best)
{
	size_t globs = rules->globs.count + rules->others_count;

	if (globs * rules->exact.count > COVER_TRIES_MAX)
		return best;
	best = rules_match_globs(rules, key, best);
	for (size_t i = 0; i < rules->others_count; i++) {
		const struct limit *limit = rules->others[i];

		if (limit->order > best)
			break;
		if (limit->kind == MATCH_GLOB && rules_glob_matches(limit, key))
			return limit->order;
	}
	return best;
}

const struct limit *
rules_cover(const struct rules *rules, const struct limit *limit)
{
	unsigned best = limit->order;
	unsigned prefix;
	struct key key;

	if (limit->kind == MATCH_REGEX)
		return NULL;
	key = key_make(limit->literal, limit->literal_len);
	prefix = prefix_index_find(&rules->prefixes, key.bytes, key.len);
	if (prefix < best)
		best = prefix;
	if (limit->kind == MATCH_EXACT) {
		unsigned exact = hash_index_find(&rules->exact, &key.hash);

		if (exact < best)
			best = exact;
		best = rules_cover_by_globs(rules, &key, best);
	}
	return best < limit->order ? rules->limits[best] : NULL;
}
