/**
 * routes: the ordered list of routes; finds those that a request takes.
 *
 * A zeroed list is empty.  A search skips routes whose path starts in another
 * way than the request's.
 */
#ifndef LIMIT_ROUTES_H
#define LIMIT_ROUTES_H

#include "base/attr.h"
#include "limit/index.h"
#include "limit/route.h"

struct routes {
	struct route **items;
	size_t count, cap;
	struct prefix_index index; /* of what their paths start with */
};

/** Append a route, which the list takes over.  Return 0, or -1 (out of
 * memory). */
int routes_add(struct routes *routes, struct route *route) MUST_USE;

/** All were added and finished.  Return 0, or -1 (out of memory). */
int routes_finish(struct routes *routes) MUST_USE;

/** Free all of it. */
void routes_free(struct routes *routes);

/** No request can get more keys of them. */
size_t routes_most_keys(const struct routes *routes);

/** So many keys there are for some request, unless parts of them are missing,
 * as far as is easily seen. */
size_t routes_sure_keys(const struct routes *routes);

/** A route before number ${i} that takes all its requests, or NULL. */
const struct route *routes_cover(const struct routes *routes, size_t i);

/** What becomes of a request. */
enum routed {
	ROUTED_NOWHERE, /* no route matches */
	ROUTED_FREE,    /* without a key: it may pass */
	ROUTED_DENIED,  /* without a key, but one is required */
	ROUTED_TOOLONG, /* a key of it is too long */
	ROUTED_TOOMANY, /* it gets more than ROUTE_KEYS_MAX */
	ROUTED_KEYS,
};

struct routed_request {
	enum routed routed;
	enum route_denied denied; /* of the first route that it takes */
	unsigned count;           /* of keys, all different */
	struct route_key keys[ROUTE_KEYS_MAX];
};

/** Find the keys of ${request}.  ${visit}, unless NULL, is called for each
 * route that it takes. */
void routes_route(const struct routes *routes,
    const struct route_request *request, struct rules_scratch *scratch,
    struct routed_request *to,
    void (*visit)(const struct route *route, void *arg), void *arg);

#endif
