/**
 * http_login: who makes a request of HTTP.
 */
#ifndef PROTOCOL_HTTP_HTTP_LOGIN_H
#define PROTOCOL_HTTP_HTTP_LOGIN_H

#include "protocol/http/http_head.h"
#include "protocol/session.h"

/** Log in with the header Authorization of ${head}, read at ${bytes}, for the
 * path of row ${path}; without it, the client is who its connection says.
 * Return NULL, or the problem: it may not ask that. */
const struct http_problem *http_login(struct session *session,
    const struct http_head *head, const char *bytes, int path) MUST_USE;

#endif
