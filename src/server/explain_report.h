/**
 * explain_report: the response to EXPLAIN: which limit a key has and why, its
 * bucket, and the keys that are charged with it.
 */
#ifndef SERVER_EXPLAIN_REPORT_H
#define SERVER_EXPLAIN_REPORT_H

#include "server/report.h"

/** For a slot whose check peeks with amount 1 (see check_show_each()), and
 * whose bytes are the key. */
extern const struct report explain_report;

#endif
