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

/*
 * The block: a time, or, where it grows, "5m x3 max 1d".
 */

#define BLANKS    " \t,"
#define PARTS_MAX 4

#define GROWTH_MAX 1000

/* Cut the list into words.  Return how many there are, PARTS_MAX + 1 if more.
 */
static size_t
leaky_bucket_cut(char *list, char *parts[PARTS_MAX])
{
	size_t count = 0;

	for (char *rest, *part = strtok_r(list, BLANKS, &rest); part;
	     part = strtok_r(NULL, BLANKS, &rest)) {
		if (count == PARTS_MAX)
			return PARTS_MAX + 1;
		parts[count++] = part;
	}
	return count;
}

static int
leaky_bucket_set_growth(struct limit *limit, char *const parts[PARTS_MAX],
    struct limit_error *error)
{
	if (*parts[1] != 'x' ||
	    num_read_int(parts[1] + 1, strlen(parts[1] + 1), 2, GROWTH_MAX,
		&limit->block_growth) < 0 ||
	    strcmp(parts[2], "max") != 0)
		return word_fail(error,
		    "block is a time, or one with x2 to x%d and max, as in "
		    "5m x3 max 1d",
		    GROWTH_MAX);
	return word_read_time(
	    "block: max", parts[3], 1, &limit->block_max_us, error);
}

static int
leaky_bucket_set_block(
    struct limit *limit, const char *value, struct limit_error *error)
{
	char list[WORD_TEXT_MAX], *parts[PARTS_MAX];
	size_t count;

	snprintf(list, sizeof(list), "%s", value);
	count = leaky_bucket_cut(list, parts);
	if (count <= 1 || strlen(value) >= sizeof(list))
		return word_read_time(
		    "block", value, 0, &limit->block_us, error);
	if (count != PARTS_MAX)
		return word_fail(
		    error, "block is a time, or one as in 5m x3 max 1d");
	if (leaky_bucket_set_growth(limit, parts, error) < 0)
		return -1;
	return word_read_time("block", parts[0], 1, &limit->block_us, error);
}

static const char *
leaky_bucket_get_block(const struct limit *limit, char text[WORD_TEXT_MAX])
{
	char *to = text;

	if (limit->block_us == 0)
		return NULL;
	to += num_write_duration(to, limit->block_us);
	if (limit->block_growth > 0) {
		to += sprintf(to, ",x%d,max,", (int)limit->block_growth);
		to += num_write_duration(to, limit->block_max_us);
	}
	*to = '\0';
	return text;
}

static int
leaky_bucket_set_block_memory(
    struct limit *limit, const char *value, struct limit_error *error)
{
	return word_read_time(
	    "block_memory", value, 1, &limit->block_memory_us, error);
}

static const char *
leaky_bucket_get_block_memory(
    const struct limit *limit, char text[WORD_TEXT_MAX])
{
	return limit->block_memory_us > 0
		   ? word_write_time(text, limit->block_memory_us)
		   : NULL;
}

static int
leaky_bucket_set_queue(
    struct limit *limit, const char *value, struct limit_error *error)
{
	return word_read_time("queue", value, 0, &limit->queue_us, error);
}

static const char *
leaky_bucket_get_queue(const struct limit *limit, char text[WORD_TEXT_MAX])
{
	return limit->queue_us > 0 ? word_write_time(text, limit->queue_us)
				   : NULL;
}

const struct limit_word leaky_bucket_words[LEAKY_BUCKET_WORDS] = {
    {"recharge", leaky_bucket_set_recharge, leaky_bucket_get_recharge},
    {"rate", leaky_bucket_set_rate, NULL},
    {"block", leaky_bucket_set_block, leaky_bucket_get_block},
    {"block_memory", leaky_bucket_set_block_memory,
	leaky_bucket_get_block_memory},
    {"queue", leaky_bucket_set_queue, leaky_bucket_get_queue},
};

/* What is in the bucket before its time is counted with the rest. */
static int
leaky_bucket_check_queue(const struct limit *limit, struct limit_error *error)
{
	const int64_t full = limit->capacity * leaky_bucket_recharge(limit);

	if (limit->queue_us > (SPAN_MAX - full) / leaky_bucket_ticks(limit))
		return word_fail(error, "capacity times recharge, and queue, "
					"must stay below 2^52us (52124d)");
	return 0;
}

/* Where blocks grow, a bucket has less room for its other numbers. */
static int
leaky_bucket_check_growth(const struct limit *limit, struct limit_error *error)
{
	const int64_t memory_us = limit_block_memory_us(limit);

	if (limit->block_growth == 0 && limit->block_memory_us == 0)
		return 0;
	if (limit->block_growth == 0)
		return word_fail(error, "block_memory is for a block that "
					"grows, as in 5m x3 max 1d");
	if (limit->block_max_us < limit->block_us)
		return word_fail(
		    error, "block: max is less than the first one");
	if (limit->block_max_us >= GROWTH_SPAN_MAX ||
	    memory_us >= GROWTH_SPAN_MAX - limit->block_max_us)
		return word_fail(error, "block: max and block_memory together "
					"must stay below 814d");
	if (leaky_bucket_recharge(limit) >= STRIKES_RECHARGE_BELOW)
		return word_fail(error,
		    "recharge must stay below 407d where the block grows");
	return 0;
}

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
	if (leaky_bucket_check_queue(limit, error) == -1)
		return -1;
	return leaky_bucket_check_growth(limit, error);
}

static int
leaky_bucket_describe_growth(const struct limit *limit, struct buf *out)
{
	char most[NUM_MAX_LEN + 1], memory[NUM_MAX_LEN + 1];

	if (limit->block_growth == 0)
		return 0;
	return buf_printf(out, " block_growth=%d block_max=%s block_memory=%s",
	    (int)limit->block_growth, num_seconds(most, limit->block_max_us),
	    num_seconds(memory, limit_block_memory_us(limit)));
}

int
leaky_bucket_describe(const struct limit *limit, struct buf *out)
{
	char recharge[NUM_MAX_LEN + 1], nanos[4] = "", block[NUM_MAX_LEN + 1];

	if (limit->recharge_ns > 0)
		snprintf(nanos, sizeof(nanos), "%03d", (int)limit->recharge_ns);
	if (buf_printf(out, "recharge=%s%s block=%s",
		num_seconds(recharge, limit->recharge_us), nanos,
		num_seconds(block, limit->block_us)) == -1)
		return -1;
	if (leaky_bucket_describe_growth(limit, out) == -1)
		return -1;
	return limit->queue_us == 0 ? 0
				    : buf_printf(out, " queue=%s",
					  num_seconds(block, limit->queue_us));
}
