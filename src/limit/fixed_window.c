/*
 * The fixed window: a count for each calendar-aligned window.
 *
 * A window is the time from w*W to (w+1)*W since the epoch, or a day, a week, a
 * month or a year of a time zone.  A bucket is the
 * end of the window and the count, which counts until then.  When the length
 * changes, the count stays and counts in the present window of the new length;
 * any consume, also a refused one, writes that window's end.  next and retry
 * are the time to the present window's end.  What is charged beyond the
 * capacity, up to the debt, counts until then as well, and no longer.
 *
 * The script knows no calendar: it is given the ends of some windows around the
 * time of its server, and says so if that is none of them.
 *
 * lua/algorithm/fixed_window.lua is the same arithmetic, and a test holds the
 * two equal.  The heart is fixed_window_decide().
 */
#include "limit/algorithm.h"

#include "base/num.h"
#include "base/zone_file.h"
#include "limit/calendar.h"

#include <string.h>
#include <strings.h>

#define SECOND INT64_C(1000000)

/*
 * The words.
 */

static int
fixed_window_set_window(
    struct limit *limit, const char *value, struct limit_error *error)
{
	limit->calendar = calendar_find(value);
	if (limit->calendar != CALENDAR_NONE) {
		limit->window_us = calendar_length_us(limit->calendar);
		return 0;
	}
	if (word_read_time("window", value, 1, &limit->window_us, error) == 0)
		return 0;
	if (strpbrk(value, "0123456789"))
		return -1;
	return word_fail(error,
	    "window must be a time, as in 60s, or day, week, month or year");
}

static const char *
fixed_window_get_window(const struct limit *limit, char text[WORD_TEXT_MAX])
{
	if (limit->calendar != CALENDAR_NONE)
		return calendar_name(limit->calendar);
	return word_write_time(text, limit->window_us);
}

static int
fixed_window_set_timezone(
    struct limit *limit, const char *value, struct limit_error *error)
{
	char reason[ZONE_REASON_MAX];

	if (strcasecmp(value, "UTC") == 0)
		return 0;
	limit->zone = zone_file_read(value, reason);
	return limit->zone ? 0 : word_fail(error, "timezone %s", reason);
}

static const char *
fixed_window_get_timezone(const struct limit *limit, char text[WORD_TEXT_MAX])
{
	(void)text;
	return limit->zone ? zone_name(limit->zone) : NULL;
}

static const struct limit_word fixed_window_words[] = {
    {"window", fixed_window_set_window, fixed_window_get_window},
    {"timezone", fixed_window_set_timezone, fixed_window_get_timezone},
};

static int
fixed_window_check(const struct limit *limit, struct limit_error *error)
{
	if (word_require(limit, "window", error) == -1)
		return -1;
	if (word_is_given(limit, "timezone") &&
	    limit->calendar == CALENDAR_NONE)
		return word_fail(error,
		    "timezone goes only with window = day, week, month or "
		    "year");
	return 0;
}

static int
fixed_window_describe(const struct limit *limit, struct buf *out)
{
	char window[NUM_MAX_LEN + 1];

	if (limit->calendar != CALENDAR_NONE)
		return buf_printf(out, "window=%s timezone=%s",
		    calendar_name(limit->calendar),
		    limit->zone ? zone_name(limit->zone) : "UTC");
	return buf_printf(
	    out, "window=%s", num_seconds(window, limit->window_us));
}

static int64_t
fixed_window_full_us(const struct limit *limit)
{
	return limit->window_us;
}

static int64_t
fixed_window_life_us(const struct limit *limit)
{
	return limit->calendar == CALENDAR_NONE
		   ? limit->window_us
		   : limit->window_us + CALENDAR_MORE_US;
}

/*
 * The decision.
 */

/* The end of the window of ${length_us} that ${now_us} is in. */
static int64_t
fixed_window_end(int64_t length_us, int64_t now_us)
{
	return (now_us / length_us + 1) * length_us;
}

/* The end of the limit's window that ${now_us} is in. */
static int64_t
fixed_window_end_under(const struct limit *limit, int64_t now_us)
{
	if (limit->calendar == CALENDAR_NONE)
		return fixed_window_end(limit->window_us, now_us);
	return calendar_end_us(limit->calendar, limit->zone, now_us);
}

/* What a bucket keeps of how its window, which ends at ${end_us}, ends. */
static int64_t
fixed_window_length(const struct limit *limit, int64_t end_us)
{
	if (limit->calendar == CALENDAR_NONE)
		return limit->window_us;
	return calendar_mark(limit->calendar, limit->zone, end_us);
}

/* How many of ${amount} drops TAKE puts in.  If none fits, it is decided as one
 * drop, which does not. */
static int64_t
fixed_window_take(const struct limit *limit, int64_t amount, int64_t count,
    struct decision *decision)
{
	int64_t fit = count < limit->capacity ? limit->capacity - count : 0;

	decision->taken = 0;
	if (amount <= 0)
		return amount;
	decision->taken = (int32_t)(fit < amount ? fit : amount);
	return decision->taken > 0 ? decision->taken : 1;
}

static void
fixed_window_tell(const struct limit *limit, int64_t room, int64_t count,
    int64_t left_us, struct decision *decision)
{
	decision->level = count < limit_most(limit) ? count : limit_most(limit);
	decision->next_us = count == 0 ? 0 : left_us;
	decision->empty_us = decision->next_us;
	decision->blocked_us = 0;
	decision->retry_us = 0;
	if (room < 0)
		decision->retry_us = RETRY_NEVER;
	else if (!decision->allowed)
		decision->retry_us = left_us;
}

