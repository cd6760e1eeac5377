/*
 * Several daemons on one Redis, each with another version of a limit, and a
 * clock that is set back at times: what is admitted keeps the bound of the
 * loosest version, in every window.
 */
#include "arithmetic.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define HASH     "arithmetic:versions"
#define VERSIONS 3
#define STEPS    400

struct admission {
	int64_t at_us;
	int64_t amount;
};

/* One key, all of whose requests are followed. */
struct story {
	struct limit versions[VERSIONS];
	unsigned versions_n;
	int64_t at_us;   /* of a clock that is never set */
	int64_t back_us; /* by how much that of Redis was set back */
	char text[TEXT_MAX];
	struct admission admitted[STEPS];
	unsigned admitted_n;
};

static struct limit
random_version(void)
{
	static const int64_t capacities[] = {1, 2, 5, 10, 100};
	static const int64_t recharges_us[] = {
	    1, 7, 1000, 10000, 60000, 1000000, INT64_C(123456789012)};
	struct limit limit = {
	    .algorithm = &algorithm_leaky_bucket,
	    .capacity = capacities[pick_below(5)],
	    .recharge_us = recharges_us[pick_below(7)],
	};

	if (limit.recharge_us < 1000 && pick_below(2))
		limit.recharge_ns = pick_below(1000);
	if (pick_below(8) == 0)
		limit.block_us = random_scale(1000000);
	return limit;
}

static int64_t
loosest_capacity(const struct story *story)
{
	int64_t most = 0;

	for (unsigned i = 0; i < story->versions_n; i++)
		if (story->versions[i].capacity > most)
			most = story->versions[i].capacity;
	return most;
}

static int64_t
loosest_recharge_ns(const struct story *story)
{
	int64_t least = INT64_MAX;

	for (unsigned i = 0; i < story->versions_n; i++) {
		const struct limit *limit = &story->versions[i];
		int64_t ns = limit->recharge_us * 1000 + limit->recharge_ns;

		if (ns < least)
			least = ns;
	}
	return least;
}

static void
pass_time(struct story *story)
{
	switch (pick_below(6)) {
	case 0:
		story->at_us +=
		    pick_below(1 + 3 * loosest_recharge_ns(story) / 1000);
		break;
	case 1:
		story->at_us += pick_below(200000);
		break;
	case 2:
		story->at_us += pick_below(2);
		break;
	default:
		break;
	}
	if (pick_below(200) == 0)
		story->back_us += random_scale(10000000);
}

/* Have the script decide; return the text that it leaves. */
static void
ask_script(struct story *story, const struct limit *limit, int64_t amount,
    int64_t now_us)
{
	static struct args args;
	char op[24];
	redisReply *reply;

	snprintf(op, sizeof(op), "%" PRId64, amount);
	args_add_script(&args, limit->algorithm, 1);
	args_add(&args, HASH);
	args_add_limit(&args, limit, now_us, 1, op);
	args_add(&args, "k0");
	args_add_time(&args, now_us);
	redis_send(&args);
	args_add(&args, "HGET");
	args_add(&args, HASH);
	args_add(&args, "k0");
	redis_send(&args);
	freeReplyObject(redis_receive(REDIS_REPLY_ARRAY));
	reply = redis_receive_any();
	snprintf(story->text, TEXT_MAX, "%s", reply->str ? reply->str : "");
	freeReplyObject(reply);
}

static void
check_text(const struct story *story, const struct limit *limit,
    const struct bucket *bucket, int64_t now_us)
{
	struct bucket is = text_bucket(limit, story->text);
	struct decision a, b;
	struct bucket copy = *bucket;

	decide(limit, OP_PEEK, 1, now_us, &copy, &a);
	decide(limit, OP_PEEK, 1, now_us, &is, &b);
	if (a.empty_us != b.empty_us || a.blocked_us != b.blocked_us)
		die("versions: C and the script differ at '%s'", story->text);
}

static void
step(struct story *story)
{
	const struct limit *limit =
	    &story->versions[pick_below(story->versions_n)];
	int64_t amount = pick_below(4) ? 1 : 1 + pick_below(5);
	struct bucket bucket = text_bucket(limit, story->text);
	struct decision decision;
	int64_t now_us;
	char was[TEXT_MAX];

	pass_time(story);
	now_us = story->at_us - story->back_us;
	strcpy(was, story->text);
	if (!decide(limit, OP_CONSUME, amount, now_us, &bucket, &decision) &&
	    decision.allowed)
		die("versions: admitted without a trace");
	ask_script(story, limit, amount, now_us);
	check_text(story, limit, &bucket, now_us);
	if (!decision.allowed && limit->block_us == 0 &&
	    bucket.leaky.recharge == text_bucket(limit, was).leaky.recharge &&
	    strcmp(was, story->text) != 0)
		die("versions: a refusal made '%s' of '%s'", story->text, was);
	if (decision.allowed)
		story->admitted[story->admitted_n++] =
		    (struct admission){story->at_us, amount};
}

static void
check_bound(const struct story *story)
{
	const int64_t capacity = loosest_capacity(story);
	const int64_t recharge_ns = loosest_recharge_ns(story);

	for (unsigned i = 0; i < story->admitted_n; i++) {
		int64_t sum = 0;

		for (unsigned k = i; k < story->admitted_n; k++) {
			int64_t passed_us =
			    story->admitted[k].at_us - story->admitted[i].at_us;

			sum += story->admitted[k].amount;
			if (sum > capacity + passed_us * 1000 / recharge_ns)
				die("versions: %" PRId64
				    " admitted within %" PRId64
				    " us, capacity %" PRId64
				    ", recharge %" PRId64 " ns",
				    sum, passed_us, capacity, recharge_ns);
		}
	}
}

static uint64_t
tell_story(struct story *story)
{
	*story = (struct story){
	    .at_us = START, .versions_n = (unsigned)(1 + pick_below(VERSIONS))};
	for (unsigned i = 0; i < story->versions_n; i++)
		story->versions[i] = random_version();
	redis_forget(HASH);
	for (unsigned i = 0; i < STEPS; i++)
		step(story);
	check_bound(story);
	return story->admitted_n;
}

void
compare_versions(uint64_t count)
{
	static struct story story;
	uint64_t admitted = 0, told = 0;

	for (; told < count; told += STEPS)
		admitted += tell_story(&story);
	redis_forget(HASH);
	if (admitted < told / 20)
		die("versions: %" PRIu64 " of %" PRIu64
		    " admitted: this shows nothing",
		    admitted, told);
}
