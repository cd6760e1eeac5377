/* A file of limits may have any text, and clients may ask about any key. */
#include "fuzz.h"
#include "limit/rules_text.h"

#include <stdlib.h>
#include <string.h>

static const char *const texts[] = {"login:42", "api:10.0.0.7", "a", "aaaaaaab",
    "[]*?\\", "caf\xC3\xA9:\xF0\x9F\x92\xA7"};

/* The index must find what trying the limits one by one finds. */
static void
try_key(const struct rules *rules, const char *text, size_t len,
    struct rules_scratch *scratch)
{
	const struct limit *expected = NULL;
	struct key key;

	if (!key_is_valid(text, len))
		return;
	key = key_make(text, len);
	for (size_t i = 0; i < rules_count(rules) && !expected; i++)
		if (limit_matches(rules_at(rules, i), &key, scratch))
			expected = rules_at(rules, i);
	if (rules_match(rules, &key, scratch) != expected)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reasons reasons = {0};
	struct rules *rules =
	    rules_from_ini("fuzz", (const char *)data, size, &reasons);
	struct rules_scratch *scratch;

	if (!rules) {
		if (reasons_first(&reasons)[0] == '\0' ||
		    strchr(reasons_first(&reasons), '\n'))
			abort();
		return 0;
	}
	scratch = rules_scratch_new();
	if (!scratch)
		abort();
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		try_key(rules, texts[i], strlen(texts[i]), scratch);
	for (size_t i = 0; i < rules_count(rules) && i < 8; i++) {
		const struct limit *limit = rules_at(rules, i);

		try_key(rules, limit->match, strlen(limit->match), scratch);
		if (limit->literal)
			try_key(
			    rules, limit->literal, limit->literal_len, scratch);
	}
	rules_scratch_free(scratch);
	rules_unref(rules);
	return 0;
}
