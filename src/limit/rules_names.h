/**
 * rules_names: finds the limits of a set by their names.
 */
#ifndef LIMIT_RULES_NAMES_H
#define LIMIT_RULES_NAMES_H

#include "base/attr.h"
#include "limit/index.h"
#include "limit/rules.h"

/** Add the limits of ${rules} to ${index}, all zero at first, which the caller
 * frees in either case.  Return 0, or -1 (out of memory). */
int rules_names_add(
    struct hash_index *index, const struct rules *rules) MUST_USE;

/** The limit of that name in ${rules}, which ${index} is of; or NULL. */
const struct limit *rules_names_find(const struct hash_index *index,
    const struct rules *rules, const char *name);

#endif
