/*
 * Reads numbers, durations and rates, and writes them without printf().
 * Holds: a reader takes the whole text or fails; only a rate is rounded, and
 * its recharge time is rounded up. The heart is num_read_parts() and
 * num_write_backwards().
 */
#include "base/num.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* The longest duration: 2^52 microseconds, some 142 years. */
#define DURATION_MAX (INT64_C(1) << 52)

static const char pairs[] = "00010203040506070809"
			    "10111213141516171819"
			    "20212223242526272829"
			    "30313233343536373839"
			    "40414243444546474849"
			    "50515253545556575859"
			    "60616263646566676869"
			    "70717273747576777879"
			    "80818283848586878889"
			    "90919293949596979899";

static const struct unit {
	const char *name;
	int64_t us;
} units[] = {
    {"us", INT64_C(1)},
    {"ms", INT64_C(1000)},
    {"s", INT64_C(1000000)},
    {"m", INT64_C(60000000)},
    {"h", INT64_C(3600000000)},
    {"d", INT64_C(86400000000)},
};

static int
num_fail(int error)
{
	errno = error;
	return -1;
}

size_t
num_count_digits(const char *text, size_t len)
{
	size_t i = 0;

	while (i < len && text[i] >= '0' && text[i] <= '9')
		i++;
	return i;
}

/* The value of ${len} digits; UINT64_MAX means that much or more. */
static uint64_t
num_digits_value(const char *digits, size_t len)
{
	uint64_t value = 0;

	for (size_t i = 0; i < len; i++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(
			value, (uint64_t)(digits[i] - '0'), &value))
			return UINT64_MAX;
	return value;
}

int
num_read_int(
    const char *text, size_t len, int64_t min, int64_t max, int64_t *value)
{
	bool negative = len > 0 && text[0] == '-';
	uint64_t magnitude;
	int64_t number;

	text += negative;
	len -= negative;
	if (len == 0 || num_count_digits(text, len) != len)
		return num_fail(EINVAL);
	magnitude = num_digits_value(text, len);
	if (magnitude > (uint64_t)INT64_MAX + negative)
		return num_fail(ERANGE);
	number = negative ? (int64_t)-magnitude : (int64_t)magnitude;
	if (number < min || number > max)
		return num_fail(ERANGE);
	*value = number;
	return 0;
}

/* The unit of this name in microseconds, or 0 if there is no such unit. */
static int64_t
num_unit_us(const char *text, size_t len)
{
	for (size_t i = 0; i < COUNT(units); i++)
		if (strlen(units[i].name) == len &&
		    memcmp(units[i].name, text, len) == 0)
			return units[i].us;
	return 0;
}

static uint64_t
num_common_divisor(uint64_t a, uint64_t b)
{
	while (b > 0) {
		uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* The decimal fraction 0.DIGITS of ${unit}, or -1 if that is no whole number.
 */
static int64_t
num_fraction(const char *digits, size_t len, int64_t unit)
{
	uint64_t parts = 1, value, common;

	while (len > 0 && digits[len - 1] == '0')
		len--;
	/* A day is 2^16 * 3^3 * 5^11 ns: no fraction with more digits than 16
	 * gives a whole number. */
	if (len > 16)
		return -1;
	for (size_t i = 0; i < len; i++)
		parts *= 10;
	/* Reduce first: value * unit may need more than 64 bits. */
	value = num_digits_value(digits, len);
	common = num_common_divisor((uint64_t)unit, parts);
	parts /= common;
	return value % parts
		   ? -1
		   : (int64_t)(value / parts * ((uint64_t)unit / common));
}

/* Read a duration in units of 1/${parts} of a microsecond.  ${plain} is the
 * unit of a number that names none; 0: it must name one. */
static int
num_read_parts(const char *text, size_t len, int64_t plain, int64_t parts,
    int64_t *duration)
{
	size_t whole = num_count_digits(text, len);
	bool has_fraction = whole < len && text[whole] == '.';
	const char *fraction = text + whole + has_fraction;
	size_t digits =
	    has_fraction ? num_count_digits(fraction, len - whole - 1) : 0;
	const char *end = fraction + digits;
	size_t rest = (size_t)(text + len - end);
	int64_t unit = (rest > 0 ? num_unit_us(end, rest) : plain) * parts;
	int64_t part;
	uint64_t sum;

	if (len == 1 && text[0] == '0') {
		*duration = 0;
		return 0;
	}
	if (whole == 0 || (has_fraction && digits == 0) || unit == 0)
		return num_fail(EINVAL);
	part = num_fraction(fraction, digits, unit);
	if (part < 0)
		return num_fail(EINVAL);
	if (__builtin_mul_overflow(
		num_digits_value(text, whole), (uint64_t)unit, &sum) ||
	    __builtin_add_overflow(sum, (uint64_t)part, &sum) ||
	    sum > (uint64_t)(DURATION_MAX * parts))
		return num_fail(ERANGE);
	*duration = (int64_t)sum;
	return 0;
}

int
num_read_duration(const char *text, size_t len, int64_t *us)
{
	return num_read_parts(text, len, 0, 1, us);
}

int
num_read_seconds(const char *text, size_t len, int64_t *us)
{
	return num_read_parts(text, len, num_unit_us("s", 1), 1, us);
}

int
num_read_fine_duration(const char *text, size_t len, int64_t *ns)
{
	return num_read_parts(text, len, 0, 1000, ns);
}

int
num_read_rate(const char *text, size_t len, int64_t *recharge_ns)
{
	size_t digits = num_count_digits(text, len);
	const char *per = text + digits + 1;
	size_t per_len;
	int64_t count, span;

	if (digits == 0 || digits + 1 >= len || text[digits] != '/')
		return num_fail(EINVAL);
	per_len = len - digits - 1;
	span = num_unit_us(per, per_len);
	if (span == 0 && num_read_duration(per, per_len, &span) < 0)
		return -1;
	if (num_read_int(text, digits, 1, DURATION_MAX, &count) < 0)
		return -1;
	if (count > span)
		return num_fail(ERANGE);
	span *= 1000;
	*recharge_ns = span / count + (span % count != 0);
	return 0;
}

/* The value of a digit in base 62, or -1. */
static int
num_compact_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'Z')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 36;
	return -1;
}

