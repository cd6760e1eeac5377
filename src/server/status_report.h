/**
 * status_report: the response to STATUS: how the daemon is, for people and
 * scripts.
 */
#ifndef SERVER_STATUS_REPORT_H
#define SERVER_STATUS_REPORT_H

#include "server/report.h"

/** A line a subject: a word, and fields; times are seconds ago. */
extern const struct report status_report;

#endif
