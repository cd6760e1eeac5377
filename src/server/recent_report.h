/**
 * recent_report: the response to RECENT: the decisions since a number.
 */
#ifndef SERVER_RECENT_REPORT_H
#define SERVER_RECENT_REPORT_H

#include "server/report.h"

/** From the decision whose number is slot->count, or, if that is 0, only the
 * number of the next.  What does not fit into REPORT_TEXT_MAX is for the next
 * request. */
extern const struct report recent_report;

#endif
