#include "limit/limit.h"

#include "base/log.h"
#include "base/num.h"
#include "base/suggest.h"
#include "limit/key.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The words of a limit: each has a set_NAME() below. */
#define WORDS(X)                                                               \
	X(match)                                                               \
	X(algorithm)                                                           \
	X(capacity)                                                            \
	X(recharge)                                                            \
	X(rate)                                                                \
	X(block)                                                               \
	X(window)                                                              \
	X(on_error)                                                            \
	X(shadow)                                                              \
	X(deny_cache)

enum word {
#define WORD(name) WORD_##name,
	WORDS(WORD)
#undef WORD
};

static const char *const word_names[] = {
#define WORD(name) #name,
    WORDS(WORD)
#undef WORD
};

static const char *const algorithm_names[] = {
    [ALGORITHM_LEAKY_BUCKET] = "leaky_bucket",
    [ALGORITHM_FIXED_WINDOW] = "fixed_window",
};

static const char *const on_error_names[] = {
    [ON_ERROR_MEMORY] = "memory",
    [ON_ERROR_ALLOW] = "allow",
    [ON_ERROR_DENY] = "deny",
};

PRINTF_LIKE(2, 3)
static int
fail(struct limit_error *error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error->reason, sizeof(error->reason), format, args);
	va_end(args);
	return -1;
}

/* The place of ${name} among ${count} ${names}, or -1. */
static int
find_name(const char *name, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return (int)i;
	return -1;
}

/* Where the bracket expression ends whose text starts at ${p}, or NULL. */
static const char *
bracket_end(const char *p)
{
	if (*p == '!' || *p == '^')
		p++;
	if (*p == ']')
		p++;
	for (; *p != '\0'; p++) {
		if (*p == ']')
			return p;
		if (*p == '\\' && *++p == '\0')
			return NULL;
	}
	return NULL;
}

/* fnmatch(3) takes a broken pattern for one that means itself; a person who
 * wrote one did not. */
static int
check_glob(const char *p, struct limit_error *error)
{
	for (; *p != '\0'; p++) {
		if (*p == '\\') {
			if (*++p == '\0')
				return fail(
				    error, "match ends in a lone backslash");
		} else if (*p == '[') {
			p = bracket_end(p + 1);
			if (!p)
				return fail(error, "match has a [ without a ]");
		}
	}
	return 0;
}

/* Copy what stands before the first special character to ${literal}, without
 * its backslashes.  Return where that character is, or the end. */
static const char *
copy_literal(const char *pattern, char *literal)
{
	const char *p = pattern;

	for (; *p != '\0' && !strchr("*?[", *p); p++) {
		if (*p == '\\')
			p++;
		*literal++ = *p;
	}
	*literal = '\0';
	return p;
}

static int
read_glob(struct limit *limit, struct limit_error *error)
{
	const char *rest;

	if (check_glob(limit->match, error) < 0)
		return -1;
	limit->literal = malloc(strlen(limit->match) + 1);
	if (!limit->literal)
		return fail(error, "out of memory");
	rest = copy_literal(limit->match, limit->literal);
	limit->literal_len = strlen(limit->literal);
	if (*rest == '\0')
		limit->kind = MATCH_EXACT;
	else if (strcmp(rest, "*") == 0)
		limit->kind = MATCH_PREFIX;
	else
		limit->kind = MATCH_GLOB;
	return 0;
}

static int
read_regex(struct limit *limit, struct limit_error *error)
{
	/* \C could stop in the middle of a character. */
	const uint32_t options = PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C;
	PCRE2_UCHAR reason[100];
	PCRE2_SIZE offset;
	uint32_t used;
	int code;

	limit->kind = MATCH_REGEX;
	limit->regex = pcre2_compile((PCRE2_SPTR)limit->match + 1,
	    PCRE2_ZERO_TERMINATED, options, &code, &offset, NULL);
	if (limit->regex) {
		pcre2_pattern_info(limit->regex, PCRE2_INFO_ALLOPTIONS, &used);
		limit->anchored = (used & PCRE2_ANCHORED) != 0;
		return 0;
	}
	if (pcre2_get_error_message(code, reason, sizeof(reason)) < 0)
		reason[0] = '\0';
	return fail(
	    error, "match, at byte %zu: %s", offset + 1, (char *)reason);
}

static int
set_match(struct limit *limit, const char *value, struct limit_error *error)
{
	if (*value == '\0')
		return fail(error, "match is empty");
	limit->match = strdup(value);
	if (!limit->match)
		return fail(error, "out of memory");
	return *value == '~' ? read_regex(limit, error)
			     : read_glob(limit, error);
}

static int
set_algorithm(struct limit *limit, const char *value, struct limit_error *error)
{
	int i = find_name(value, algorithm_names, COUNT(algorithm_names));

	if (i < 0)
		return fail(
		    error, "algorithm must be leaky_bucket or fixed_window");
	limit->algorithm = (enum algorithm)i;
	return 0;
}

