/**
 * limits: what commands about limits share.
 */
#ifndef CLI_LIMITS_H
#define CLI_LIMITS_H

#include "base/attr.h"
#include "cli/json.h"
#include "cli/limit_set.h"
#include "cli/tool.h"

#include <stdio.h>
/** Write a set as a file of limits.  Return 0, or -1 (out of memory). */
int limits_write_file(struct buf *out, const struct limit_set *set) MUST_USE;

/** Write it to the file that the command names, or standard output, as ${tool}
 * says.  Return the exit status: what is no limit is an error. */
int limits_dump_set(const struct tool *tool, const struct limit_set *set);

/** Write a set as an array. */
void limits_write_json(
    struct json *json, const char *name, const struct limit_set *set);

/** Show the changes from one set to another.  Return the exit status. */
int limits_show_diff(const struct tool *tool, const struct limit_set *old_set,
    const struct limit_set *new_set);

/** Write a set as an array in JSON, with a line of its own. */
void limits_write_set(FILE *to, const struct limit_set *set);
/** Compare numbers of the history, the command's words.  Return the exit
 * status. */
int limits_diff_numbers(struct tool *tool);

#endif
