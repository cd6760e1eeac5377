/*
 * Any routes, behind them a NUL and any request to a /check: the index finds
 * what trying the routes one by one does, and what is written of a route is
 * read back.
 */
#include "fuzz.h"
#include "limit/rules_text.h"
#include "protocol/http/http_check.h"

#include <stdlib.h>
#include <string.h>

static struct rules_scratch *scratch;
static const struct route *taken;

static void
take(const struct route *route, void *arg)
{
	(void)arg;
	if (!taken)
		taken = route;
}

static struct route_text
get_none(const struct route_request *request, const struct route_text *name)
{
	(void)request;
	(void)name;
	return (struct route_text){0};
}

static struct route_text
get_no_query(const struct route_request *request, const struct route_text *name,
    char room[KEY_TEXT_MAX + 1])
{
	(void)room;
	return get_none(request, name);
}

/* A path alone, as it is. */
static void
try_path(const struct routes *routes, const char *path, size_t len)
{
	const struct route_request request = {.path = {path, len},
	    .method = {"GET", 3},
	    .client = {"::1", 3},
	    .header = get_none,
	    .query = get_no_query,
	    .cookie = get_none};
	const struct route *expected = NULL;
	struct routed_request routed;
	struct route_names names;

	for (size_t i = 0; i < routes->count && !expected; i++)
		if (route_matches(routes->items[i], &request, scratch, &names))
			expected = routes->items[i];
	taken = NULL;
	routes_route(routes, &request, scratch, &routed, take, NULL);
	check(taken == expected);
	check(routed.count <= ROUTE_KEYS_MAX);
	for (unsigned i = 0; i < routed.count; i++)
		check(key_is_valid(routed.keys[i].bytes, routed.keys[i].len));
}

static void
try_head(const struct rules *rules, const char *bytes, size_t len)
{
	struct networks trusted;
	struct http_reader reader = {0};
	struct http_piece piece;
	struct routed_request routed;
	struct original_routing routing = {.rules = rules,
	    .scratch = scratch,
	    .peer = {.kind = ADDRESS_UNIX},
	    .trusted = &trusted,
	    .client_header = len % 2 ? "Forwarded" : "X-Forwarded-For"};
	struct http_word rest, query = {.bytes = ""};
	size_t used;

	networks_read(&trusted, "unix 10.0.0.0/8 fd00::/8");
	if (http_read(&reader, bytes, len, &used, &piece) != HTTP_HEAD_READ)
		return;
	rest = (struct http_word){.bytes = piece.bytes + reader.head.target.at,
	    .len = len % 3 ? reader.head.target.len : 0};
	if (http_check_route(
		&routing, &reader.head, &piece, &rest, &query, &routed))
		return;
	check(routed.count <= ROUTE_KEYS_MAX);
	for (unsigned i = 0; i < routed.count; i++) {
		check(key_is_valid(routed.keys[i].bytes, routed.keys[i].len));
		check(routed.keys[i].amount >= 1 &&
		      routed.keys[i].amount <= LIMIT_AMOUNT_MAX);
	}
}

static void
try_text(const struct route *route)
{
	struct buf line = {0}, again = {0};
	struct rules_line item;
	struct reasons reasons = {0};
	struct rules *read;

	check(route_write_line(&line, route) == 0);
	item = (struct rules_line){buf_data(&line), buf_len(&line)};
	read = route_has_blank(route) || item.len > RULES_LINE_MAX
		   ? NULL
		   : rules_from_lines("", &item, 1, &reasons);
	if (read) {
		check(route_write_line(&again, rules_routes(read)->items[0]) ==
		      0);
		check(buf_len(&again) == item.len &&
		      memcmp(buf_data(&again), item.bytes, item.len) == 0);
	}
	rules_unref(read);
	buf_free(&line);
	buf_free(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = size ? memchr(data, '\0', size) : NULL;
	size_t text = nul ? (size_t)(nul - data) : size;
	struct reasons reasons = {0};
	struct rules *rules;
	const struct routes *routes;
	const char *rest = (const char *)data + text + (nul != NULL);
	size_t len = size - text - (nul != NULL);
	char path[ROUTE_PATH_MAX];

	rules = rules_from_ini("fuzz", (const char *)data, text, &reasons);
	scratch = rules_scratch_new();
	check(scratch != NULL);
	try_head(rules, rest, len);
	if (rules) {
		routes = rules_routes(rules);
		if (len <= sizeof(path))
			try_path(
			    routes, path, route_clean_path(path, rest, len));
		for (size_t i = 0; i < routes->count && i < 8; i++) {
			const char *literal = route_literal(routes->items[i]);

			try_path(routes, literal, strlen(literal));
			try_text(routes->items[i]);
		}
	}
	rules_scratch_free(scratch);
	rules_unref(rules);
	return 0;
}
