/**
 * top_report: the response to TOP: which keys are denied most, and which are
 * allowed most.
 */
#ifndef SERVER_TOP_REPORT_H
#define SERVER_TOP_REPORT_H

#include "server/report.h"

/** Lines of each kind, if the request does not say how many. */
#define TOP_REPORT_LINES 10

/** At most slot->count lines of each kind, and no more than fit into half of
 * REPORT_TEXT_MAX. */
extern const struct report top_report;

#endif
