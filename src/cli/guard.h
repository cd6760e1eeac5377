/**
 * guard: keeps a load from taking away what its author may not have meant to.
 */
#ifndef CLI_GUARD_H
#define CLI_GUARD_H

#include "base/attr.h"
#include "base/buf.h"
#include "cli/limit_set.h"

/** Write to ${text}, all zero at first, which the caller frees, what a change
 * from
 * ${old} to ${new} would lose, in one line with a NUL; "": nothing.  A set that
 * daemons refuse has nothing to lose.  Return 0, or -1: the error was printed.
 */
int guard_describe(struct buf *text, const struct limit_set *old,
    const struct limit_set *new) MUST_USE;

#endif
