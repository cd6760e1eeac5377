/**
 * metrics: the response to GET /metrics: all that is counted, for Prometheus.
 *
 * No label holds a key.  Limits are labels, as far as METRICS_LIMITS_MAX goes.
 */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include "server/report.h"

/** Limits with samples of their own, the first ones of the set; those behind
 * them share METRICS_OTHERS, which is no name of a limit. */
#define METRICS_LIMITS_MAX 500
#define METRICS_OTHERS     "*"

/** In Prometheus's format, and in that of OpenMetrics, without a count of
 * rows: for HTTP only. */
extern const struct report metrics_report;
extern const struct report metrics_report_open;

#endif
