/**
 * log_sink: writes to standard error, and never waits for its reader.
 */
#ifndef BASE_LOG_SINK_H
#define BASE_LOG_SINK_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>

/** Write ${len} bytes, at most PIPE_BUF, whole or not at all.  Return whether
 * they were taken.  Leaves errno alone.  Any thread. */
bool log_sink_write(const char *bytes, size_t len) MUST_USE;

/** Whether it is the journal's stream. */
bool log_sink_is_journal(void) MUST_USE;

#endif
