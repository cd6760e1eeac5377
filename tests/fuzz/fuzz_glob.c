/*
 * Any pattern on any text, a NUL between the two: what is ASCII matches where
 * fnmatch(3) has it so, and all else reads no byte that is not its own.  By
 * segments, too, without what they have of their own.
 */
#include "fuzz.h"
#include "limit/glob.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

static bool
is_plain(const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (data[i] == '\0' || data[i] >= 0x80)
			return false;
	return true;
}

/* Symbols of collation ([.a.], [=a=]) have no meaning of their own to us, nor
 * has a class that does not exist. */
static bool
is_known(const char *pattern)
{
	return !strstr(pattern, "[.") && !strstr(pattern, "[=") &&
	       !strstr(pattern, "[:");
}

/* Whether by segments it is a path to us, too. */
static bool
is_path(const char *pattern, const char *text)
{
	return !strstr(pattern, "=*") && !strchr(pattern, '[') &&
	       !strchr(text, '%');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = size ? memchr(data, '\0', size) : NULL;
	const char *pattern = (const char *)data;
	size_t len;
	char *text;
	bool does, by_segments;

	if (!nul || size > 600)
		return 0;
	len = size - (size_t)(nul + 1 - data);
	/* Of its own, for the sanitizer to see where it ends; and terminated.
	 */
	text = malloc(len + 1);
	if (!text || glob_fault(pattern)) {
		free(text);
		return 0;
	}
	memcpy(text, nul + 1, len);
	text[len] = '\0';
	does = glob_matches(pattern, text, len);
	by_segments = glob_matches_segments(pattern, text, len);
	if (is_plain(data, (size_t)(nul - data)) && is_plain(nul + 1, len) &&
	    is_known(pattern))
		check(does == (fnmatch(pattern, text, 0) == 0));
	if (is_plain(data, (size_t)(nul - data)) && is_plain(nul + 1, len) &&
	    is_path(pattern, text))
		check(
		    by_segments == (fnmatch(pattern, text, FNM_PATHNAME) == 0));
	free(text);
	text = malloc(len ? len : 1);
	if (text) {
		memcpy(text, nul + 1, len);
		check(glob_matches(pattern, text, len) == does);
		check(glob_matches_segments(pattern, text, len) == by_segments);
	}
	free(text);
	return 0;
}
