#include "upstream/retry_after.h"

#include "base/num.h"

#define SECOND INT64_C(1000000)

/* Numbers of seconds above this are a time. */
#define EPOCH_MIN INT64_C(1000000000)

static int64_t
retry_after_clamp(int64_t us)
{
	if (us < 0)
		return 0;
	return us < RETRY_AFTER_MAX_US ? us : RETRY_AFTER_MAX_US;
}

/* No number of seconds is taken for more. */
#define SECONDS_MOST (INT64_C(1) << 50)

/* A number of seconds, or -1. */
static int64_t
retry_after_seconds(struct part value)
{
	size_t digits = num_count_digits(value.bytes, value.len);
	int64_t seconds;

	/* GitLab and others have a fraction; it is rounded up. */
	if (digits == 0 || (digits < value.len && value.bytes[digits] != '.'))
		return -1;
	if (num_read_int(value.bytes, digits, 0, SECONDS_MOST, &seconds) == -1)
		return SECONDS_MOST;
	return seconds + (digits < value.len);
}

int64_t
retry_after_read(struct part value, int64_t now_us)
{
	int64_t seconds = retry_after_seconds(value);
	int64_t at_us;

	if (seconds >= 0)
		return seconds > RETRY_AFTER_MAX_US / SECOND
			   ? RETRY_AFTER_MAX_US
			   : seconds * SECOND;
	return part_read_date(value, now_us, &at_us)
		   ? retry_after_clamp(at_us - now_us)
		   : 0;
}

int64_t
retry_after_reset(struct part value, int64_t now_us)
{
	int64_t seconds = retry_after_seconds(value);

	if (seconds < EPOCH_MIN)
		return retry_after_read(value, now_us);
	if (seconds > INT64_C(1) << 40)
		return 0;
	return retry_after_clamp(seconds * SECOND - now_us);
}
