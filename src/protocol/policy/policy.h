/**
 * policy: the protocol in which Postfix asks policy services.
 *
 * A request is attributes, "name=value" a line, and an empty line; the response
 * is an action, which stands where the service stands in Postfix's lists.
 */
#ifndef PROTOCOL_POLICY_POLICY_H
#define PROTOCOL_POLICY_POLICY_H

#include "limit/route.h"

#include <stdbool.h>
#include <stddef.h>

/** Longest request, with the empty line. */
#define POLICY_REQUEST_MAX 16384

/** The number of bytes up to the end of the first request, of ${len}, of which
 * the first ${seen} have no end; 0: it does not end there. */
size_t policy_find_end(const char *bytes, size_t len, size_t seen);

/** The value of the attribute ${name} in whole lines; of several the first
 * counts.  NULL bytes: there is none. */
struct route_text policy_attribute(
    const struct route_text *lines, const struct route_text *name);

/** Whether these whole lines, without the empty one, are attributes that ask
 * for an action. */
bool policy_is_valid(const struct route_text *lines);

#endif
