/**
 * rules_changes: what is different in a set of limits, in one line for people:
 * "+1 ~1 -0: login capacity 5 -> 7, +mail (f6d0ef83)".
 */
#ifndef LIMIT_RULES_CHANGES_H
#define LIMIT_RULES_CHANGES_H

#include "limit/rules.h"

/** Room for the line, with its NUL. */
#define RULES_CHANGES_MAX 320

struct rules_changes {
	char text[RULES_CHANGES_MAX];
};

/** Say how many limits of ${new} are added (+), changed (~) and removed (-)
 * against ${old}, and which; at the end, the first eight characters of its
 * digest.  What does not fit is left out, and "..." says so. */
void rules_compare(struct rules_changes *changes, const struct rules *old,
    const struct rules *new);

#endif
