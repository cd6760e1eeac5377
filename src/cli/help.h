/**
 * help: what the commands are, and what each does.
 */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "cli/tool.h"

/** Print what the command ${name} does and its options, or, if it is the first
 * word of several commands, or NULL for all, which these are.  Return the exit
 * status: STATUS_ERROR if there is no such command. */
int help_print(const struct tool *tool, const char *name);

/** Print that there is no such command, and which name is near.  Return
 * STATUS_ERROR. */
int help_unknown(const char *name);

#endif
