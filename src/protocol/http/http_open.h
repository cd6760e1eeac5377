/**
 * http_open: what the head of a request asks for.
 */
#ifndef PROTOCOL_HTTP_HTTP_OPEN_H
#define PROTOCOL_HTTP_HTTP_OPEN_H

#include "base/attr.h"
#include "protocol/http/http_ask.h"
#include "protocol/http/http_session.h"

/** Find that out of the head that was just read, ${piece}, and set ${path} and
 * ${query}, which are of it.  Return NULL, or what is wrong. */
const struct http_problem *http_open(const struct session *session,
    const struct http_piece *piece, struct http_word *path,
    struct http_word *query, struct http_opened *opened) MUST_USE;

#endif
