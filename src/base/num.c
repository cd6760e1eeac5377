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
fail(int error)
{
	errno = error;
	return -1;
}

/* How many of the first ${len} bytes are digits. */
static size_t
count_digits(const char *text, size_t len)
{
	size_t i = 0;

	while (i < len && text[i] >= '0' && text[i] <= '9')
		i++;
	return i;
}

/* The value of ${len} digits; UINT64_MAX stands for that much or more. */
static uint64_t
digits_value(const char *digits, size_t len)
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
	if (len == 0 || count_digits(text, len) != len)
		return fail(EINVAL);
	magnitude = digits_value(text, len);
	if (magnitude > (uint64_t)INT64_MAX + negative)
		return fail(ERANGE);
	number = negative ? (int64_t)-magnitude : (int64_t)magnitude;
	if (number < min || number > max)
		return fail(ERANGE);
	*value = number;
	return 0;
}

/* The unit written in ${len} bytes as microseconds, 0 if there is none such. */
static int64_t
unit_us(const char *text, size_t len)
{
	for (size_t i = 0; i < COUNT(units); i++)
		if (strlen(units[i].name) == len &&
		    memcmp(units[i].name, text, len) == 0)
			return units[i].us;
	return 0;
}

/* The decimal fraction 0.DIGITS of ${unit} in microseconds, or -1 if that is
 * not a whole number of them. */
static int64_t
fraction_us(const char *digits, size_t len, int64_t unit)
{
	unsigned __int128 share;
	uint64_t parts = 1;

	while (len > 0 && digits[len - 1] == '0')
		len--;
	/* A day is 2^13 * 3^3 * 5^8 us: no unit can be cut in ten further. */
	if (len > 13)
		return -1;
	for (size_t i = 0; i < len; i++)
		parts *= 10;
	share = (unsigned __int128)digits_value(digits, len) * (uint64_t)unit;
	return share % parts ? -1 : (int64_t)(share / parts);
}

/* A duration; ${plain} is the unit of a number without one, 0: it needs one. */
static int
read_duration(const char *text, size_t len, int64_t plain, int64_t *us)
{
	size_t whole = count_digits(text, len);
	bool has_fraction = whole < len && text[whole] == '.';
	const char *fraction = text + whole + has_fraction;
	size_t digits =
	    has_fraction ? count_digits(fraction, len - whole - 1) : 0;
	const char *end = fraction + digits;
	size_t rest = (size_t)(text + len - end);
	int64_t unit = rest > 0 ? unit_us(end, rest) : plain;
	int64_t part;
	uint64_t sum;

	if (len == 1 && text[0] == '0') {
		*us = 0;
		return 0;
	}
	if (whole == 0 || (has_fraction && digits == 0) || unit == 0)
		return fail(EINVAL);
	part = fraction_us(fraction, digits, unit);
	if (part < 0)
		return fail(EINVAL);
	if (__builtin_mul_overflow(
		digits_value(text, whole), (uint64_t)unit, &sum) ||
	    __builtin_add_overflow(sum, (uint64_t)part, &sum) ||
	    sum > DURATION_MAX)
		return fail(ERANGE);
	*us = (int64_t)sum;
	return 0;
}

int
num_read_duration(const char *text, size_t len, int64_t *us)
{
	return read_duration(text, len, 0, us);
}

int
num_read_seconds(const char *text, size_t len, int64_t *us)
{
	return read_duration(text, len, unit_us("s", 1), us);
}

int
num_read_rate(const char *text, size_t len, int64_t *recharge_us)
{
	size_t digits = count_digits(text, len);
	const char *per = text + digits + 1;
	size_t per_len;
	int64_t count, span;

	if (digits == 0 || digits + 1 >= len || text[digits] != '/')
		return fail(EINVAL);
	per_len = len - digits - 1;
	span = unit_us(per, per_len);
	if (span == 0 && num_read_duration(per, per_len, &span) < 0)
		return -1;
	if (num_read_int(text, digits, 1, DURATION_MAX, &count) < 0)
		return -1;
	if (count > span)
		return fail(ERANGE);
	*recharge_us = span / count + (span % count != 0);
	return 0;
}

/* Write ${value} to end right before ${end}; return its first byte. */
static char *
write_backwards(char *end, uint64_t value)
{
	while (value >= 10) {
		end -= 2;
		memcpy(end, pairs + value % 100 * 2, 2);
		value /= 100;
	}
	if (value > 0)
		*--end = (char)('0' + value);
	return end;
}

size_t
num_write_int(char *to, int64_t value)
{
	char text[NUM_MAX_LEN];
	char *end = text + sizeof(text), *start;

	/* Most numbers in replies: a copy of known length is no call. */
	if (value >= 0 && value <= 9) {
		*to = (char)('0' + value);
		return 1;
	}
	start = write_backwards(
	    end, value < 0 ? -(uint64_t)value : (uint64_t)value);
	if (value < 0)
		*--start = '-';
	memcpy(to, start, (size_t)(end - start));
	return (size_t)(end - start);
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