static bool
fixed_window_decide(const struct limit *limit, enum op op, int64_t amount,
    int64_t now_us, struct bucket *bucket, struct decision *decision)
{
	const int64_t end = fixed_window_end_under(limit, now_us);
	const int64_t held =
	    bucket->window.end_us > now_us ? bucket->window.count : 0;
	const int64_t most =
	    op == OP_CHARGE ? limit_most(limit) : limit->capacity;
	int64_t count = held;
	bool never;

	if (op == OP_RESET) {
		*bucket = (struct bucket){0};
		*decision = (struct decision){.allowed = true};
		return held > 0;
	}
	if (op == OP_TAKE)
		amount = fixed_window_take(limit, amount, count, decision);
	never = amount > most;
	decision->allowed = amount <= 0 || (!never && amount <= most - count);
	if (op == OP_PEEK || never || amount == 0) {
		fixed_window_tell(
		    limit, most - amount, count, end - now_us, decision);
		return false;
	}
	if (decision->allowed)
		count = count + amount > 0 ? count + amount : 0;
	fixed_window_tell(limit, most - amount, count, end - now_us, decision);
	if (count == held && (held == 0 || bucket->window.end_us == end))
		return false;
	*bucket = (struct bucket){0};
	if (count > 0)
		*bucket = (struct bucket){
		    .window = {end, count, fixed_window_length(limit, end)}};
	return true;
}

static void
fixed_window_give_back(const struct limit *limit, int64_t amount, int64_t stamp,
    int64_t now_us, struct bucket *bucket)
{
	struct decision decision;

	if (stamp > now_us)
		fixed_window_decide(
		    limit, OP_CONSUME, -amount, now_us, bucket, &decision);
}

static void
fixed_window_follow_clock(struct bucket *bucket, int64_t was_us, int64_t now_us)
{
	const int64_t length_us = bucket->window.length_us;

	if (bucket->window.end_us <= was_us)
		*bucket = (struct bucket){0};
	else if (length_us >= CALENDAR_MARK_MIN)
		bucket->window.end_us = calendar_end_by_mark(length_us, now_us);
	else
		bucket->window.end_us = fixed_window_end(length_us, now_us);
}

static bool
fixed_window_is_drained(const struct bucket *bucket, int64_t now_us)
{
	return bucket->window.end_us <= now_us;
}

/*
 * In Redis: "ENDsCOUNT" or "ENDuCOUNT", the end in seconds or in microseconds.
 * Earlier versions wrote "WINDOW COUNT", the number of the window.
 */

/* The end of window ${number}, or the largest number if the end is beyond it:
 * both are ahead. */
static int64_t
fixed_window_end_of(const struct limit *limit, int64_t number)
{
	if (number + 1 > BUCKET_NUMBER_MAX / limit->window_us)
		return BUCKET_NUMBER_MAX;
	return (number + 1) * limit->window_us;
}

static bool
fixed_window_read(const struct limit *limit, const char *text, size_t len,
    struct bucket *bucket)
{
	size_t end_len = num_count_digits(text, len);
	int64_t end, count;

	if (end_len == len ||
	    bucket_read_numbers(text, end_len, &end, 1) == 0 ||
	    bucket_read_numbers(
		text + end_len + 1, len - end_len - 1, &count, 1) == 0)
		return false;
	switch (text[end_len]) {
	case 's':
		if (end > BUCKET_NUMBER_MAX / SECOND)
			return false;
		end *= SECOND;
		break;
	case 'u':
		break;
	case ' ':
		end = fixed_window_end_of(limit, end);
		break;
	default:
		return false;
	}
	*bucket = (struct bucket){.window = {end, count, limit->window_us}};
	return true;
}

/* Of the calendar: about how long a window is, and when four of them end, in
 * seconds. */
static void
fixed_window_add_calendar(const struct limit *limit, int64_t now_us,
    struct algorithm_parameters *parameters)
{
	char text[ALGORITHM_PARAMETER_LEN];
	size_t len = num_write_int(text, limit->window_us);
	int64_t ends_us[4];

	calendar_ends_us(limit->calendar, limit->zone, now_us, ends_us);
	for (unsigned i = 0; i < 4; i++) {
		text[len++] = ' ';
		len += num_write_int(text + len, ends_us[i] / SECOND);
	}
	algorithm_add_text(parameters, text, len);
}

static void
fixed_window_add_parameters(const struct limit *limit, int64_t now_us,
    struct algorithm_parameters *parameters)
{
	algorithm_add_number(parameters, limit->capacity);
	if (limit->calendar == CALENDAR_NONE)
		algorithm_add_number(parameters, limit->window_us);
	else
		fixed_window_add_calendar(limit, now_us, parameters);
}

const struct algorithm algorithm_fixed_window = {
    ALGORITHM_NAMED(fixed_window),
    .suffix = ":w",
    .words = fixed_window_words,
    .words_count = COUNT(fixed_window_words),
    .check = fixed_window_check,
    .describe = fixed_window_describe,
    .life_us = fixed_window_life_us,
    .full_us = fixed_window_full_us,
    .decide = fixed_window_decide,
    .give_back = fixed_window_give_back,
    .is_calendar = true,
    .follow_clock = fixed_window_follow_clock,
    .is_drained = fixed_window_is_drained,
    .read = fixed_window_read,
    .parameters = 2,
    .add_parameters = fixed_window_add_parameters,
};
