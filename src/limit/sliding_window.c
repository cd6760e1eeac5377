/*
 * The sliding window, exactly: no more than the capacity in any window.  Each
 * drop counts for the length of the window from when it went in, as a lease
 * (limit/leases.h) that has no name.
 */
#include "limit/leases.h"

static int
sliding_window_set_window(
    struct limit *limit, const char *value, struct limit_error *error)
{
	return word_read_time("window", value, 1, &limit->window_us, error);
}

static const char *
sliding_window_get_window(const struct limit *limit, char text[WORD_TEXT_MAX])
{
	return word_write_time(text, limit->window_us);
}

static const struct limit_word sliding_window_words[] = {
    {"window", sliding_window_set_window, sliding_window_get_window},
};

static int
sliding_window_check(const struct limit *limit, struct limit_error *error)
{
	if (word_require(limit, "window", error) < 0)
		return -1;
	return leases_check(limit, error);
}

static int
sliding_window_describe(const struct limit *limit, struct buf *out)
{
	char window[NUM_MAX_LEN + 1];

	return buf_printf(
	    out, "window=%s", num_seconds(window, limit->window_us));
}

const struct algorithm algorithm_sliding_window = {
    .name = "sliding_window",
    .place = ALGORITHM_sliding_window,
    .suffix = ":s",
    .words = sliding_window_words,
    .words_count = COUNT(sliding_window_words),
    .check = sliding_window_check,
    .describe = sliding_window_describe,
    LEASES_ROW,
};
