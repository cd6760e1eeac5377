/**
 * original: the request that a proxy asks about, as routes see it.
 */
#ifndef PROTOCOL_ORIGINAL_H
#define PROTOCOL_ORIGINAL_H

#include "base/attr.h"
#include "base/network.h"
#include "limit/routes.h"

/** Most headers. */
#define ORIGINAL_FIELDS_MAX 100

struct rules;
struct rules_scratch;

/** A header. */
struct original_field {
	struct route_text name, value;
};

struct original {
	/* given, and borrowed */
	unsigned count;
	struct original_field fields[ORIGINAL_FIELDS_MAX];
	struct route_text method, host;
	struct route_text uri; /* its path */
	struct route_text query;

	/* as routes see it */
	char path[ROUTE_PATH_MAX];
	char name[256]; /* of the host, in lower case */
	char client[ADDRESS_TEXT_MAX], client64[ADDRESS_TEXT_MAX];
	struct route_request request;
};

/** What routes need, aside from the request. */
struct original_routing {
	const struct rules *rules; /* NULL: there are no routes */
	struct rules_scratch *scratch;
	struct ip_address peer;         /* that the request came from */
	const struct networks *trusted; /* NULL: none */
	const char *client_header;
	void (*visit)(const struct route *route, void *arg); /* or NULL */
	void *arg;
};

/** Its first header of that name, and the first one behind ${field}; or NULL.
 */
const struct original_field *original_field(
    const struct original *original, const char *name);
const struct original_field *original_field_behind(
    const struct original *original, const struct original_field *field,
    const char *name);

/** Its uri is a target, which may be an absolute URL, and have a query: divide
 * what is behind its host. */
void original_divide_uri(struct original *original);

/** Find the keys of the request.  Return 0, or -1: its path is longer than
 * ROUTE_PATH_MAX. */
int original_route(const struct original_routing *routing,
    struct original *original, struct routed_request *routed) MUST_USE;

#endif
