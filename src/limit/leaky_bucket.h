/**
 * leaky_bucket: what leaky_bucket.c, which decides, leaky_bucket_text.c, which
 * knows the texts in Redis, and leaky_bucket_words.c, which reads and shows the
 * limits, have in common.
 */
#ifndef LIMIT_LEAKY_BUCKET_H
#define LIMIT_LEAKY_BUCKET_H

#include "base/buf.h"
#include "limit/algorithm.h"
#include "limit/leaky_state.h"

#include <stdint.h>

/* A block that grows, and its memory, together stay below this: the scripts
 * hold 64 times as much exactly. */
#define GROWTH_SPAN_MAX (INT64_C(1) << 46)

/* The largest fill that is reported or kept. */
#define SPAN_MAX (LIMIT_SPAN_MAX - 1)

/* Number of ticks in a microsecond. */
static inline int64_t
leaky_bucket_ticks(const struct limit *limit)
{
	return limit->recharge_ns == 0 ? 1 : TICKS_FINE;
}

static inline int64_t
leaky_bucket_recharge(const struct limit *limit)
{
	return limit->recharge_us * leaky_bucket_ticks(limit) +
	       limit->recharge_ns;
}

/* As microseconds, rounded up. */
static inline int64_t
leaky_bucket_us(int64_t span, int64_t ticks)
{
	return ticks == 1 ? span : span / ticks + (span % ticks > 0);
}

/* Write a recharge of finer ticks in microseconds; return the length. */
size_t leaky_bucket_write_fine(
    const struct limit *limit, char text[WORD_TEXT_MAX]);

/* Members of the algorithm's row. */
bool leaky_bucket_read(const struct limit *limit, const char *text, size_t len,
    struct bucket *bucket);
void leaky_bucket_add_parameters(const struct limit *limit, int64_t now_us,
    struct algorithm_parameters *parameters);
#define LEAKY_BUCKET_WORDS 5
extern const struct limit_word leaky_bucket_words[LEAKY_BUCKET_WORDS];
int leaky_bucket_check(const struct limit *limit, struct limit_error *error);
int leaky_bucket_describe(const struct limit *limit, struct buf *out);

#endif
