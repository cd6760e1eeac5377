/**
 * http_check: which keys the original request of a /check has.
 *
 * A proxy asks about a request that it got: it passes the headers on, and says
 * method and target in others, or behind the path /check itself.
 */
#ifndef PROTOCOL_HTTP_HTTP_CHECK_H
#define PROTOCOL_HTTP_HTTP_CHECK_H

#include "base/network.h"
#include "limit/routes.h"
#include "protocol/http/http_ask.h"
#include "protocol/http/http_head.h"
#include "protocol/http/http_reader.h"

struct rules;
struct rules_scratch;

/** What routes need, aside from the request. */
struct http_routing {
	const struct rules *rules; /* NULL: there are no routes */
	struct rules_scratch *scratch;
	struct ip_address peer;
	const struct networks *trusted; /* NULL: none */
	const char *client_header;
	void (*visit)(const struct route *route, void *arg); /* or NULL */
	void *arg;
};

/** Find the keys of the original request of a head of ${piece}, whose path
 * behind "/check" is ${rest}, and whose query is ${query}.  Return NULL, or
 * what is wrong. */
const struct http_problem *http_check_route(const struct http_routing *routing,
    const struct http_head *head, const struct http_piece *piece,
    const struct http_word *rest, const struct http_word *query,
    struct routed_request *routed) MUST_USE;

#endif