static int
set_capacity(struct limit *limit, const char *value, struct limit_error *error)
{
	if (num_read_int(value, strlen(value), 1, LIMIT_CAPACITY_MAX,
		&limit->capacity) < 0)
		return fail(error,
		    "capacity must be a whole number from 1 to %jd",
		    (intmax_t)LIMIT_CAPACITY_MAX);
	return 0;
}

/* Read a time from ${min} to below LIMIT_SPAN_MAX. */
static int
read_time(enum word word, const char *value, int64_t min, int64_t *us,
    struct limit_error *error)
{
	int status = num_read_duration(value, strlen(value), us);

	if (status < 0 && errno == EINVAL)
		return fail(error,
		    "%s must be a number and a unit (us ms s m h d), as in 60s",
		    word_names[word]);
	if (status < 0 || *us < min || *us >= LIMIT_SPAN_MAX)
		return fail(error, "%s must be from %jdus to 52124d",
		    word_names[word], (intmax_t)min);
	return 0;
}

static int
set_recharge(struct limit *limit, const char *value, struct limit_error *error)
{
	return read_time(WORD_recharge, value, 1, &limit->recharge_us, error);
}

static int
set_rate(struct limit *limit, const char *value, struct limit_error *error)
{
	if (num_read_rate(value, strlen(value), &limit->recharge_us) == 0)
		return 0;
	if (errno == ERANGE)
		return fail(error, "rate must be above 0, at most 1000000/s");
	return fail(error,
	    "rate must be a whole number, / and a unit (us ms s m h d), "
	    "as in 60/h or 10/15m");
}

static int
set_block(struct limit *limit, const char *value, struct limit_error *error)
{
	return read_time(WORD_block, value, 0, &limit->block_us, error);
}

static int
set_window(struct limit *limit, const char *value, struct limit_error *error)
{
	return read_time(WORD_window, value, 1, &limit->window_us, error);
}

static int
set_on_error(struct limit *limit, const char *value, struct limit_error *error)
{
	int i = find_name(value, on_error_names, COUNT(on_error_names));

	if (i < 0)
		return fail(error, "on_error must be memory, allow or deny");
	limit->on_error = (enum on_error)i;
	return 0;
}

static int
read_flag(enum word word, const char *value, bool *flag,
    struct limit_error *error)
{
	*flag = strcmp(value, "yes") == 0;
	if (!*flag && strcmp(value, "no") != 0)
		return fail(error, "%s must be yes or no", word_names[word]);
	return 0;
}

static int
set_shadow(struct limit *limit, const char *value, struct limit_error *error)
{
	return read_flag(WORD_shadow, value, &limit->shadow, error);
}

static int
set_deny_cache(
    struct limit *limit, const char *value, struct limit_error *error)
{
	return read_flag(WORD_deny_cache, value, &limit->deny_cache, error);
}

static int (*const setters[])(
    struct limit *limit, const char *value, struct limit_error *error) = {
#define WORD(name) set_##name,
    WORDS(WORD)
#undef WORD
};

struct limit *
limit_new(const char *name, struct limit_error *error)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz"
				      "0123456789_-";
	size_t len = strlen(name);
	struct limit *limit;

	if (len < 1 || len > LIMIT_NAME_MAX || strspn(name, letters) != len) {
		fail(error, "a limit's name is 1 to %d of A-Z a-z 0-9 _ -",
		    LIMIT_NAME_MAX);
		return NULL;
	}
	limit = calloc(1, sizeof(*limit));
	if (!limit) {
		fail(error, "out of memory");
		return NULL;
	}
	memcpy(limit->name, name, len);
	limit->deny_cache = true;
	return limit;
}

static int
fail_unknown(const char *word, struct limit_error *error)
{
	const char *near = suggest(word, word_names, COUNT(word_names));
	char shown[50];

	log_escape(shown, sizeof(shown), word, strlen(word));
	if (!near)
		return fail(error, "unknown word '%s'", shown);
	return fail(
	    error, "unknown word '%s', did you mean '%s'?", shown, near);
}

int
limit_set(struct limit *limit, const char *word, const char *value,
    struct limit_error *error)
{
	int i = find_name(word, word_names, COUNT(word_names));

	error->is_value = false;
	if (i < 0)
		return fail_unknown(word, error);
	if (limit->given & 1U << i)
		return fail(error, "%s is given twice", word);
	limit->given |= 1U << i;
	error->is_value = true;
	return setters[i](limit, value, error);
}

static bool
is_given(const struct limit *limit, enum word word)
{
	return limit->given & 1U << word;
}

static int
require(const struct limit *limit, enum word word, struct limit_error *error)
{
	if (is_given(limit, word))
		return 0;
	return fail(error, "%s is missing", word_names[word]);
}

static int
refuse(const struct limit *limit, enum word word, struct limit_error *error)
{
	if (!is_given(limit, word))
		return 0;
	return fail(error, "%s does not go with algorithm = %s",
	    word_names[word], algorithm_name(limit->algorithm));
}

