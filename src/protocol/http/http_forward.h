/**
 * http_forward: requests for upstreams, and the responses that are passed back.
 */
#ifndef PROTOCOL_HTTP_HTTP_FORWARD_H
#define PROTOCOL_HTTP_HTTP_FORWARD_H

#include "base/attr.h"
#include "protocol/http/http_ask.h"
#include "protocol/http/http_session.h"

/** Whether the request's path is that of upstreams. */
bool http_forward_is(const struct http_opened *opened);

/** The request has come as a whole, with its head and its body.  Its parts are
 * in common->forward. */
enum read_result http_forward_finish(struct session *session,
    struct request *request, const struct http_opened *opened,
    const struct http_word *head, const struct http_word *body);

/** As protocol->passed(). */
int http_forward_write(
    struct buf *out, unsigned encoding, const struct passed *part) MUST_USE;

#endif
