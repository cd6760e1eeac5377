/**
 * num: numbers and units, read strictly and written fast.
 *
 * Reading: the whole text must be the number.  No blanks, no sign but a leading
 * '-', no 0x, no exponent, no fraction where a whole number is asked for.  All
 * that read return 0, or -1 with errno EINVAL (not a number of this kind) or
 * ERANGE.
 */
#ifndef BASE_NUM_H
#define BASE_NUM_H

#include "base/attr.h"

#include <stddef.h>
#include <stdint.h>

/** Longest text that num_write_int() or num_write_seconds() writes. */
#define NUM_MAX_LEN 24

/** How many of the first ${len} bytes are digits. */
size_t num_count_digits(const char *text, size_t len);

/** Read a decimal whole number from ${min} to ${max}. */
int num_read_int(const char *text, size_t len, int64_t min, int64_t max,
    int64_t *value) MUST_USE;

/** Read a duration, a whole number or a decimal fraction followed at once by
 * its unit (us ms s m h d), as microseconds.  "1.5s" is 1500000.  A plain "0"
 * needs no unit.  What is not a whole number of microseconds is EINVAL; above
 * 2^52 microseconds it is ERANGE. */
int num_read_duration(const char *text, size_t len, int64_t *us) MUST_USE;

/** The same, but a plain number is seconds. */
int num_read_seconds(const char *text, size_t len, int64_t *us) MUST_USE;

/** The same as num_read_duration(), as nanoseconds. */
int num_read_fine_duration(const char *text, size_t len, int64_t *ns) MUST_USE;

/** Read a rate, COUNT/UNIT ("60/h", "5/s", "10/15m": a number may precede the
 * unit), as the time for one drop in nanoseconds, rounded up, so that the rate
 * is never exceeded.  Less than one microsecond a drop is ERANGE. */
int num_read_rate(const char *text, size_t len, int64_t *recharge_ns) MUST_USE;

/** The value of a hexadecimal digit; -1: it is none. */
int num_hex(char c);

/** Write ${value} in decimal, without a terminating NUL; return the length. */
size_t num_write_int(char *to, int64_t value);

/** Read a number from 1 to ${max} < 2^58 in base 62, with the digits 0-9 A-Z
 * a-z. */
int num_read_compact(
    const char *text, size_t len, int64_t max, int64_t *value) MUST_USE;

/** Write ${value} (>= 0) in base 62, without a terminating NUL; return the
 * length. */
size_t num_write_compact(char *to, int64_t value);

/** Write ${us} (>= 0) microseconds as num_read_duration() takes them, in the
 * largest unit that leaves a whole number; return the length. */
size_t num_write_duration(char *to, int64_t us);

/** Write ${us} (>= 0) microseconds as seconds with six decimals, a plain "0"
 * for none, without a terminating NUL; return the length. */
size_t num_write_seconds(char *to, int64_t us);

/** The same as a string of at most NUM_MAX_LEN bytes and a NUL; return ${to}.
 */
const char *num_seconds(char *to, int64_t us);

#endif
