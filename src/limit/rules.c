#include "limit/rules.h"

#include "limit/index.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <fnmatch.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Steps that a regular expression may take from one place of a key, and from
 * all of them together, which is less than a millisecond's worth; and how deep
 * it may go back, which bounds memory. */
#define REGEX_STEPS_MAX     20000
#define REGEX_ALL_STEPS_MAX 100000
#define REGEX_DEPTH_MAX     5000

struct rules {
	atomic_uint references;

	struct limit **limits; /* in their order */
	size_t count;
	size_t cap;

	/* The same limits, to be found by a key. */
	struct hash_index exact;      /* MATCH_EXACT */
	struct prefix_index prefixes; /* MATCH_PREFIX */
	struct prefix_index globs;    /* MATCH_GLOB, by what they start with */
	const struct limit **others;  /* MATCH_REGEX, and globs that start with
				       * anything, in their order */
	size_t others_count;
};

struct rules_scratch {
	pcre2_match_data *match;
	pcre2_match_context *context;
	char text[KEY_MAX + 1]; /* the key, terminated */
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
	for (size_t i = 0; i < rules->count; i++)
		limit_free(rules->limits[i]);
	free(rules->limits);
	hash_index_free(&rules->exact);
	prefix_index_free(&rules->prefixes);
	prefix_index_free(&rules->globs);
	free(rules->others);
	free(rules);
}

void
rules_unref(struct rules *rules)
{
	if (rules && atomic_fetch_sub_explicit(
			 &rules->references, 1, memory_order_acq_rel) == 1)
		rules_free(rules);
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

/* What goes into an index of prefixes, which is built at once. */
struct prefix_list {
	struct prefix *items; /* has room for all limits */
	size_t count;
};

static void
add_prefix(struct prefix_list *list, const struct limit *limit)
{
	list->items[list->count++] = (struct prefix){
	    limit->literal, limit->literal_len, limit->order};
}

/* Make ${limit} one that rules_match() finds. */
static int
index_limit(struct rules *rules, const struct limit *limit,
    struct prefix_list *prefixes, struct prefix_list *globs)
{
	struct hash128 hash;

	switch (limit->kind) {
	case MATCH_EXACT:
		hash = key_make(limit->literal, limit->literal_len).hash;
		return hash_index_add(&rules->exact, &hash, limit->order);
	case MATCH_PREFIX:
		add_prefix(prefixes, limit);
		return 0;
	case MATCH_GLOB:
		if (limit->literal_len > 0) {
			add_prefix(globs, limit);
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

	if (rules->count == 0)
		return 0;
	prefixes.items = calloc(rules->count, sizeof(*prefixes.items));
	globs.items = calloc(rules->count, sizeof(*globs.items));
	rules->others = calloc(rules->count, sizeof(*rules->others));
	if (!prefixes.items || !globs.items || !rules->others)
		goto out;
	for (size_t i = 0; i < rules->count; i++)
		if (index_limit(rules, rules->limits[i], &prefixes, &globs) < 0)
			goto out;
	status = prefix_index_build(
	    &rules->prefixes, prefixes.items, prefixes.count);
	if (status == 0)
		status = prefix_index_build(
		    &rules->globs, globs.items, globs.count);
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
	scratch->match = pcre2_match_data_create(1, NULL);
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

static enum match_result
glob_matches(const struct limit *limit, const struct key *key,
    struct rules_scratch *scratch)
{
	memcpy(scratch->text, key->bytes, key->len);
	scratch->text[key->len] = '\0';
	return fnmatch(limit->match, scratch->text, 0) == 0 ? MATCH_YES
							    : MATCH_NO;
}

static enum match_result
regex_matches(const struct limit *limit, const struct key *key,
    struct rules_scratch *scratch)
{
	size_t starts = limit->anchored ? 1 : key->len;
	size_t steps = REGEX_ALL_STEPS_MAX / starts;
	int status;

	/* PCRE2 counts steps anew from each place where a match may start. */
	pcre2_set_match_limit(scratch->context,
	    steps < REGEX_STEPS_MAX ? (uint32_t)steps : REGEX_STEPS_MAX);
	/* No JIT: the service may not make memory executable. */
	status = pcre2_match(limit->regex, (PCRE2_SPTR)key->bytes, key->len, 0,
	    PCRE2_NO_JIT, scratch->match, scratch->context);
	if (status >= 0)
		return MATCH_YES;
	return status == PCRE2_ERROR_NOMATCH ? MATCH_NO : MATCH_TOO_HARD;
}

enum match_result
limit_matches(const struct limit *limit, const struct key *key,
    struct rules_scratch *scratch)
{
	const size_t len = limit->literal_len;

	if (limit->kind == MATCH_REGEX)
		return regex_matches(limit, key, scratch);
	if (key->len < len || memcmp(key->bytes, limit->literal, len) != 0)
		return MATCH_NO;
	if (limit->kind == MATCH_GLOB)
		return glob_matches(limit, key, scratch);
	if (limit->kind == MATCH_EXACT && key->len != len)
		return MATCH_NO;
	return MATCH_YES;
}

/* The smallest order below ${best} of a glob that matches, or ${best}. */
static unsigned
match_globs(const struct rules *rules, const struct key *key,
    struct rules_scratch *scratch, unsigned best)
{
	const struct prefix_entry *entries = rules->globs.entries;
	unsigned i = prefix_index_longest(&rules->globs, key->bytes, key->len);

	for (; i != INDEX_NONE; i = entries[i].parent) {
		unsigned order = entries[i].prefix.order;

		if (order < best && limit_matches(rules->limits[order], key,
					scratch) != MATCH_NO)
			best = order;
	}
	return best;
}

static unsigned
match_others(const struct rules *rules, const struct key *key,
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
rules_match(const struct rules *rules, const struct key *key,
    struct rules_scratch *scratch)
{
	unsigned best = hash_index_find(&rules->exact, &key->hash);
	unsigned prefix =
	    prefix_index_find(&rules->prefixes, key->bytes, key->len);

	if (prefix < best)
		best = prefix;
	best = match_globs(rules, key, scratch, best);
	best = match_others(rules, key, scratch, best);
	return best == INDEX_NONE ? NULL : rules->limits[best];
}
