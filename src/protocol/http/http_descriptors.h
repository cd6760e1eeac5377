/**
 * http_descriptors: what Envoy's rate limit service is asked and responds, in
 * the JSON of its messages, as envoyproxy/ratelimit has it at /json.
 *
 *     {"domain": "api", "descriptors": [{"entries": [{"key": "user"}]}]}
 *     {"overallCode":"OK","statuses":[{"code":"OK"}]}
 */
#ifndef PROTOCOL_HTTP_HTTP_DESCRIPTORS_H
#define PROTOCOL_HTTP_HTTP_DESCRIPTORS_H

#include "base/buf.h"
#include "protocol/http/http_ask.h"
#include "protocol/session.h"

/** Take a RateLimitRequest of ${body}: the keys of ${request} are in
 * ${common}->descriptors.  Fields may be in any order, and in the case of JSON
 * or that of protobuf; what protobuf has not is refused.  Return NULL, or what
 * is wrong. */
const struct http_problem *http_descriptors_read(struct request *request,
    struct session_common *common, const struct http_word *body) MUST_USE;

/** Append the response about a decided check: a RateLimitResponse.  Return 0,
 * or -1 (out of memory). */
int http_descriptors_write(
    struct buf *out, unsigned encoding, const struct check *check) MUST_USE;

#endif
