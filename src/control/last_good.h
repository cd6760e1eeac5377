/**
 * last_good: the limits that were in force last, kept in a file for a start
 * without their server.
 *
 * The file is DIR/limits, a limit a line.  It is replaced as a whole: whoever
 * reads it finds the old ones or the new ones, whatever happens.
 */
#ifndef CONTROL_LAST_GOOD_H
#define CONTROL_LAST_GOOD_H

#include "base/attr.h"
#include "limit/rules_text.h"

#include <stddef.h>

/** Keep ${count} lines in the folder ${dir}, on disk before it returns.  Return
 * 0, or -1 with errno; what was kept before still is then. */
int last_good_save(const char *dir, const struct rules_line *lines,
    size_t count) MUST_USE;

/** What is kept in ${dir}, with one reference; or NULL with ${error} set. */
struct rules *last_good_load(
    const char *dir, struct rules_error *error) MUST_USE;

#endif
