/**
 * monitor: the response to MONITOR: decisions as they are made.
 */
#ifndef SERVER_MONITOR_H
#define SERVER_MONITOR_H

#include "server/report.h"

/** A feed of the decisions that have slot->report.verdict and keys that match
 * the glob in slot->bytes, if that is not NULL: "OK", then a line for each, and
 * "DROPPED n" where n were too many to be looked at. */
extern const struct report monitor_report;

#endif
