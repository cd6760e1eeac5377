/*
 * Any bytes as an override: a pattern, a newline, and a value.  What is read is
 * a limit with a note, and finds keys.
 */
#include "fuzz.h"
#include "limit/override.h"

#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *)data;
	const char *end = size > 0 ? memchr(bytes, '\n', size) : NULL;
	size_t len = end ? (size_t)(end - bytes) : 0;
	struct limit_error error;
	struct limit *limit;

	if (!end)
		return 0;
	limit = override_read(bytes, len, end + 1, size - len - 1, 1, &error);
	if (!limit) {
		check(memchr(error.reason, '\0', sizeof(error.reason)) != NULL);
		return 0;
	}
	check(limit->override->times == 0 || limit->override->times >= 2);
	check(limit->override->times <= OVERRIDE_TIMES_MAX);
	check(strlen(limit->override->note) < OVERRIDE_NOTE_MAX - 1);
	check(len > 0 && len <= OVERRIDE_PATTERN_MAX);
	limit_free(limit);
	return 0;
}
