/*
 * Any bytes as the text of a bucket, under both algorithms: what is accepted is
 * digits and at most one blank, and reads back the same once written anew.
 */
#include "fuzz.h"
#include "store/field.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LARGEST ((INT64_C(1) << 53) - 1)

static void
check_text(const char *text, size_t len)
{
	size_t blanks = 0;

	for (size_t i = 0; i < len; i++) {
		check(text[i] == ' ' || (text[i] >= '0' && text[i] <= '9'));
		blanks += text[i] == ' ';
	}
	check(blanks <= 1);
}

static void
check_leaky(const char *text, size_t len)
{
	const struct limit limit = {
	    .algorithm = ALGORITHM_LEAKY_BUCKET,
	    .capacity = 10,
	    .recharge_us = 1000,
	};
	struct bucket bucket, again;
	char written[64];

	if (!field_read(&limit, text, len, &bucket))
		return;
	check_text(text, len);
	check(bucket.empty_at_us >= 0 && bucket.empty_at_us <= LARGEST);
	check(bucket.blocked_until_us >= 0 &&
	      bucket.blocked_until_us <= LARGEST);
	snprintf(written, sizeof(written), "%" PRId64 " %" PRId64,
	    bucket.empty_at_us, bucket.blocked_until_us);
	check(field_read(&limit, written, strlen(written), &again));
	check(memcmp(&bucket, &again, sizeof(bucket)) == 0);
}

static void
check_window(const char *text, size_t len)
{
	const struct limit limit = {
	    .algorithm = ALGORITHM_FIXED_WINDOW,
	    .capacity = 10,
	    .window_us = 3,
	};
	struct bucket bucket, again;
	char written[64];

	if (!field_read(&limit, text, len, &bucket))
		return;
	check_text(text, len);
	check(bucket.empty_at_us > 0 && bucket.empty_at_us <= LARGEST + 1);
	check(bucket.blocked_until_us <= 0 &&
	      bucket.blocked_until_us >= -LARGEST);
	if (bucket.empty_at_us == LARGEST + 1)
		return; /* so far ahead that the window is no longer told */
	snprintf(written, sizeof(written), "%" PRId64 " %" PRId64,
	    bucket.empty_at_us / limit.window_us - 1, -bucket.blocked_until_us);
	check(field_read(&limit, written, strlen(written), &again));
	check(memcmp(&bucket, &again, sizeof(bucket)) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_leaky((const char *)data, size);
	check_window((const char *)data, size);
	return 0;
}
