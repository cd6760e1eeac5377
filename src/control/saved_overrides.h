/**
 * saved_overrides: the text of the file of overrides, for a start without their
 * server.  Pure.
 *
 *     saved TIME
 *     LEFT PATTERN_BYTES VALUE_BYTES
 *     PATTERN
 *     VALUE
 *
 * TIME is that of the wall clock, and LEFT what was left of the override then,
 * in microseconds.  A clock that was set back does not make it longer than
 * that.
 */
#ifndef CONTROL_SAVED_OVERRIDES_H
#define CONTROL_SAVED_OVERRIDES_H

#include "base/attr.h"
#include "base/buf.h"
#include "limit/override.h"

#include <stddef.h>
#include <stdint.h>

/** Append the text; ${now_us} is the wall clock's.  Those whose end cannot be
 * read are left out.  Return 0, or -1 (out of memory). */
int saved_overrides_write(struct buf *text, int64_t now_us,
    const struct override_line *lines, size_t count) MUST_USE;

/** Read those that have not ended at ${now_us}, of at most OVERRIDES_MAX; they
 * borrow the text.  Return 0 and their ${count}, or -1: it is no such text. */
int saved_overrides_read(const char *text, size_t len, int64_t now_us,
    struct override_line *lines, size_t *count) MUST_USE;

#endif
