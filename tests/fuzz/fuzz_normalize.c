/*
 * Any key under a limit that normalizes keys: the
 * result is a key within its bounds, and, where the address is all that follows
 * a prefix, the same once it is normalized again.
 */
#include "fuzz.h"
#include "limit/normalize.h"
#include "limit/rules_text.h"

#include <string.h>

static const char text[] =
    "[a]\nmatch = ip:*\ncapacity = 1\nrate = 1/s\nnormalize = ip\n"
    "[b]\nmatch = net:*\ncapacity = 1\nrate = 1/s\nnormalize = lower ip64\n"
    "[c]\nmatch = c*/*:*\ncapacity = 1\nrate = 1/s\nnormalize = ip64\n"
    "[d]\nmatch = ~^(d([^:]*:)+|(.*))x(.*)\ncapacity = 1\nrate = 1/s\n"
    "normalize = ip\n"
    "[e]\nmatch = *\ncapacity = 1\nrate = 1/s\nnormalize = lower\n";

static struct rules *rules;
static struct rules_scratch *scratch;

static void
check_again(const struct limit *limit, const struct key *key)
{
	char room[NORMALIZED_MAX];
	struct key again;

	if (limit->kind != MATCH_PREFIX ||
	    limit_matches(limit, key, scratch) == MATCH_NO)
		return;
	again = normalize_key(limit, key, scratch, room);
	check(again.bytes == key->bytes && again.len == key->len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reasons reasons;
	const struct limit *limit;
	struct key key, made;
	char *room;

	if (!rules) {
		rules = rules_from_ini("fuzz", text, strlen(text), &reasons);
		scratch = rules_scratch_new();
		check(rules && scratch);
	}
	if (size < 1 || size > KEY_MAX)
		return 0;
	key = key_make((const char *)data, size);
	limit = rules_match(rules, &key, scratch);
	check(limit != NULL);
	/* Of its own, for the sanitizer to see where it ends. */
	room = malloc(size + NORMALIZE_MORE);
	check(room != NULL);
	made = normalize_key(limit, &key, scratch, room);
	check(made.len >= 1 && made.len <= KEY_MAX &&
	      made.len <= size + NORMALIZE_MORE);
	check(made.bytes == room || made.bytes == key.bytes);
	check_again(limit, &made);
	free(room);
	return 0;
}
