/**
 * op_text: what a query asks of its bucket, as the scripts read it.
 * Pure.
 */
#ifndef STORE_REDIS_OP_TEXT_H
#define STORE_REDIS_OP_TEXT_H

#include "base/num.h"
#include "store/store.h"

#include <stddef.h>
#include <stdint.h>

/** Longest text. */
#define OP_TEXT_MAX (3 * NUM_MAX_LEN + 3)

/** Write what ${query} asks, ${count} times in a row; the count of OP_RESET,
 * OP_GIVE_BACK and OP_LEAVE is 1, and what names a lease does the same once or
 * often.  The forms are those of lua/batch.lua and
 * lua/plan.lua. Return the length, at most OP_TEXT_MAX. */
size_t op_text_write(char *to, const struct query *query, int64_t count);

/** The same without what the limit adds, and the count: how much is asked, and
 * whether it is a charge or a take. */
size_t op_text_write_asked(char *to, const struct query *query);

#endif
