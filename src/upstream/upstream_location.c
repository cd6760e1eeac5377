/*
 * Job: reads a location that a server chose, and lets it lead only to targets
 * that a client could have asked for itself.
 * Invariant: nothing of it can become the host, the port or a user: what is not
 * the upstream's own in the upstream's own words is none.
 * The heart: upstream_location_read().
 */
#include "upstream/upstream_location.h"

#include "upstream/upstream_path.h"

#include <string.h>
#include <strings.h>

/* Take ${len} bytes of ${text} off ${part}.  Return whether it has them. */
static bool
upstream_location_skip(struct part *part, const char *text, size_t len)
{
	if (part->len < len || strncasecmp(part->bytes, text, len) != 0)
		return false;
	part->bytes += len;
	part->len -= len;
	return true;
}

/* Up to one of ${ends}. */
static size_t
upstream_location_span(struct part part, const char *ends)
{
	size_t len = 0;

	while (len < part.len &&
	       (part.bytes[len] == '\0' || !strchr(ends, part.bytes[len])))
		len++;
	return len;
}

static bool
upstream_location_put(struct buf *to, struct part target)
{
	char *room = buf_reserve(to, target.len + 3);

	if (!room || !upstream_path_normalize(room, target.bytes, target.len))
		return false;
	buf_commit(to, strlen(room) + 1);
	return true;
}

/* "?QUERY", or "NAME" next to the target. */
static bool
upstream_location_put_relative(
    struct buf *to, struct part target, struct part location)
{
	struct buf whole = {0};
	bool result;

	target.len = upstream_location_span(target, "?");
	while (*location.bytes != '?' && target.len > 0 &&
	       target.bytes[target.len - 1] != '/')
		target.len--;
	result = buf_add(&whole, target.bytes, target.len) == 0 &&
		 buf_add(&whole, location.bytes, location.len) == 0 &&
		 upstream_location_put(
		     to, (struct part){buf_data(&whole), buf_len(&whole)});
	buf_free(&whole);
	return result;
}

bool
upstream_location_read(
    struct buf *to, const char *url, struct part target, struct part location)
{
	const char *host = strstr(url, "://");
	const char *base = host ? host + 3 + strcspn(host + 3, "/") : NULL;
	struct part rest;
	bool is_whole;

	location.len = upstream_location_span(location, "#");
	rest = location;
	if (!base || location.len == 0)
		return false;
	is_whole = upstream_location_skip(&rest, url, (size_t)(base - url));
	if (!is_whole && *location.bytes != '/') {
		/* What has a colon in its first segment is another URL. */
		size_t len = upstream_location_span(location, "/?:");

		return (len == location.len || location.bytes[len] != ':') &&
		       upstream_location_put_relative(to, target, location);
	}
	if (!is_whole && location.len > 1 && location.bytes[1] == '/')
		return false; /* "//HOST" */
	if (rest.len < strlen(base) ||
	    memcmp(rest.bytes, base, strlen(base)) != 0)
		return false;
	rest.bytes += strlen(base);
	rest.len -= strlen(base);
	/* What does not go on with a slash or a query is no target: a port, a
	 * user, a longer name. */
	return upstream_location_put(to, rest);
}
