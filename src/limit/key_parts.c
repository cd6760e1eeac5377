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

/* A regular expression that is too hard to try has no groups. */
static void
key_parts_find_groups(const struct limit *limit, const struct key *key,
    struct rules_scratch *scratch, struct key_parts *parts)
{
	int groups = rules_scratch_try(
	    scratch, limit->regex, limit->anchored, key->bytes, key->len);

	for (int i = 1; i < groups && i < KEY_PARTS_MAX; i++)
		parts->of[i].bytes = rules_scratch_group(
		    scratch, i, key->bytes, &parts->of[i].len);
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
