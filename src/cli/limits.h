/**
 * limits: what commands about limits share.
 */
#ifndef CLI_LIMITS_H
#define CLI_LIMITS_H

#include "cli/limit_set.h"
#include "cli/tool.h"

#include <stdio.h>

/** Show the changes from one set to another.  Return the exit status. */
int limits_show_diff(const struct tool *tool, const struct limit_set *old_set,
    const struct limit_set *new_set);

/** Write a set as an array in JSON, with a line of its own. */
void limits_write_set(FILE *to, const struct limit_set *set);

#endif
