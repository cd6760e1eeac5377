/**
 * throttle: CL.THROTTLE, redis-cell's command, which brings its limit along.
 * https://github.com/brandur/redis-cell
 *
 *   CL.THROTTLE key max_burst count period [quantity]
 *
 * GCRA with count drops in period seconds and a burst of max_burst more than
 * one is the leaky bucket with capacity max_burst + 1 and recharge period /
 * count, rounded up to a microsecond so that the rate is not exceeded.
 */
#ifndef PROTOCOL_RESP_THROTTLE_H
#define PROTOCOL_RESP_THROTTLE_H

#include "base/attr.h"
#include "protocol/request.h"
#include "protocol/resp/resp.h"

/** Longest error of throttle_read(), with the NUL at its end. */
#define THROTTLE_WHY_MAX 200

/** Read the words of the command.  Return 0, or -1 with ${why} set to the error
 * to respond with. */
int throttle_read(const struct resp_command *command, struct request *request,
    char why[THROTTLE_WHY_MAX]) MUST_USE;

/**
 * Append the five integers: 1 if limited; the capacity; how many could follow
 * at once; seconds until this one can pass, -1 if it did or never can; seconds
 * until the bucket is empty.  Seconds are rounded up: a client that waits so
 * long does not come too early.
 * Return 0, or -1 (out of memory).
 */
int throttle_write(struct buf *out, const struct check *check) MUST_USE;

#endif
