/*
 * Job: reads overrides, and makes limits larger by them.
 * Invariant: whatever is in Redis is read, or refused with a reason.
 * The heart: override_read(), override_scale().
 */
#include "limit/override.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "limit/word.h"
#include "limit/leases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Bytes, with a NUL: any action, and a wrong one that a message names. */
#define ACTION_MAX 20

/* The parts of a value, borrowed. */
struct override_parts {
	char action[ACTION_MAX];
	int64_t end; /* seconds since the epoch */
	const char *author, *reason;
	size_t author_len, reason_len;
};

/* Take the bytes before the next ${c}, and that itself, off the front. */
static bool
override_take(
    const char **at, const char *end, char c, const char **part, size_t *len)
{
	const char *found = memchr(*at, c, (size_t)(end - *at));

	if (!found)
		return false;
	*part = *at;
	*len = (size_t)(found - *at);
	*at = found + 1;
	return true;
}

static bool
override_split(const char *value, size_t len, struct override_parts *parts)
{
	const char *at = value, *end = value + len, *word;
	size_t word_len;

	if (len > OVERRIDE_VALUE_MAX ||
	    !override_take(&at, end, ' ', &word, &word_len) ||
	    word_len >= ACTION_MAX)
		return false;
	memcpy(parts->action, word, word_len);
	parts->action[word_len] = '\0';
	if (strlen(parts->action) != word_len ||
	    !override_take(&at, end, ' ', &word, &word_len) ||
	    num_read_int(
		word, word_len, 0, INT64_C(99999999999), &parts->end) == -1 ||
	    !override_take(&at, end, '\n', &parts->author, &parts->author_len))
		return false;
	parts->reason = at;
	parts->reason_len = (size_t)(end - at);
	return parts->author_len <= OVERRIDE_AUTHOR_MAX &&
	       parts->reason_len <= OVERRIDE_REASON_MAX;
}

/* "x10": 2 to OVERRIDE_TIMES_MAX. */
static bool
override_read_times(const char *action, int64_t *times)
{
	return *action == 'x' && num_read_int(action + 1, strlen(action + 1), 2,
				     OVERRIDE_TIMES_MAX, times) == 0;
}

static void
override_write_note(
    struct override *override, const struct override_parts *parts)
{
	char author[4 * OVERRIDE_AUTHOR_MAX + 1];
	char reason[4 * OVERRIDE_REASON_MAX + 1], until[40] = "";
	time_t end = (time_t)parts->end;
	struct tm tm;

	if (gmtime_r(&end, &tm))
		strftime(until, sizeof(until), "%Y-%m-%dT%H:%M:%SZ", &tm);
	log_escape(author, sizeof(author), parts->author, parts->author_len);
	log_escape(reason, sizeof(reason), parts->reason, parts->reason_len);
	snprintf(override->note, sizeof(override->note),
	    "%s until %s by %s: %s", parts->action, until, author, reason);
}

/* Or another byte that would break a line in a report. */
static bool
override_has_blank(const char *pattern, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)pattern[i] <= ' ' || pattern[i] == 0x7f)
			return true;
	return false;
}

static int
override_set_pattern(struct limit *limit, const char *pattern, size_t len,
    struct limit_error *error)
{
	char text[OVERRIDE_PATTERN_MAX + 1];

	if (len == 0 || len > OVERRIDE_PATTERN_MAX || *pattern == '~' ||
	    override_has_blank(pattern, len))
		return word_fail(error,
		    "must be for a key or a glob of 1 to 255 bytes without "
		    "blanks that does not start with ~");
	memcpy(text, pattern, len);
	text[len] = '\0';
	return limit_set(limit, "match", text, error);
}

/* A finished limit that allows or denies; one that multiplies asks the bucket
 * of the key's own limit instead. */
static int
override_finish(struct limit *limit, const struct override_parts *parts,
    struct limit_error *error)
{
	int64_t *times = &limit->override->times;
	const char *action = parts->action;

	if (override_read_times(parts->action, times))
		action = "allow";
	if (limit_set(limit, "action", action, error) == -1)
		return word_fail(error,
		    "must be allow, deny, or x2 to x%d, and not '%s'",
		    OVERRIDE_TIMES_MAX, parts->action);
	if (limit_finish(limit, error) == -1)
		return -1;
	snprintf(
	    limit->name, sizeof(limit->name), "override.%s", parts->action);
	return 0;
}

struct limit *
override_read(const char *pattern, size_t pattern_len, const char *value,
    size_t len, int64_t ends_us, struct limit_error *error)
{
	struct limit *limit = limit_new("override", error);
	struct override_parts parts;

	if (!limit)
		return NULL;
	limit->override = calloc(1, sizeof(*limit->override));
	if (!limit->override)
		word_fail(error, "out of memory");
	else if (!override_split(value, len, &parts))
		word_fail(error,
		    "its value is not ACTION END AUTHOR, and the reason in "
		    "another line");
	else if (override_set_pattern(limit, pattern, pattern_len, error) ==
		     0 &&
		 override_finish(limit, &parts, error) == 0) {
		limit->override->ends_us = ends_us;
		override_write_note(limit->override, &parts);
		return limit;
	}
	limit_free(limit);
	return NULL;
}

int64_t
override_left_us(const struct override *override)
{
	int64_t left_us = override->ends_us - clock_us();

	return left_us > 0 ? left_us : 0;
}

static int64_t
override_times(int64_t number, int64_t times, int64_t most)
{
	return number > most / times ? most : number * times;
}

void
override_scale(
    struct limit *to, const struct limit *limit, const struct limit *override)
{
	const int64_t times = override->override->times;
	int64_t ns = limit->recharge_us * 1000 + limit->recharge_ns;

	*to = *limit;
	to->overridden_by = override;
	if (limit->action != ACTION_NONE)
		return;
	/* A log has a length that it may have. */
	to->capacity = override_times(limit->capacity, times,
	    limit->algorithm->has_log ? LEASES_MAX - limit->debt
				      : LIMIT_CAPACITY_MAX);
	/* No rate is above the highest. */
	if (ns > 0)
		limit_set_recharge(to, ns / times > 1000 ? ns / times : 1000);
}
