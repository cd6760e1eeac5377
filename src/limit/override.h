/**
 * override: what counts for some keys in front of all limits, for a while.
 *
 * An override is read as a limit, so that a set of them finds keys as any set
 * does.  It allows, or denies, as an action does, or it lets that many times as
 * much in as the limit that the key has, whose bucket stays.
 */
#ifndef LIMIT_OVERRIDE_H
#define LIMIT_OVERRIDE_H

#include "base/attr.h"
#include "limit/limit.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Most overrides in Redis, and the longest parts of one. */
#define OVERRIDES_MAX        100
#define OVERRIDE_PATTERN_MAX 255
#define OVERRIDE_AUTHOR_MAX  200
#define OVERRIDE_REASON_MAX  200
#define OVERRIDE_VALUE_MAX   500
#define OVERRIDE_TIMES_MAX   1000
#define OVERRIDE_NOTE_MAX    1800

struct override {
	int64_t times;                /* as much; 0: it allows or denies */
	int64_t ends_us;              /* by clock_us() */
	char note[OVERRIDE_NOTE_MAX]; /* "x10 until TIME by AUTHOR: REASON" */
};

/** One as it is in Redis, or was saved; borrowed. */
struct override_line {
	const char *pattern, *value;
	size_t pattern_len, len;
	int64_t left_us; /* until its end; below 0: that cannot be read */
};

/** Read an override as it is in Redis: its pattern, a key or a glob, and
 * "ACTION END AUTHOR\nREASON", END being seconds since the epoch.  It ends at
 * ${ends_us}.  Return it as a finished limit; NULL: it is none, with ${error}
 * set. */
struct limit *override_read(const char *pattern, size_t pattern_len,
    const char *value, size_t len, int64_t ends_us,
    struct limit_error *error) MUST_USE;

/** How long it will be in force; 0: it has ended. */
int64_t override_left_us(const struct override *override);

/** Make ${to} what ${limit} is under ${override}, which multiplies: of a larger
 * capacity, at a higher rate, and with the same buckets.  It owns nothing. */
void override_scale(
    struct limit *to, const struct limit *limit, const struct limit *override);

#endif
