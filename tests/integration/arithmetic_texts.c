/*
 * A text is a bucket to C where it is one to the script: else one of the two
 * would overwrite, or count from, a value that is not ours.
 */
#include "arithmetic.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH "arithmetic:texts"

struct text {
	char bytes[80];
	size_t len;
};

static int64_t
text_compact(const char **at)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz";
	int64_t number = 0;

	for (; **at && strchr(digits, **at); ++*at)
		number = number * 62 + (strchr(digits, **at) - digits);
	return number;
}

static struct bucket
text_window(const struct limit *limit, const char *text)
{
	int64_t end, count;
	char unit;

	sscanf(text, "%" SCNd64 "%c%" SCNd64, &end, &unit, &count);
	if (unit == 's')
		end *= 1000000;
	if (unit == ' ' &&
	    (__builtin_mul_overflow(end + 1, limit->window_us, &end) ||
		end > LARGEST))
		end = LARGEST;
	return (struct bucket){.window = {end, count, limit->window_us}};
}

struct bucket
text_bucket(const struct limit *limit, const char *text)
{
	struct bucket bucket = {0};
	int64_t recharge = 0, ticks = 0, strikes = 0;
	bool is_fine = false;
	const char *rest;
	char *at;

	if (*text == '\0')
		return bucket;
	if (is_window(limit))
		return text_window(limit, text);
	bucket.leaky.empty_at_us = strtoll(text, &at, 10);
	if (*at == '.') {
		is_fine = true;
		ticks = strtoll(at + 1, &at, 10);
	}
	if (*at == ' ')
		bucket.leaky.blocked_until_us = strtoll(at, &at, 10);
	if (*at == '*')
		strikes = strtoll(at + 1, &at, 10);
	rest = at + 1;
	if (*at == '/')
		recharge = text_compact(&rest);
	bucket.leaky.recharge =
	    is_fine ? 2 * (1000 * recharge + ticks) + 1 : 2 * recharge;
	if (strikes > 0)
		bucket.leaky.recharge = strikes * (INT64_C(1) << 47) +
					2 * bucket.leaky.recharge + 1;
	return bucket;
}

void
text_earlier(const struct limit *limit, int64_t now_us, char *text)
{
	int64_t life_us = limit->capacity * limit->recharge_us;

	if (is_window(limit))
		snprintf(text, TEXT_MAX, "%" PRId64 " %" PRId64,
		    now_us / limit->window_us + pick_below(2),
		    random_scale(limit->capacity));
	else if (pick_below(2))
		snprintf(
		    text, TEXT_MAX, "%" PRId64, now_us + random_scale(life_us));
	else
		snprintf(text, TEXT_MAX, "%" PRId64 " %" PRId64,
		    now_us + random_scale(life_us),
		    now_us + random_scale(limit->block_us + 1));
}

/* A number, often near the largest, with zeros before it. */
static size_t
random_number(char *to)
{
	static const int64_t edges[] = {0, LARGEST, LARGEST + 1, LARGEST + 2,
	    LARGEST / 1000000, LARGEST / 1000000 + 1};
	int64_t number =
	    pick_below(3) ? random_scale(4 * LARGEST) : edges[pick_below(6)];

	return (size_t)sprintf(
	    to, "%0*" PRId64, pick_below(4) ? 1 : (int)pick_below(20), number);
}

static size_t
random_compact(char *to)
{
	static const char *const edges[] = {"0", "00001", "KcqObyjK3",
	    "KcqObyjK4", "4C91", "4C92", "zzzzzzzzzz", ""};
	size_t len = 0;

	if (pick_below(4) == 0)
		return (size_t)sprintf(to, "%s", edges[pick_below(8)]);
	for (int64_t n = 1 + pick_below(9); n > 0; n--)
		to[len++] = "09AZaz5Mm"[pick_below(9)];
	to[len] = '\0';
	return len;
}

