/**
 * diff: what must be taken away from and added to one list of lines to make it
 * another.  Pure.
 */
#ifndef TOOL_DIFF_H
#define TOOL_DIFF_H

#include "base/attr.h"
#include "limit/rules_text.h"

#include <stddef.h>

struct line_list {
	const struct rules_line *lines;
	size_t count;
};

/** A line is to go, '-', or to come, '+'. */
typedef void diff_visit(char sign, const struct rules_line *line, void *arg);

/** Call ${visit} for as few lines as there are to change ${old} into ${new}, in
 * order.  No line stands twice in a list.  Return whether there was any, or -1
 * (out of memory). */
int diff_lines(const struct line_list *old, const struct line_list *new,
    diff_visit *visit, void *arg) MUST_USE;

#endif
