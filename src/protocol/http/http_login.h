/**
 * http_login: who makes a request of HTTP.
 */
#ifndef PROTOCOL_HTTP_HTTP_LOGIN_H
#define PROTOCOL_HTTP_HTTP_LOGIN_H

#include "protocol/http/http_head.h"
#include "protocol/http/http_path.h"
#include "protocol/http/http_problem.h"
#include "protocol/session.h"

/** Log in with the header Authorization of ${head}, read at ${bytes}, or, at a
 * path that proxies ask, with Proxy-Authorization: there the other one is of
 * the original request.  Without the header, the client is who its connection
 * says.  Return NULL, or the problem: it may not ask that. */
const struct http_problem *http_login(struct session *session,
    const struct http_head *head, const char *bytes,
    const struct http_path *path) MUST_USE;

#endif