/* What a bucket may look like, and mostly something wrong. */
static struct text
random_text(void)
{
	static const char odd[] = " -+.eExXnaif0123456789/su\n\t\xff";
	struct text text;
	char *at = text.bytes;

	if (pick_below(4) == 0) {
		at += random_number(at);
		*at++ = "su "[pick_below(3)];
		at += random_number(at);
	} else {
		at += random_number(at);
		if (pick_below(4) == 0)
			at += sprintf(at, ".%0*d", 1 + (int)pick_below(4),
			    (int)pick_below(1100));
		if (pick_below(2)) {
			*at++ = ' ';
			at += random_number(at);
			if (pick_below(3) == 0)
				at += sprintf(at, "*%0*d", (int)pick_below(4),
				    (int)pick_below(70));
		}
		if (pick_below(2)) {
			*at++ = '/';
			at += random_compact(at);
		}
	}
	text.len = (size_t)(at - text.bytes);
	for (int64_t i = pick_below(3); i > 0 && text.len > 0; i--)
		text.bytes[pick_below((int64_t)text.len)] =
		    odd[pick_below(sizeof(odd))]; /* its NUL, too */
	if (pick_below(8) == 0)
		text.len = (size_t)pick_below((int64_t)text.len + 1);
	return text;
}

static void
add_keys(struct args *args)
{
	for (unsigned i = 0; i < BATCH_MAX; i++)
		args_add(args, "k%u", i);
}

/* Put the texts into a hash, empty each and put a drop into it, and ask
 * for them. */
static void
send_texts(const struct limit *limit, const struct text *texts)
{
	static struct args args;

	args_add(&args, "HSET");
	args_add(&args, HASH);
	for (unsigned i = 0; i < BATCH_MAX; i++) {
		args_add(&args, "k%u", i);
		args_add_bytes(&args, texts[i].bytes, texts[i].len);
	}
	redis_send(&args);

	args_add_script(&args, limit->algorithm, 1);
	args_add(&args, HASH);
	args_add_limit(&args, limit, START, BATCH_MAX, "r 1");
	add_keys(&args);
	args_add_time(&args, START);
	redis_send(&args);

	args_add(&args, "HMGET");
	args_add(&args, HASH);
	add_keys(&args);
	redis_send(&args);
}

static void
check_text(
    const struct limit *limit, const struct text *text, const redisReply *after)
{
	struct bucket bucket;
	bool is_changed = after->len != text->len ||
			  memcmp(after->str, text->bytes, text->len) != 0;

	if (limit->algorithm->read(limit, text->bytes, text->len, &bucket) !=
	    is_changed)
		die("the text '%.*s' is a %s to %s only", (int)text->len,
		    text->bytes, is_window(limit) ? "window" : "bucket",
		    is_changed ? "the script" : "C");
}

static void
check_texts(const struct limit *limit, const struct text *texts)
{
	redisReply *after;

	freeReplyObject(redis_receive(REDIS_REPLY_INTEGER));
	freeReplyObject(redis_receive(REDIS_REPLY_ARRAY));
	after = redis_receive(REDIS_REPLY_ARRAY);
	for (unsigned i = 0; i < BATCH_MAX; i++)
		check_text(limit, &texts[i], after->element[i]);
	freeReplyObject(after);
}

void
compare_texts(const struct algorithm *algorithm, unsigned count)
{
	/* No text of the test is what a drop leaves under it. */
	const struct limit limit = {
	    .algorithm = algorithm,
	    .capacity = 10,
	    .recharge_us = 999999937,
	    .window_us = 999999937,
	};
	struct text texts[BATCH_MAX];

	redis_forget(HASH);
	for (unsigned done = 0; done < count; done += BATCH_MAX) {
		for (unsigned i = 0; i < BATCH_MAX; i++)
			texts[i] = random_text();
		send_texts(&limit, texts);
		check_texts(&limit, texts);
	}
	redis_forget(HASH);
}
