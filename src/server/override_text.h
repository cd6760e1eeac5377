/**
 * override_text: an override in the reports.
 */
#ifndef SERVER_OVERRIDE_TEXT_H
#define SERVER_OVERRIDE_TEXT_H

#include "base/attr.h"
#include "base/buf.h"
#include "limit/rules.h"

#include <stdint.h>

struct rules_snapshot;

/** Append a line: the word ${name}, NULL: its name, for how many seconds
 * override ${i} will be in force, its pattern, how many requests it changed,
 * and its note, which may have blanks.  Return 0, or -1 (out of memory). */
int override_text_add(struct buf *out, const char *name,
    const struct rules_snapshot *snapshot, size_t i) MUST_USE;

/** How many overrides of the set are in force. */
uint64_t override_text_count(const struct rules *rules);

#endif
