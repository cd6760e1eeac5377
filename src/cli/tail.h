/**
 * tail: decisions of a dripgated as they are made.
 */
#ifndef CLI_TAIL_H
#define CLI_TAIL_H

#include "cli/tool.h"

#include <stdbool.h>
#include <stdint.h>

/** Take a line that MONITOR sends; return whether it may send more. */
typedef bool tail_take(const char *line, void *arg);

/** Have ${take} take the lines of the decisions that the options and the glob
 * ask for, for ${for_us} microseconds, 0: without end, or until the user
 * interrupts.  Return STATUS_FINE, or STATUS_ERROR: it was printed. */
int tail_follow(struct tool *tool, const char *glob, int64_t for_us,
    tail_take *take, void *arg);

#endif
