/**
 * diff: the lines to remove from and add to one list to make it another.  Pure.
 */
#ifndef CLI_DIFF_H
#define CLI_DIFF_H

#include "base/attr.h"
#include "limit/rules_text.h"

#include <stddef.h>

struct line_list {
	const struct rules_line *lines;
	size_t count;
};

/** A line to be removed, '-', or added, '+'. */
typedef void diff_visit(char sign, const struct rules_line *line, void *arg);

/** Call ${visit} for as few lines as there are to change ${old} into ${new}, in
 * order.  No line occurs twice in a list.  Return whether there was any, or -1
 * (out of memory). */
int diff_lines(const struct line_list *old, const struct line_list *new,
    diff_visit *visit, void *arg) MUST_USE;

#endif
