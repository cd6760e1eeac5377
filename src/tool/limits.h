/**
 * limits: what commands about limits share.
 */
#ifndef TOOL_LIMITS_H
#define TOOL_LIMITS_H

#include "tool/limit_set.h"
#include "tool/tool.h"

/** Show how to get from one set to another.  Return the exit status. */
int limits_show_diff(const struct tool *tool, const struct limit_set *old_set,
    const struct limit_set *new_set);

#endif