static int
check_leaky_bucket(const struct limit *limit, struct limit_error *error)
{
	bool has_recharge = is_given(limit, WORD_recharge);

	if (refuse(limit, WORD_window, error) < 0)
		return -1;
	if (has_recharge && is_given(limit, WORD_rate))
		return fail(error, "recharge and rate exclude each other");
	if (!has_recharge && !is_given(limit, WORD_rate))
		return fail(error, "recharge (or rate) is missing");
	if (limit->recharge_us > (LIMIT_SPAN_MAX - 1) / limit->capacity)
		return fail(error,
		    "capacity times recharge must stay below 2^52us (52124d)");
	return 0;
}

static int
check_fixed_window(const struct limit *limit, struct limit_error *error)
{
	if (refuse(limit, WORD_recharge, error) < 0 ||
	    refuse(limit, WORD_rate, error) < 0 ||
	    refuse(limit, WORD_block, error) < 0)
		return -1;
	return require(limit, WORD_window, error);
}

static int
check_algorithm(const struct limit *limit, struct limit_error *error)
{
	switch (limit->algorithm) {
	case ALGORITHM_LEAKY_BUCKET:
		return check_leaky_bucket(limit, error);
	case ALGORITHM_FIXED_WINDOW:
		return check_fixed_window(limit, error);
	}
	return -1;
}

/* As long as a limit bears its name and its algorithm, its buckets stay: also
 * over a reload that changes everything else. */
static struct hash128
make_id(const struct limit *limit)
{
	char id[sizeof("fixed_window ") + LIMIT_NAME_MAX];
	int len = snprintf(id, sizeof(id), "%s %s",
	    algorithm_name(limit->algorithm), limit->name);

	return key_make(id, (size_t)len).hash;
}

int
limit_finish(struct limit *limit, struct limit_error *error)
{
	if (require(limit, WORD_match, error) < 0 ||
	    require(limit, WORD_capacity, error) < 0 ||
	    check_algorithm(limit, error) < 0)
		return -1;
	limit->id = make_id(limit);
	return 0;
}

static void
visit_number(
    enum word word, int64_t number, limit_visit_word *visit, void *arg)
{
	char value[NUM_MAX_LEN + 1];

	value[num_write_int(value, number)] = '\0';
	visit(word_names[word], value, arg);
}

static void
visit_time(enum word word, int64_t us, limit_visit_word *visit, void *arg)
{
	char value[NUM_MAX_LEN + 1];

	value[num_write_duration(value, us)] = '\0';
	visit(word_names[word], value, arg);
}

void
limit_each_word(const struct limit *limit, limit_visit_word *visit, void *arg)
{
	visit(word_names[WORD_match], limit->match, arg);
	if (limit->algorithm == ALGORITHM_FIXED_WINDOW)
		visit(word_names[WORD_algorithm],
		    algorithm_name(limit->algorithm), arg);
	visit_number(WORD_capacity, limit->capacity, visit, arg);
	if (limit->algorithm == ALGORITHM_FIXED_WINDOW)
		visit_time(WORD_window, limit->window_us, visit, arg);
	else
		visit_time(WORD_recharge, limit->recharge_us, visit, arg);
	if (limit->block_us > 0)
		visit_time(WORD_block, limit->block_us, visit, arg);
	if (limit->on_error != ON_ERROR_MEMORY)
		visit(word_names[WORD_on_error],
		    on_error_name(limit->on_error), arg);
	if (limit->shadow)
		visit(word_names[WORD_shadow], "yes", arg);
	if (!limit->deny_cache)
		visit(word_names[WORD_deny_cache], "no", arg);
}

void
limit_init_inline(struct limit *limit, int64_t capacity, int64_t recharge_us,
    unsigned order)
{
	*limit = (struct limit){
	    .name = LIMIT_INLINE_NAME,
	    .algorithm = ALGORITHM_LEAKY_BUCKET,
	    .capacity = capacity,
	    .recharge_us = recharge_us,
	    .is_inline = true,
	    .deny_cache = true,
	    .order = LIMIT_INLINE_ORDER + order,
	};
	limit->id = make_id(limit);
}

int64_t
limit_life_us(const struct limit *limit)
{
	if (limit->is_inline)
		return LIMIT_INLINE_LIFE_US;
	switch (limit->algorithm) {
	case ALGORITHM_LEAKY_BUCKET:
		break;
	case ALGORITHM_FIXED_WINDOW:
		return limit->window_us;
	}
	return limit->capacity * limit->recharge_us + limit->block_us;
}

void
limit_free(struct limit *limit)
{
	if (!limit)
		return;
	pcre2_code_free(limit->regex);
	free(limit->literal);
	free(limit->match);
	free(limit);
}

const char *
algorithm_name(enum algorithm algorithm)
{
	return algorithm_names[algorithm];
}

const char *
on_error_name(enum on_error on_error)
{
	return on_error_names[on_error];
}
