/*
 * Job: takes the original request out of the headers of a proxy.
 * Invariant: what says the original request was said by the proxy: what a
 * client may have sent beside that is refused.
 * The heart: http_check_find().
 */
#include "protocol/http/http_check.h"

#include "base/attr.h"

#include <string.h>

_Static_assert(
    HTTP_FIELDS_MAX <= ORIGINAL_FIELDS_MAX, "all of a head have room");

/*
 * Headers.
 */

/* The head was read already: its lines are fine. */
static void
http_check_divide(struct original *original, const struct http_piece *head)
{
	const char *at = head->bytes, *end = at + head->len;

	original->count = 0;
	at = (const char *)memchr(at, '\n', head->len) + 1;
	while (end - at > 2 && original->count < HTTP_FIELDS_MAX) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		struct http_line line = {head->bytes,
		    (size_t)(at - head->bytes), (size_t)(stop - at - 1)};
		struct http_line value = {0};
		const char *colon = memchr(at, ':', line.len);

		if (http_head_split(&line, &value))
			return;
		original->fields[original->count++] =
		    (struct original_field){.name = {at, (size_t)(colon - at)},
			.value = {head->bytes + value.at, value.len}};
		at = stop + 1;
	}
}

static bool
http_check_is_twice(const struct original *original, const char *name)
{
	const struct original_field *first = original_field(original, name);

	return first && original_field_behind(original, first, name);
}

static void
http_check_take(
    const struct original *original, const char *name, struct route_text *to)
{
	const struct original_field *field = original_field(original, name);

	if (field)
		*to = field->value;
}

/*
 * The original request.
 */

/* Where proxies say it. */
static const struct {
	const char *uri, *method, *host;
} http_check_ways[] = {
    {"x-original-uri", "x-original-method", NULL},
    {"x-forwarded-uri", "x-forwarded-method", "x-forwarded-host"},
};

/* The request of the proxy itself, of which ${rest} is behind /check. */
static void
http_check_take_own(struct original *original, const struct http_head *head,
    const struct http_piece *piece, const struct http_word *rest,
    const struct http_word *query)
{
	const char *blank = memchr(piece->bytes, ' ', piece->len);

	original->method =
	    (struct route_text){piece->bytes, (size_t)(blank - piece->bytes)};
	original->host =
	    (struct route_text){piece->bytes + head->host.at, head->host.len};
	original->uri = (struct route_text){rest->bytes, rest->len};
	original->query = (struct route_text){query->bytes, query->len};
}

/* If there is no rest of the path, headers say the original request.  One that
 * is said in two ways may be the client's. */
static const struct http_problem *
http_check_find(struct original *original, const struct http_word *rest)
{
	int way = -1;

	if (rest->len > 0)
		return NULL;
	for (size_t i = 0; i < COUNT(http_check_ways); i++) {
		if (!original_field(original, http_check_ways[i].uri))
			continue;
		if (way != -1 ||
		    http_check_is_twice(original, http_check_ways[i].uri) ||
		    http_check_is_twice(original, http_check_ways[i].method) ||
		    (http_check_ways[i].host &&
			http_check_is_twice(original, http_check_ways[i].host)))
			return HTTP_PROBLEM(AMBIGUOUS);
		way = (int)i;
	}
	if (way == -1)
		return HTTP_PROBLEM(NOORIGINAL);
	http_check_take(original, http_check_ways[way].uri, &original->uri);
	http_check_take(
	    original, http_check_ways[way].method, &original->method);
	if (http_check_ways[way].host)
		http_check_take(
		    original, http_check_ways[way].host, &original->host);
	original_divide_uri(original);
	return NULL;
}

const struct http_problem *
http_check_route(const struct original_routing *routing,
    const struct http_head *head, const struct http_piece *piece,
    const struct http_word *rest, const struct http_word *query,
    struct routed_request *routed)
{
	struct original original;
	const struct http_problem *problem;

	http_check_divide(&original, piece);
	http_check_take_own(&original, head, piece, rest, query);
	problem = http_check_find(&original, rest);
	if (problem)
		return problem;
	if (original_route(routing, &original, routed) == -1)
		return HTTP_PROBLEM(BIGTARGET);
	if (routed->routed == ROUTED_TOOMANY)
		return http_problem_of(ERROR_TOOMANY);
	return routed->routed == ROUTED_TOOLONG ? HTTP_PROBLEM(BIGKEY) : NULL;
}
