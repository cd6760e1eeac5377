#include "limit/pattern.h"

#include "limit/glob.h"
#include "limit/key.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <stdlib.h>
#include <string.h>

static int
pattern_read_glob(struct limit *limit, struct limit_error *error)
{
	const char *fault = glob_fault(limit->match);

	if (fault)
		return word_fail(error, "match %s", fault);
	limit->literal = malloc(strlen(limit->match) + 1);
	if (!limit->literal)
		return word_fail(error, "out of memory");
	limit->rest = glob_literal(limit->match, limit->literal);
	limit->literal_len = strlen(limit->literal);
	if (*limit->rest == '\0')
		limit->kind = MATCH_EXACT;
	else if (strcmp(limit->rest, "*") == 0)
		limit->kind = MATCH_PREFIX;
	else
		limit->kind = MATCH_GLOB;
	return 0;
}

static int
pattern_read_regex(struct limit *limit, struct limit_error *error)
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
	return word_fail(
	    error, "match, at byte %zu: %s", offset + 1, (char *)reason);
}

int
pattern_set(struct limit *limit, const char *value, struct limit_error *error)
{
	if (*value == '\0')
		return word_fail(error, "match is empty");
	limit->match = strdup(value);
	if (!limit->match)
		return word_fail(error, "out of memory");
	return *value == '~' ? pattern_read_regex(limit, error)
			     : pattern_read_glob(limit, error);
}

/* Whether the character at ${at} follows a backslash that is none itself. */
static bool
pattern_is_escaped(const char *start, const char *at)
{
	bool escaped = false;

	while (at > start && *--at == '\\')
		escaped = !escaped;
	return escaped;
}

int
pattern_finish(struct limit *limit, struct limit_error *error)
{
	const char *last;

	if (!limit->segments || limit->kind == MATCH_EXACT)
		return 0;
	if (limit->kind == MATCH_REGEX)
		return word_fail(
		    error, "segments does not go with a regular expression");
	limit->kind = MATCH_GLOB;
	if (limit->literal_len == 0)
		return 0;
	last = limit->rest - 1;
	if (glob_may_lack(last) && !pattern_is_escaped(limit->match, last)) {
		limit->rest = last;
		limit->literal[--limit->literal_len] = '\0';
	}
	return 0;
}

struct hash128
pattern_hash(const struct limit *limit)
{
	struct hash128 hash = key_make(limit->match, strlen(limit->match)).hash;

	hash.lo ^= limit->segments;
	return hash;
}

/* A \ before the sign says that it is meant. */
const char *
pattern_doubt(const struct limit *limit)
{
	const char *match = limit->match;
	size_t len = strlen(match);
	bool ends =
	    match[len - 1] == '$' && (len < 2 || match[len - 2] != '\\');

	return limit->kind != MATCH_REGEX && (*match == '^' || ends)
		   ? "looks like a regular expression, but has no ~ before it"
		   : NULL;
}

void
pattern_free(struct limit *limit)
{
	pcre2_code_free(limit->regex);
	free(limit->literal);
	free(limit->match);
}
