/**
 * rules_losses: what a change of a set of limits takes away that an operator
 * may not have meant: buckets, or most of what a limit lets through.  Pure.
 *
 * A bucket is found by the name of its limit, its algorithm and the key.  A
 * limit loses its buckets if it is removed or renamed, if its algorithm
 * changes, or if no key reaches it any more since another limit before it takes
 * them all.  Any other change keeps the drops.
 */
#ifndef LIMIT_RULES_LOSSES_H
#define LIMIT_RULES_LOSSES_H

#include "base/attr.h"
#include "limit/rules.h"

#include <stddef.h>

/** A limit has shrunk if its capacity, or its rate in the long run, is less
 * than one part in so many of what it was. */
#define RULES_LOSSES_SHRINK 10

/** One loss, as "login is removed" or "api capacity 1000 -> 5". */
typedef void rules_losses_visit(const char *text, void *arg);

/** Call ${visit} for each loss from ${old} to ${new}, in the order of ${old},
 * at most one for a limit.  Return how many, or -1 (out of memory). */
int rules_losses(const struct rules *old, const struct rules *new,
    rules_losses_visit *visit, void *arg) MUST_USE;

#endif
