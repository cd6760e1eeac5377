/*
 * Job: the list of routes, and the way of a request through it.
 * Invariant: a request takes routes in their order, none twice.
 * The heart: routes_find() and routes_take().
 */
#include "limit/routes.h"

#include <stdlib.h>
#include <string.h>

/*
 * Building.
 */

int
routes_add(struct routes *routes, struct route *route)
{
	if (routes->count == routes->cap) {
		size_t cap = routes->cap ? routes->cap * 2 : 16;
		struct route **items =
		    reallocarray(routes->items, cap, sizeof(*items));

		if (!items)
			return -1;
		routes->items = items;
		routes->cap = cap;
	}
	routes->items[routes->count++] = route;
	return 0;
}

int
routes_finish(struct routes *routes)
{
	struct prefix *prefixes;
	int status;

	if (routes->count == 0)
		return 0;
	prefixes = calloc(routes->count, sizeof(*prefixes));
	if (!prefixes)
		return -1;
	for (size_t i = 0; i < routes->count; i++) {
		const char *literal = route_literal(routes->items[i]);

		prefixes[i] =
		    (struct prefix){literal, strlen(literal), (unsigned)i};
	}
	status = prefix_index_build(&routes->index, prefixes, routes->count);
	free(prefixes);
	return status;
}

void
routes_free(struct routes *routes)
{
	for (size_t i = 0; i < routes->count; i++)
		route_free(routes->items[i]);
	free(routes->items);
	prefix_index_free(&routes->index);
	*routes = (struct routes){0};
}

size_t
routes_most_keys(const struct routes *routes)
{
	size_t total = 0, most = 0;

	for (size_t i = 0; i < routes->count; i++) {
		unsigned count = route_keys_count(routes->items[i]);

		if (route_continues(routes->items[i]))
			total += count;
		else if (count > most)
			most = count;
	}
	return total + most;
}

size_t
routes_sure_keys(const struct routes *routes)
{
	size_t most = 0;

	for (size_t i = 0; i < routes->count; i++) {
		size_t count = route_keys_count(routes->items[i]);

		for (size_t k = 0; k < i; k++)
			if (route_continues(routes->items[k]) &&
			    route_covers(routes->items[k], routes->items[i]))
				count += route_keys_count(routes->items[k]);
		if (count > most)
			most = count;
	}
	return most;
}

const struct route *
routes_cover(const struct routes *routes, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (!route_continues(routes->items[k]) &&
		    route_covers(routes->items[k], routes->items[i]))
			return routes->items[k];
	return NULL;
}

/*
 * Requests.
 */

/* The first route from number ${from} on that matches, or INDEX_NONE. */
static unsigned
routes_find(const struct routes *routes, const struct route_request *request,
    struct rules_scratch *scratch, unsigned from, struct route_names *names)
{
	const struct prefix_entry *entries = routes->index.entries;
	unsigned best = INDEX_NONE;
	unsigned i = prefix_index_longest(
	    &routes->index, request->path.bytes, request->path.len);

	for (; i != INDEX_NONE; i = entries[i].parent) {
		unsigned order = entries[i].prefix.order;
		struct route_names matched;

		if (order < from || order >= best ||
		    !route_matches(
			routes->items[order], request, scratch, &matched))
			continue;
		best = order;
		*names = matched;
	}
	return best;
}

/* The same key twice counts with the sum. */
static void
routes_join_same(struct routed_request *to, unsigned from)
{
	unsigned count = from;

	for (unsigned i = from; i < to->count; i++) {
		const struct route_key *key = &to->keys[i];
		unsigned k = 0;

		while (k < count && (to->keys[k].len != key->len ||
					memcmp(to->keys[k].bytes, key->bytes,
					    key->len) != 0))
			k++;
		if (k == count) {
			if (k != i)
				to->keys[k] = *key;
			count++;
			continue;
		}
		to->keys[k].amount += key->amount;
		if (to->keys[k].amount > LIMIT_AMOUNT_MAX)
			to->keys[k].amount = LIMIT_AMOUNT_MAX;
	}
	to->count = count;
}

/* Take the keys of one route.  Return whether the request goes on. */
static bool
routes_take(const struct route *route, const struct route_request *request,
    const struct route_names *names, struct routed_request *to)
{
	unsigned from = to->count;
	int count = route_write_keys(
	    route, request, names, to->keys + from, ROUTE_KEYS_MAX - from);

	if (to->routed == ROUTED_NOWHERE)
		to->denied = route_denied(route);
	if (count == -1 || (unsigned)count > ROUTE_KEYS_MAX - from) {
		to->routed = count == -1 ? ROUTED_TOOLONG : ROUTED_TOOMANY;
		return false;
	}
	if (count == 0 && route_is_required(route)) {
		to->routed = ROUTED_DENIED;
		return false;
	}
	to->count += (unsigned)count;
	routes_join_same(to, from);
	to->routed = to->count > 0 ? ROUTED_KEYS : ROUTED_FREE;
	return route_continues(route);
}

void
routes_route(const struct routes *routes, const struct route_request *request,
    struct rules_scratch *scratch, struct routed_request *to,
    void (*visit)(const struct route *route, void *arg), void *arg)
{
	struct route_names names;
	unsigned i = 0;

	to->routed = ROUTED_NOWHERE;
	to->denied = ROUTE_DEFER_IF_PERMIT;
	to->count = 0;
	do {
		i = routes_find(routes, request, scratch, i, &names);
		if (i == INDEX_NONE)
			return;
		if (visit)
			visit(routes->items[i], arg);
	} while (routes_take(routes->items[i++], request, &names, to));
}
