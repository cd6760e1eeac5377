/**
 * record: writes the decisions of a dripgated to a recording.
 */
#ifndef CLI_RECORD_H
#define CLI_RECORD_H

#include "base/attr.h"
#include "cli/recording.h"
#include "cli/tool.h"

#include <stdio.h>

/** Record a line of MONITOR.  Return 0, or -1: the error was printed. */
int record_line(struct recording_writer *writer, const char *line) MUST_USE;

/** Record all decisions to ${to} for tool->live_us.  Return STATUS_FINE, or
 * STATUS_ERROR: it was printed. */
int record_live(struct tool *tool, FILE *to);

#endif
