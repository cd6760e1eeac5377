/**
 * http_json: a request's body in JSON, read strictly
 * (https://www.rfc-editor.org/rfc/rfc8259), without allocating.
 *
 *     {"key": "login:42", "amount": 2, "deny": 403}
 *     {"each": [{"key": "login:42"}, {"key": "api:7", "amount": 5}]}
 *
 * Other names, names given twice, and other values are refused.
 */
#ifndef PROTOCOL_HTTP_HTTP_JSON_H
#define PROTOCOL_HTTP_HTTP_JSON_H

#include "protocol/http/http_ask.h"

/** Take what ${len} bytes say.  All elements of ${each} are checked, and
 * ask->each is set to where the first one starts.  Return NULL, or what is
 * wrong. */
const struct http_problem *http_json_read(
    struct http_ask *ask, const char *bytes, size_t len) MUST_USE;

/** Take the next element of what was read so.  ${at} goes behind it.  Return as
 * above. */
const struct http_problem *http_json_element(
    struct http_ask *ask, const char **at, const char *end) MUST_USE;

#endif
