/**
 * response_value: a stored response as a value in Redis.  Pure.
 *
 *   dripgate-response 1 STATUS RECEIVED AGE FRESH STALE ERROR KEPT FLAGS
 *   FIELDS BODY PACKED LF bytes
 *
 * in one line, decimal numbers with one blank between.  RECEIVED is the time by
 * the wall clock, AGE a duration, the next four are counted from RECEIVED, all
 * in microseconds.  FLAGS: 1 must_validate, 2 has_validator.  Then the lengths
 * of the fields and of the body, whose bytes follow; packed by zlib if PACKED,
 * the length of that, is not 0.  What selects it is not in it: that may be a
 * client's secret.
 *
 * Redis may hold anything: what is not exactly of this
 * form is none.
 */
#ifndef UPSTREAM_RESPONSE_VALUE_H
#define UPSTREAM_RESPONSE_VALUE_H

#include "base/attr.h"
#include "upstream/response.h"

#include <stdint.h>

/** Longest first line of a value, with its LF. */
#define RESPONSE_VALUE_HEAD_MAX 320

/** Responses with more bytes than this are packed. */
#define RESPONSE_VALUE_PACK 1024

/** Append it.  The wall clock is ahead by ${shift_us}.  Return 0, or -1: out of
 * memory. */
int response_value_write(struct buf *to, const struct stored_response *response,
    int64_t shift_us) MUST_USE;

/** When a value is read, and for whom. */
struct response_reading {
	struct part selecting; /* what selected it */
	size_t most;           /* bytes of memory that it may take */
	int64_t now_us;
	int64_t shift_us; /* of the wall clock */
};

/** Read it.  NULL: it is none, or out of memory.  A response that came later
 * than now, by another daemon's clock, came now.  The caller holds it. */
struct stored_response *response_value_read(
    struct part value, const struct response_reading *reading) MUST_USE;

#endif
