/*
 * The words of a limit: a table of how each is set and written.
 * Holds: a word is set at most once, and a finished limit has all that its
 * algorithm needs.
 * The heart is first_words[], last_words[] and limit_set().
 */
#include "limit/limit.h"

#include "base/choice.h"
#include "base/log.h"
#include "base/num.h"
#include "base/suggest.h"
#include "limit/action.h"
#include "limit/algorithm.h"
#include "limit/also.h"
#include "limit/id.h"
#include "limit/key.h"
#include "limit/normalize.h"
#include "limit/pattern.h"
#include "limit/word.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Most words of all limits and all algorithms together: each has a bit in
 * ${given}. */
#define WORDS_MAX 32

static const struct choice on_errors[] = {
    {"memory", ON_ERROR_MEMORY},
    {"allow", ON_ERROR_ALLOW},
    {"deny", ON_ERROR_DENY},
    {NULL, 0},
};

/*
 * The words of every limit.
 */

static const char *
limit_get_match(const struct limit *limit, char text[WORD_TEXT_MAX])
{
	(void)text;
	return limit->match;
}

static int
limit_read_flag(
    const char *word, const char *value, bool *flag, struct limit_error *error)
{
	int chosen;

	if (choice_read(choice_no_yes, value, &chosen) < 0)
		return word_fail(error, "%s must be yes or no", word);
	*flag = chosen;
	return 0;
}

static int
limit_set_segments(
    struct limit *limit, const char *value, struct limit_error *error)
{
	return limit_read_flag("segments", value, &limit->segments, error);
}

static const char *
limit_get_segments(const struct limit *limit, char text[WORD_TEXT_MAX])
{
	(void)text;
	return limit->segments ? "yes" : NULL;
}

static int
limit_set_capacity(
    struct limit *limit, const char *value, struct limit_error *error)
{
	if (num_read_int(value, strlen(value), 1, LIMIT_CAPACITY_MAX,
		&limit->capacity) < 0)
		return word_fail(error,
		    "capacity must be a whole number from 1 to %jd%s",
		    (intmax_t)LIMIT_CAPACITY_MAX,
		    strcmp(value, "0") == 0
			? ": to let nothing in, write action = deny"
			: "");
	return 0;
}

static const char *
limit_get_capacity(const struct limit *limit, char text[WORD_TEXT_MAX])
{
	return limit->action == ACTION_NONE
		   ? word_write_number(text, limit->capacity)
		   : NULL;
}

static int
limit_set_debt(
    struct limit *limit, const char *value, struct limit_error *error)
{
	if (num_read_int(
		value, strlen(value), 0, LIMIT_CAPACITY_MAX, &limit->debt) < 0)
		return word_fail(error,
		    "debt must be a whole number from 0 to %jd",
		    (intmax_t)LIMIT_CAPACITY_MAX);
	return 0;
}

static const char *
limit_get_debt(const struct limit *limit, char text[WORD_TEXT_MAX])
{
	return limit->debt > 0 ? word_write_number(text, limit->debt) : NULL;
}

static int
limit_set_max_buckets(
    struct limit *limit, const char *value, struct limit_error *error)
{
	if (num_read_int(value, strlen(value), 1, LIMIT_BUCKETS_MAX,
		&limit->max_buckets) < 0)
		return word_fail(error,
		    "max_buckets must be a whole number from 1 to %jd",
		    (intmax_t)LIMIT_BUCKETS_MAX);
	return 0;
}

static const char *
limit_get_max_buckets(const struct limit *limit, char text[WORD_TEXT_MAX])
{
	return limit->max_buckets > 0
		   ? word_write_number(text, limit->max_buckets)
		   : NULL;
}

static int
limit_set_retry_jitter(
    struct limit *limit, const char *value, struct limit_error *error)
{
	size_t len = strlen(value);

	if (len < 2 || value[len - 1] != '%' ||
	    num_read_int(value, len - 1, 0, 100, &limit->retry_jitter) < 0)
		return word_fail(
		    error, "retry_jitter must be from 0%% to 100%%");
	return 0;
}

static const char *
limit_get_retry_jitter(const struct limit *limit, char text[WORD_TEXT_MAX])
{
	if (limit->retry_jitter == 0)
		return NULL;
	snprintf(text, WORD_TEXT_MAX, "%d%%", (int)limit->retry_jitter);
	return text;
}

static int
limit_set_on_error(
    struct limit *limit, const char *value, struct limit_error *error)
{
	int chosen;

	if (choice_read(on_errors, value, &chosen) < 0)
		return word_fail(
		    error, "on_error must be memory, allow or deny");
	limit->on_error = (enum on_error)chosen;
	return 0;
}