int
num_read_compact(const char *text, size_t len, int64_t max, int64_t *value)
{
	uint64_t number = 0;

	for (size_t i = 0; i < len; i++) {
		int digit = num_compact_digit(text[i]);

		if (digit < 0)
			return num_fail(EINVAL);
		number = number * 62 + (unsigned)digit;
		if (number > (uint64_t)max)
			return num_fail(ERANGE);
	}
	if (number == 0)
		return num_fail(len == 0 ? EINVAL : ERANGE);
	*value = (int64_t)number;
	return 0;
}

size_t
num_write_compact(char *to, int64_t value)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz";
	char text[NUM_MAX_LEN];
	char *end = text + sizeof(text), *start = end;

	do {
		*--start = digits[value % 62];
		value /= 62;
	} while (value > 0);
	memcpy(to, start, (size_t)(end - start));
	return (size_t)(end - start);
}

/* How many digits ${value} has, 1 for zero: from its bits, of which each is
 * worth 0.301 digits, and by one comparison. */
static unsigned
num_count_of(uint64_t value)
{
	static const uint64_t smallest[] = {0, UINT64_C(10), UINT64_C(100),
	    UINT64_C(1000), UINT64_C(10000), UINT64_C(100000),
	    UINT64_C(1000000), UINT64_C(10000000), UINT64_C(100000000),
	    UINT64_C(1000000000), UINT64_C(10000000000), UINT64_C(100000000000),
	    UINT64_C(1000000000000), UINT64_C(10000000000000),
	    UINT64_C(100000000000000), UINT64_C(1000000000000000),
	    UINT64_C(10000000000000000), UINT64_C(100000000000000000),
	    UINT64_C(1000000000000000000), UINT64_C(10000000000000000000)};
	unsigned bits = 64 - (unsigned)__builtin_clzll(value | 1);
	unsigned count = bits * 1233 >> 12;

	return count + (value >= smallest[count]);
}

/* Write ${value} so that it ends right before ${end}. */
static void
num_write_backwards(char *end, uint64_t value)
{
	while (value >= 100) {
		end -= 2;
		memcpy(end, pairs + value % 100 * 2, 2);
		value /= 100;
	}
	if (value >= 10)
		memcpy(end - 2, pairs + value * 2, 2);
	else
		end[-1] = (char)('0' + value);
}

int
num_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | ' ');
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

size_t
num_write_int(char *to, int64_t value)
{
	bool negative = value < 0;
	uint64_t magnitude = negative ? -(uint64_t)value : (uint64_t)value;
	unsigned len;

	/* Most numbers in responses have one digit: write it without a call. */
	if (value >= 0 && value <= 9) {
		*to = (char)('0' + value);
		return 1;
	}
	*to = '-';
	len = negative + num_count_of(magnitude);
	num_write_backwards(to + len, magnitude);
	return len;
}

size_t
num_write_seconds(char *to, int64_t us)
{
	uint32_t fraction = (uint32_t)(us % 1000000);
	size_t len = num_write_int(to, us / 1000000);

	if (us == 0)
		return len;
	to[len] = '.';
	memcpy(to + len + 1, pairs + fraction / 10000 * 2, 2);
	memcpy(to + len + 3, pairs + fraction / 100 % 100 * 2, 2);
	memcpy(to + len + 5, pairs + fraction % 100 * 2, 2);
	return len + 7;
}

const char *
num_seconds(char *to, int64_t us)
{
	to[num_write_seconds(to, us)] = '\0';
	return to;
}

size_t
num_write_duration(char *to, int64_t us)
{
	size_t i = us ? COUNT(units) - 1 : 0;
	size_t len;

	while (us % units[i].us != 0)
		i--;
	len = num_write_int(to, us / units[i].us);
	memcpy(to + len, units[i].name, strlen(units[i].name));
	return len + strlen(units[i].name);
}
