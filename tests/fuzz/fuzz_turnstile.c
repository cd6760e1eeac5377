/*
 * Any bytes as a limit of Turnstile, alone in a set: what becomes of it is two
 * lines, a route and a limit, which are read as text, too, and say the same.
 */
#include "fuzz.h"
#include "limit/rules_text.h"
#include "limit/turnstile.h"

#include <string.h>

static void
check_lines(const struct rules *rules, const char *bytes, size_t size)
{
	struct rules_line lines[2];
	struct buf text = {0};
	struct limit_error why;
	struct reasons reasons;
	struct rules *again;
	const char *end;

	check(turnstile_write(&text, bytes, size, &why) == TURNSTILE_LINES);
	end = memchr(buf_data(&text), '\n', buf_len(&text));
	check(end != NULL);
	lines[0] = (struct rules_line){
	    buf_data(&text), (size_t)(end - buf_data(&text))};
	lines[1] =
	    (struct rules_line){end + 1, buf_len(&text) - lines[0].len - 2};
	check(!memchr(lines[1].bytes, '\n', lines[1].len));
	again = rules_from_lines("again", lines, 2, &reasons);
	check(again != NULL);
	check(strcmp(rules_digest(again), rules_digest(rules)) == 0);
	rules_unref(again);
	buf_free(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct rules_line line = {(const char *)data, size};
	struct reasons reasons;
	struct rules *rules;

	if (!turnstile_is_member(line.bytes, size))
		return 0;
	rules = rules_from_lines("fuzz", &line, 1, &reasons);
	if (rules && rules_count(rules) > 0) {
		check(rules_count(rules) == 1);
		check(rules_routes(rules)->count == 1);
		check_lines(rules, line.bytes, size);
	}
	rules_unref(rules);
	return 0;
}