static const char *
limit_get_on_error(const struct limit *limit, char text[WORD_TEXT_MAX])
{
	(void)text;
	return limit->on_error == ON_ERROR_MEMORY
		   ? NULL
		   : on_error_name(limit->on_error);
}

static int
limit_set_shadow(
    struct limit *limit, const char *value, struct limit_error *error)
{
	return limit_read_flag("shadow", value, &limit->shadow, error);
}

static const char *
limit_get_shadow(const struct limit *limit, char text[WORD_TEXT_MAX])
{
	(void)text;
	return limit->shadow ? "yes" : NULL;
}

static int
limit_set_deny_cache(
    struct limit *limit, const char *value, struct limit_error *error)
{
	return limit_read_flag("deny_cache", value, &limit->deny_cache, error);
}

static const char *
limit_get_deny_cache(const struct limit *limit, char text[WORD_TEXT_MAX])
{
	(void)text;
	return limit->deny_cache ? NULL : "no";
}

/* The words that come before those of the algorithm, and after them. */
static const struct limit_word first_words[] = {
    {"match", pattern_set, limit_get_match},
    {"segments", limit_set_segments, limit_get_segments},
    {"action", action_set, action_get},
    {"algorithm", algorithm_set, algorithm_get},
    {"capacity", limit_set_capacity, limit_get_capacity},
    {"debt", limit_set_debt, limit_get_debt},
};
static const struct limit_word last_words[] = {
    {"normalize", normalize_set, normalize_get},
    {"also", also_set, also_get},
    {"on_error", limit_set_on_error, limit_get_on_error},
    {"shadow", limit_set_shadow, limit_get_shadow},
    {"deny_cache", limit_set_deny_cache, limit_get_deny_cache},
    {"retry_jitter", limit_set_retry_jitter, limit_get_retry_jitter},
    {"max_buckets", limit_set_max_buckets, limit_get_max_buckets},
    {"id_memory", id_set_memory, id_get_memory},
};

/* Word ${i} of all words, including those of other algorithms; NULL behind the
 * last one. */
static const struct limit_word *
limit_word_at(size_t i)
{
	if (i < COUNT(first_words))
		return &first_words[i];
	i -= COUNT(first_words);
	if (i < COUNT(last_words))
		return &last_words[i];
	i -= COUNT(last_words);
	for (size_t k = 0; k < ALGORITHM_COUNT; k++) {
		const struct algorithm *algorithm = algorithm_at(k);

		if (i < algorithm->words_count)
			return &algorithm->words[i];
		i -= algorithm->words_count;
	}
	return NULL;
}

/* The place of the first word of that name, or -1. */
static int
limit_find_word(const char *name)
{
	const struct limit_word *word;

	for (size_t i = 0; (word = limit_word_at(i)); i++)
		if (strcmp(word->name, name) == 0)
			return (int)i;
	return -1;
}

void
limit_assume(struct limit *limit, const char *word)
{
	limit->given |= 1U << limit_find_word(word);
}

void
limit_pass_over(struct limit *limit, const char *word)
{
	limit->given ^= 1U << limit_find_word(word);
}

static bool
limit_takes_word(const struct algorithm *algorithm, const char *name)
{
	for (size_t i = 0; i < algorithm->words_count; i++)
		if (strcmp(algorithm->words[i].name, name) == 0)
			return true;
	return false;
}

bool
word_is_given(const struct limit *limit, const char *name)
{
	return limit->given >> limit_find_word(name) & 1;
}

/*
 * Building.
 */

struct limit *
limit_new(const char *name, struct limit_error *error)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz"
				      "0123456789_-";
	size_t len = strlen(name);
	struct limit *limit;

	if (len < 1 || len > LIMIT_NAME_MAX || strspn(name, letters) != len) {
		word_fail(error, "a limit's name is 1 to %d of A-Z a-z 0-9 _ -",
		    LIMIT_NAME_MAX);
		return NULL;
	}
	limit = calloc(1, sizeof(*limit));
	if (!limit) {
		word_fail(error, "out of memory");
		return NULL;
	}
	memcpy(limit->name, name, len);
	limit->algorithm = algorithm_at(0);
	limit->deny_cache = true;
	limit->id_memory_us = ID_MEMORY_US;
	limit->capacity = 1; /* until it is given: there are divisions by it */
	return limit;
}

static int
limit_fail_unknown(const char *name, struct limit_error *error)
{
	const char *names[WORDS_MAX], *near;
	const struct limit_word *word;
	size_t count = 0;
	char shown[50];

	while (count < WORDS_MAX && (word = limit_word_at(count)))
		names[count++] = word->name;
	near = suggest(name, names, count);
	error->word = near;
	log_escape(shown, sizeof(shown), name, strlen(name));
	if (!near)
		return word_fail(error, "unknown word '%s'", shown);
	return word_fail(
	    error, "unknown word '%s', did you mean '%s'?", shown, near);
}

