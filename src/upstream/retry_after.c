#include "upstream/retry_after.h"

#include "base/num.h"

#include <curl/curl.h>
#include <string.h>

#define SECOND INT64_C(1000000)

/* Numbers of seconds above this are a time. */
#define EPOCH_MIN INT64_C(1000000000)

/* Room for a date. */
#define DATE_MAX 64

static int64_t
retry_after_clamp(int64_t us)
{
	if (us < 0)
		return 0;
	return us < RETRY_AFTER_MAX_US ? us : RETRY_AFTER_MAX_US;
}

/* A number of seconds, or -1. */
static int64_t
retry_after_seconds(const char *value, size_t len)
{
	size_t digits = num_count_digits(value, len);
	int64_t seconds;

	/* GitLab and others have a fraction; it is rounded up. */
	if (digits == 0 || digits > 15 ||
	    (digits < len && value[digits] != '.') ||
	    num_read_int(value, digits, 0, INT64_C(1) << 50, &seconds) == -1)
		return -1;
	return seconds + (digits < len);
}

int64_t
retry_after_read(const char *value, size_t len, int64_t now_us)
{
	int64_t seconds = retry_after_seconds(value, len);
	char date[DATE_MAX];
	time_t at;

	if (seconds >= 0)
		return seconds > RETRY_AFTER_MAX_US / SECOND
			   ? RETRY_AFTER_MAX_US
			   : seconds * SECOND;
	if (len >= sizeof(date))
		return 0;
	memcpy(date, value, len);
	date[len] = '\0';
	at = curl_getdate(date, NULL);
	return at <= 0 ? 0 : retry_after_clamp((int64_t)at * SECOND - now_us);
}

int64_t
retry_after_reset(const char *value, size_t len, int64_t now_us)
{
	int64_t seconds = retry_after_seconds(value, len);

	if (seconds < EPOCH_MIN)
		return retry_after_read(value, len, now_us);
	if (seconds > INT64_C(1) << 40)
		return 0;
	return retry_after_clamp(seconds * SECOND - now_us);
}
