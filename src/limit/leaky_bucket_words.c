/*
 * Job: reads, checks and shows the words of a limit with a leaky bucket.
 * Invariant: a limit that passes leaky_bucket_check() never overflows.
 * The heart: leaky_bucket_words[].
 */
#include "limit/leaky_bucket.h"

#include "base/num.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

size_t
leaky_bucket_write_fine(const struct limit *limit, char text[WORD_TEXT_MAX])
{
	return (size_t)snprintf(text, WORD_TEXT_MAX, "%d.%03d",
	    (int)limit->recharge_us, (int)limit->recharge_ns);
}

static int
leaky_bucket_set_recharge(
    struct limit *limit, const char *value, struct limit_error *error)
{
	int64_t ns;
	int status = num_read_fine_duration(value, strlen(value), &ns);

	if (status < 0 && errno == EINVAL)
		return word_fail(error, "recharge %s", WORD_TIME_EXPECTED);
	if (status < 0 || ns < 1000 || ns >= LIMIT_SPAN_MAX * 1000)
		return word_fail(error, "recharge must be from 1us to 52124d");
	limit_set_recharge(limit, ns);
	return 0;
}

static const char *
leaky_bucket_get_recharge(const struct limit *limit, char text[WORD_TEXT_MAX])
{
	if (limit->recharge_ns == 0)
		return word_write_time(text, limit->recharge_us);
	strcpy(text + leaky_bucket_write_fine(limit, text), "us");
	return text;
}

static int
leaky_bucket_set_rate(
    struct limit *limit, const char *value, struct limit_error *error)
{
	int64_t ns;

	if (num_read_rate(value, strlen(value), &ns) == 0) {
		limit_set_recharge(limit, ns);
		return 0;
	}
	if (errno == ERANGE)
		return word_fail(
		    error, "rate must be above 0, at most 1000000/s");
	return word_fail(error,
	    "rate must be a whole number, / and a unit (us ms s m h d), "
	    "as in 60/h or 10/15m");
}

static int
leaky_bucket_set_block(
    struct limit *limit, const char *value, struct limit_error *error)
{
	return word_read_time("block", value, 0, &limit->block_us, error);
}

static const char *
leaky_bucket_get_block(const struct limit *limit, char text[WORD_TEXT_MAX])
{
	return limit->block_us > 0 ? word_write_time(text, limit->block_us)
				   : NULL;
}

const struct limit_word leaky_bucket_words[LEAKY_BUCKET_WORDS] = {
    {"recharge", leaky_bucket_set_recharge, leaky_bucket_get_recharge},
    {"rate", leaky_bucket_set_rate, NULL},
    {"block", leaky_bucket_set_block, leaky_bucket_get_block},
};

int
leaky_bucket_check(const struct limit *limit, struct limit_error *error)
{
	bool has_recharge = word_is_given(limit, "recharge");
	bool has_rate = word_is_given(limit, "rate");

	if (has_recharge && has_rate)
		return word_fail(error, "recharge and rate exclude each other");
	if (!has_recharge && !has_rate) {
		error->word = "recharge";
		return word_fail(error, "recharge (or rate) is missing");
	}
	if (leaky_bucket_recharge(limit) > SPAN_MAX / limit_most(limit))
		return word_fail(error,
		    "capacity%s times recharge must stay below 2^52us (52124d)",
		    limit->debt > 0 ? " and debt" : "");
	return 0;
}

int
leaky_bucket_describe(const struct limit *limit, struct buf *out)
{
	char recharge[NUM_MAX_LEN + 1], nanos[4] = "", block[NUM_MAX_LEN + 1];

	if (limit->recharge_ns > 0)
		snprintf(nanos, sizeof(nanos), "%03d", (int)limit->recharge_ns);
	return buf_printf(out, "recharge=%s%s block=%s",
	    num_seconds(recharge, limit->recharge_us), nanos,
	    num_seconds(block, limit->block_us));
}
