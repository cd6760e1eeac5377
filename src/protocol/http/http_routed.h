/**
 * http_routed: a request whose keys a route says, from its head to its end.
 *
 * They are found when its head was read, in session->common->routed, and stored
 * with the session if its body is still to come.
 */
#ifndef PROTOCOL_HTTP_HTTP_ROUTED_H
#define PROTOCOL_HTTP_HTTP_ROUTED_H

#include "protocol/http/http_ask.h"
#include "protocol/http/http_session.h"

/** Whether its path is one of those. */
bool http_routed_is(const struct http_opened *opened);

/** Find the keys of a request whose head is ${piece}.  Return NULL, or what is
 * wrong. */
const struct http_problem *http_routed_open(struct session *session,
    const struct http_piece *piece, const struct http_word *path,
    const struct http_word *query, struct http_opened *opened) MUST_USE;

/** The bytes of what was found, to be stored. */
struct http_word http_routed_bytes(const struct session_common *common);

/** The request has come as a whole; ${stored} is what was stored of it, or
 * NULL. */
enum read_result http_routed_finish(struct session *session,
    struct request *request, const struct http_opened *opened,
    const struct http_word *stored);

#endif
