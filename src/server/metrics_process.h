/**
 * metrics_process: what the system counts of this process, as metrics.
 */
#ifndef SERVER_METRICS_PROCESS_H
#define SERVER_METRICS_PROCESS_H

#include "stats/exposition.h"

/** Write it, under the names that Prometheus has for all programs. */
void metrics_write_process(struct exposition *exposition);

#endif
