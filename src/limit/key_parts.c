#include "limit/key_parts.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

unsigned
key_parts_count(const struct limit *limit)
{
	uint32_t groups = 0;

	if (limit->kind != MATCH_REGEX)
		return glob_count_stars(limit->match);
	pcre2_pattern_info(limit->regex, PCRE2_INFO_CAPTURECOUNT, &groups);
	return groups;
}

/* What in ${key} the part of its text as UTF-8 comes from. */
static struct glob_part
key_parts_origin(
    const struct key *key, const char *text, const struct glob_part *part)
{
	size_t start, end;

	if (!part->bytes)
		return *part;
	start =
	    key_utf8_origin(key->bytes, key->len, (size_t)(part->bytes - text));
	end = key_utf8_origin(
	    key->bytes, key->len, (size_t)(part->bytes - text) + part->len);
	return (struct glob_part){key->bytes + start, end - start};
}

/* A regular expression that is too hard to try has no groups.  One that matches
 * does so as rules_match() tries it, where a byte that is no part of UTF-8 is a
 * character of its own. */
static void
key_parts_find_groups(const struct limit *limit, const struct key *key,
    struct rules_scratch *scratch, struct key_parts *parts)
{
	const char *text = key->bytes;
	char utf8[KEY_UTF8_MAX];
	int groups = rules_scratch_try(
	    scratch, limit->regex, limit->anchored, text, key->len);

	if (rules_scratch_is_no_utf8(groups)) {
		text = utf8;
		groups =
		    rules_scratch_try(scratch, limit->regex, limit->anchored,
			utf8, key_write_utf8(utf8, key->bytes, key->len));
	}
	for (int i = 1; i < groups && i < KEY_PARTS_MAX; i++) {
		struct glob_part part;

		part.bytes = rules_scratch_group(scratch, i, text, &part.len);
		parts->of[i] =
		    text == utf8 ? key_parts_origin(key, text, &part) : part;
	}
}

void
key_parts_find(const struct limit *limit, const struct key *key,
    struct rules_scratch *scratch, struct key_parts *parts)
{
	*parts = (struct key_parts){.of = {{key->bytes, key->len}}};
	if (limit->kind == MATCH_REGEX)
		key_parts_find_groups(limit, key, scratch, parts);
	else
		glob_find_stars(limit->match, limit->segments, key->bytes,
		    key->len, &parts->of[1], KEY_PARTS_MAX - 1);
}
