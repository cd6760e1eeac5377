/**
 * report: the answers of many lines, EXPLAIN, LIMITS and STATS.
 *
 * Each appends whole lines and END to ${out} and returns 0, or -1 (out of
 * memory).
 */
#ifndef GATE_REPORT_H
#define GATE_REPORT_H

#include "base/attr.h"
#include "base/buf.h"
#include "gate/gate.h"

/** ${passage} is an answered peek of amount 0; ${text} the key it was about. */
int report_explain(struct buf *out, struct gate *gate,
    const struct passage *passage, const char *text) MUST_USE;

int report_limits(struct buf *out, struct gate *gate) MUST_USE;

int report_stats(struct buf *out, struct gate *gate) MUST_USE;

#endif
