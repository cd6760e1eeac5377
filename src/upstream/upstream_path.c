#include "upstream/upstream_path.h"

#include "base/num.h"

#include <string.h>

static bool
upstream_path_is_unreserved(unsigned char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c >= '0' && c <= '9') || (c && strchr("-._~", c));
}

/* A byte that may not be in a path even if it is escaped: servers differ in
 * what they make of it. */
static bool
upstream_path_is_bad(unsigned char c)
{
	return c < 0x20 || c == 0x7f || c == '/' || c == '\\';
}

/* Take the byte at ${*at}, which may be escaped, and append it as it must be
 * written.  Return where it ends, or NULL: it may not be there. */
static char *
upstream_path_take(char *to, const char **at, const char *end, bool is_query)
{
	static const char digits[] = "0123456789ABCDEF";
	unsigned char c = (unsigned char)*(*at)++;
	int high, low;

	if (c != '%') {
		if (c <= ' ' || c >= 0x7f || c == '#' || c == '\\')
			return NULL;
		*to++ = (char)c;
		return to;
	}
	high = end - *at < 2 ? -1 : num_hex((*at)[0]);
	low = end - *at < 2 ? -1 : num_hex((*at)[1]);
	if (high == -1 || low == -1)
		return NULL;
	*at += 2;
	c = (unsigned char)(16 * high + low);
	if (!is_query && upstream_path_is_bad(c))
		return NULL;
	if (upstream_path_is_unreserved(c)) {
		*to++ = (char)c;
		return to;
	}
	*to++ = '%';
	*to++ = digits[c >> 4];
	*to++ = digits[c & 15];
	return to;
}

/* A segment, from ${start} to ${to}, is complete.  Return where the next one
 * starts, or NULL: it is "..", or "..;..." of which some servers make that. */
static char *
upstream_path_end_segment(char *start, char *to)
{
	if (to - start >= 2 && memcmp(start, "..", 2) == 0 &&
	    (to - start == 2 || start[2] == ';'))
		return NULL;
	return to - start == 1 && *start == '.' ? start : to;
}

bool
upstream_path_normalize(char *to, const char *target, size_t len)
{
	const char *at = target, *end = at + len;
	char *segment;
	bool is_query = false;

	if (at < end && *at == '/')
		at++;
	else if (at < end && *at != '?')
		return false;
	*to++ = '/';
	segment = to;
	while (at < end) {
		bool ends = !is_query && (*at == '/' || *at == '?');
		char *stop = ends ? upstream_path_end_segment(segment, to) : to;

		if (!stop)
			return false;
		if (stop != to && *at == '/') { /* "./" is nothing */
			to = stop;
			at++;
			continue;
		}
		is_query |= ends && *at == '?';
		to = upstream_path_take(stop, &at, end, is_query);
		if (!to)
			return false;
		if (ends)
			segment = to;
	}
	if (!is_query && !(to = upstream_path_end_segment(segment, to)))
		return false;
	*to = '\0';
	return true;
}
