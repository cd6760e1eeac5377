/**
 * http_check: which keys the original request of a /check has.
 *
 * A proxy asks about a request that it got: it passes the headers on, and says
 * method and target in others, or behind the path /check itself.
 */
#ifndef PROTOCOL_HTTP_HTTP_CHECK_H
#define PROTOCOL_HTTP_HTTP_CHECK_H

#include "protocol/http/http_ask.h"
#include "protocol/http/http_head.h"
#include "protocol/http/http_reader.h"
#include "protocol/original.h"

/** Find the keys of the original request of a head of ${piece}, whose path
 * behind "/check" is ${rest}, and whose query is ${query}.  Return NULL, or
 * what is wrong. */
const struct http_problem *http_check_route(
    const struct original_routing *routing, const struct http_head *head,
    const struct http_piece *piece, const struct http_word *rest,
    const struct http_word *query, struct routed_request *routed) MUST_USE;

#endif
