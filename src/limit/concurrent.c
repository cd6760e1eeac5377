/*
 * So many at a time: drops count until they are given back, or their lease is
 * over (limit/leases.h).  What is held under a name can be given back by that
 * name; other drops only end.
 */
#include "limit/leases.h"

static int
concurrent_set_lease(
    struct limit *limit, const char *value, struct limit_error *error)
{
	return word_read_time("lease", value, 1, &limit->window_us, error);
}

static const char *
concurrent_get_lease(const struct limit *limit, char text[WORD_TEXT_MAX])
{
	return word_write_time(text, limit->window_us);
}

static const struct limit_word concurrent_words[] = {
    {"lease", concurrent_set_lease, concurrent_get_lease},
};

static int
concurrent_check(const struct limit *limit, struct limit_error *error)
{
	if (word_require(limit, "lease", error) < 0)
		return -1;
	return leases_check(limit, error);
}

static int
concurrent_describe(const struct limit *limit, struct buf *out)
{
	char lease[NUM_MAX_LEN + 1];

	return buf_printf(
	    out, "lease=%s", num_seconds(lease, limit->window_us));
}

const struct algorithm algorithm_concurrent = {
    .name = "concurrent",
    .place = ALGORITHM_concurrent,
    .suffix = ":c",
    .words = concurrent_words,
    .words_count = COUNT(concurrent_words),
    .check = concurrent_check,
    .describe = concurrent_describe,
    .lease = leases_lease,
    LEASES_ROW,
};
