/*
 * Any bytes as the text of a bucket, under all algorithms: what is accepted is
 * of the form that the scripts write, and reads back the same once written
 * again.
 */
#include "fuzz.h"
#include "limit/leaky_state.h"
#include "limit/leases.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LARGEST BUCKET_NUMBER_MAX

/* Whether the text is digits, with any of ${others} among them. */
static void
check_text(const char *text, size_t len, const char *others)
{
	for (size_t i = 0; i < len; i++)
		check((text[i] >= '0' && text[i] <= '9') ||
		      (text[i] != '\0' && strchr(others, text[i])));
}

static void
check_numbers(const struct bucket *bucket)
{
	for (size_t i = 0; i < BUCKET_NUMBERS; i++)
		check(bucket->numbers[i] >= 0 && bucket->numbers[i] <= LARGEST);
}

static void
check_again(
    const struct limit *limit, const struct bucket *bucket, const char *written)
{
	struct bucket again;

	check(limit->algorithm->read(limit, written, strlen(written), &again));
	check(memcmp(bucket, &again, sizeof(again)) == 0);
}

static void
check_leaky(const char *text, size_t len)
{
	const struct limit limit = {
	    .algorithm = &algorithm_leaky_bucket,
	    .capacity = 10,
	    .recharge_us = 1000,
	};
	struct bucket bucket;
	struct leaky_state state;
	char written[80];
	int64_t recharge;
	int end;

	if (!limit.algorithm->read(&limit, text, len, &bucket))
		return;
	check_text(text, len,
	    " ./*ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
	check_numbers(&bucket);
	state = leaky_state_open(&bucket);
	end = sprintf(written, "%" PRId64, state.empty_at_us);
	if (state.ticks != 1)
		end += sprintf(written + end, ".%03d", (int)state.empty_ticks);
	end += sprintf(written + end, " %" PRId64, state.blocked_until_us);
	if (state.strikes > 0)
		end += sprintf(written + end, "*%d", (int)state.strikes);
	recharge = state.recharge;
	if (recharge > 0) {
		written[end++] = '/';
		end += (int)num_write_compact(written + end, recharge);
		written[end] = '\0';
	}
	check_again(&limit, &bucket, written);
}

static void
check_window(const char *text, size_t len)
{
	const struct limit limit = {
	    .algorithm = &algorithm_fixed_window,
	    .capacity = 10,
	    .window_us = 3,
	};
	struct bucket bucket;
	char written[80];

	if (!limit.algorithm->read(&limit, text, len, &bucket))
		return;
	check_text(text, len, "su ");
	check_numbers(&bucket);
	snprintf(written, sizeof(written), "%" PRId64 "u%" PRId64,
	    bucket.window.end_us, bucket.window.count);
	check_again(&limit, &bucket, written);
}

/* What is read is in order, has the sum that the text says, and takes no less
 * than a script would write. */
static void
check_leases(const char *text, size_t len)
{
	static _Alignas(struct lease_log) char room[65536];
	const struct limit limit = {
	    .algorithm = &algorithm_sliding_window, .capacity = 10};
	struct bucket bucket = {
	    .log = {.log = leases_start(room, sizeof(room))}};
	const struct lease_log *log = bucket.log.log;
	int64_t drops = 0;

	if (!leases_read(&limit, text, len, &bucket))
		return;
	check(log->count > 0 && log->count <= log->room);
	check(log->count <= leases_room_for(&limit, len));
	check(len >= 11 + 4 * (size_t)log->count);
	for (uint32_t i = 0; i < log->count; i++) {
		check(log->leases[i].drops > 0 && log->leases[i].end_us > 0);
		check(log->leases[i].end_us <= LARGEST);
		check(i == 0 ||
		      log->leases[i - 1].end_us <= log->leases[i].end_us);
		drops += log->leases[i].drops;
	}
	check(drops == log->drops);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_leaky((const char *)data, size);
	check_window((const char *)data, size);
	check_leases((const char *)data, size);
	return 0;
}
