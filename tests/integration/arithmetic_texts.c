/*
 * A text is a bucket to C where it is one to the script: else one of the two
 * would overwrite, or count from, a value that is not ours.
 */
#include "arithmetic.h"
#include "store/field.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define HASH "arithmetic:texts"

struct text {
	char bytes[64];
	size_t len;
};

/* One number or two, often near the largest, and mostly something wrong. */
static struct text
random_text(void)
{
	static const char odd[] = " -+.eExXnaif0123456789\n\t\xff";
	static const int64_t edges[] = {0, LARGEST, LARGEST + 1, LARGEST + 2};
	struct text text;
	int64_t numbers[2];

	for (int i = 0; i < 2; i++)
		numbers[i] = pick_below(3) ? random_scale(4 * LARGEST)
					     : edges[pick_below(4)];
	snprintf(text.bytes, sizeof(text.bytes), "%0*" PRId64 " %" PRId64,
	    (int)pick_below(40), numbers[0], numbers[1]);
	if (pick_below(2))
		*strchr(text.bytes, ' ') = '\0';
	text.len = strlen(text.bytes);
	for (int64_t i = pick_below(3); i > 0; i--)
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

/* Put the texts into a hash, have a drop put into each, and ask for them. */
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
	args_add_limit(&args, limit, BATCH_MAX, "1");
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

	if (field_read(limit, text->bytes, text->len, &bucket) != is_changed)
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

/* Under this limit a drop changes the text of any bucket: it is never refused
 * without bringing the text to this capacity, which no text has. */
void
compare_texts(enum algorithm algorithm, unsigned count)
{
	const struct limit limit = {
	    .algorithm = algorithm,
	    .capacity = 999999937,
	    .recharge_us = 1,
	    .window_us = 1000000,
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
