/**
 * rules_write: limits as text.
 */
#ifndef LIMIT_RULES_WRITE_H
#define LIMIT_RULES_WRITE_H

#include "limit/rules_text.h"

/** Give a set its digest, of its lines, so that equal sets have equal digests
 * however they were written.  Return 0, or -1 (out of memory). */
int rules_write_digest(struct rules *rules) MUST_USE;

#endif
