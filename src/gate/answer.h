/**
 * answer: what came of a request, in the form in which its client is answered.
 *
 * Each call appends to ${out} and returns 0, or -1 (out of memory).
 */
#ifndef GATE_ANSWER_H
#define GATE_ANSWER_H

#include "base/attr.h"
#include "base/buf.h"
#include "gate/gate.h"

enum form { FORM_LINE, FORM_RESP2, FORM_RESP3 };

/** The answer to PING, of which nothing need be known. */
const char *answer_pong(enum form form);

/** The answer to a CONSUME, PEEK or RESET. */
int answer_outcome(
    struct buf *out, enum form form, const struct passage *passage) MUST_USE;

/** The answer to a THROTTLE, which is the same in all RESP. */
int answer_throttle(struct buf *out, const struct passage *passage) MUST_USE;

/** Whole lines, END the last of them. */
int answer_lines(
    struct buf *out, enum form form, const struct buf *text) MUST_USE;

#endif