int
limit_set(struct limit *limit, const char *word, const char *value,
    struct limit_error *error)
{
	int i = limit_find_word(word);

	error->is_value = false;
	error->word = NULL;
	if (i < 0)
		return limit_fail_unknown(word, error);
	if (limit->given >> i & 1)
		return word_fail(error, "%s is given twice", word);
	limit->given |= 1U << i;
	error->is_value = true;
	error->word = limit_word_at((size_t)i)->name;
	return limit_word_at((size_t)i)->set(limit, value, error);
}

/* Refuse words that only other algorithms take. */
static int
limit_check_words(const struct limit *limit, struct limit_error *error)
{
	for (size_t k = 0; k < ALGORITHM_COUNT; k++) {
		const struct algorithm *other = algorithm_at(k);

		for (size_t i = 0; i < other->words_count; i++) {
			const char *name = other->words[i].name;

			if (word_is_given(limit, name) &&
			    !limit_takes_word(limit->algorithm, name))
				return word_fail(error,
				    "%s does not go with algorithm = %s", name,
				    limit->algorithm->name);
		}
	}
	return 0;
}

/* A limit that keeps its name and its algorithm keeps its buckets, even over a
 * reload that changes everything else. */
static struct hash128
limit_make_id(const struct limit *limit)
{
	char id[128];
	int len = snprintf(
	    id, sizeof(id), "%s %s", limit->algorithm->name, limit->name);

	return key_make(id, (size_t)len).hash;
}

/* The words of a limit that asks a bucket, or of one that does not. */
static int
limit_check_kind(struct limit *limit, struct limit_error *error)
{
	const struct limit_word *word;

	if (limit->action == ACTION_NONE)
		return word_require(limit, "capacity", error) < 0
			   ? -1
			   : limit_check_words(limit, error);
	for (size_t i = 0; (word = limit_word_at(i)); i++)
		if ((limit->given >> i & 1) &&
		    action_check_word(limit, word->name, error) < 0)
			return -1;
	action_finish(limit);
	return 0;
}

int
limit_finish(struct limit *limit, struct limit_error *error)
{
	error->word = NULL;
	if (word_require(limit, "match", error) < 0 ||
	    limit_check_kind(limit, error) < 0 ||
	    pattern_finish(limit, error) < 0 ||
	    limit->algorithm->check(limit, error) < 0 ||
	    normalize_check(limit, error) < 0 || also_check(limit, error) < 0)
		return -1;
	limit->id = limit_make_id(limit);
	return 0;
}

static void
limit_visit_words(const struct limit *limit, const struct limit_word *words,
    size_t count, limit_visit_word *visit, void *arg)
{
	for (size_t i = 0; i < count; i++) {
		char text[WORD_TEXT_MAX];
		const char *value =
		    words[i].get ? words[i].get(limit, text) : NULL;

		if (value)
			visit(words[i].name, value, arg);
	}
}

void
limit_each_word(const struct limit *limit, limit_visit_word *visit, void *arg)
{
	const struct algorithm *algorithm = limit->algorithm;

	limit_visit_words(limit, first_words, COUNT(first_words), visit, arg);
	limit_visit_words(
	    limit, algorithm->words, algorithm->words_count, visit, arg);
	limit_visit_words(limit, last_words, COUNT(last_words), visit, arg);
}

void
limit_init_inline(
    struct limit *limit, int64_t capacity, int64_t recharge_ns, unsigned order)
{
	*limit = (struct limit){
	    .name = LIMIT_INLINE_NAME,
	    .algorithm = &algorithm_leaky_bucket,
	    .capacity = capacity,
	    .is_inline = true,
	    .deny_cache = true,
	    .order = LIMIT_INLINE_ORDER + order,
	};
	limit_set_recharge(limit, recharge_ns);
	limit->id = limit_make_id(limit);
}

void
limit_set_recharge(struct limit *limit, int64_t ns)
{
	if (ns >= 1000 * 1000 && ns % 1000 > 0)
		ns += 1000 - ns % 1000;
	limit->recharge_us = ns / 1000;
	limit->recharge_ns = ns % 1000;
}

int64_t
limit_life_us(const struct limit *limit)
{
	return limit->is_inline ? LIMIT_INLINE_LIFE_US
				: limit->algorithm->life_us(limit);
}

void
limit_free(struct limit *limit)
{
	if (!limit)
		return;
	pattern_free(limit);
	zone_free(limit->zone);
	free(limit->also);
	free(limit->override);
	free(limit);
}

const char *
on_error_name(enum on_error on_error)
{
	return choice_name(on_errors, (int)on_error);
}
