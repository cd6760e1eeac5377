/**
 * turnstile: the limits of Turnstile, as it keeps them in Redis: each a map of
 * MessagePack.  They become lines of ours: a route, and the limit of its key.
 *
 * Pure.  The caller checks the lines.
 */
#ifndef LIMIT_TURNSTILE_H
#define LIMIT_TURNSTILE_H

#include "base/attr.h"
#include "base/buf.h"
#include "limit/limit.h"

#include <stdbool.h>
#include <stddef.h>

/** The class of limits that is read. */
#define TURNSTILE_CLASS "turnstile.limits:Limit"

/** Whether a member of a set of limits is a map of MessagePack: no line of ours
 * begins as one does. */
bool turnstile_is_member(const char *bytes, size_t len);

enum turnstile_result {
	TURNSTILE_WRONG,
	TURNSTILE_LEFT,  /* of another class: only its own code knows it */
	TURNSTILE_LINES, /* two, each with its end, in ${out} */
};

/** Append what a member says to ${out}.  Unless that is lines, ${error} is set
 * to the reason, and what was appended means nothing. */
enum turnstile_result turnstile_write(struct buf *out, const char *bytes,
    size_t len, struct limit_error *error) MUST_USE;

#endif
