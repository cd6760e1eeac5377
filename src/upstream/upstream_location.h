/**
 * upstream_location: where Location and Content-Location of a response lead.
 * Pure.
 */
#ifndef UPSTREAM_UPSTREAM_LOCATION_H
#define UPSTREAM_UPSTREAM_LOCATION_H

#include "base/attr.h"
#include "base/buf.h"
#include "upstream/headers.h"

#include <stdbool.h>

/** Append to ${to} the target at the upstream of ${url} that ${location} is, in
 * the form of upstream_path_normalize() and with its NUL; ${target} is the one
 * that the response is of.  Return whether it is one: it has the scheme, host
 * and port of the URL in its words, and a path below its path.  Anything else,
 * or without memory, ${to} is as it was. */
bool upstream_location_read(struct buf *to, const char *url, struct part target,
    struct part location) MUST_USE;

#endif
