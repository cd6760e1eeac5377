/**
 * reports: what LIMITS, STATS and HELP say; and READY.
 */
#ifndef SERVER_REPORTS_H
#define SERVER_REPORTS_H

#include "server/report.h"

extern const struct report reports_limits;
extern const struct report reports_stats;
extern const struct report reports_help;

/** Append the debt of ${limit}, if it has one, to its figures.  Return 0, or -1
 * (out of memory). */
int reports_write_debt(struct buf *out, const struct limit *limit);

/** Metric ${i} of those that STATS shows, and its value now; NULL: there is no
 * such metric. */
const struct metric *reports_stat(
    const struct slot *slot, size_t i, uint64_t *value);

/** Whether decisions can be asked for now: ERROR_NONE, and ${word} is set to
 * what READY responds; or why not. */
enum protocol_error reports_readiness(
    const struct slot_cache *cache, const char **word);

#endif
