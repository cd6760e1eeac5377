/*
 * Leases: the same operations on logs, in C and in Lua, alone and in plans,
 * with limits that change and clocks that jump.  The model's logs never see
 * Redis.
 */
#include "arithmetic.h"

#include "limit/leases.h"
#include "store/mates.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASHES    4
#define KEYS      4
#define BUCKETS   (HASHES * KEYS)
#define STEPS_MAX 10
#define PARTS_MAX 4
#define CHARGES   64
#define ROOM      (2 * LEASES_MAX)

#define DAY_US        (24 * INT64_C(3600000000))
#define WINDOW_MAX_US (366 * DAY_US)
#define LATEST_US     (START + 10 * WINDOW_MAX_US)

struct lease_hash {
	char name[24];
	struct limit limit;
};

/* What one query asks of a bucket, so many times. */
struct ask {
	enum op op;
	int64_t amount, count, stamp;
	uint64_t lease;
};

static struct lease_hash hashes[HASHES];
static struct bucket model[BUCKETS];
static struct bucket told[BUCKETS]; /* as the reply says */

static struct {
	unsigned bucket;
	int64_t amount, stamp;
} charges[CHARGES];
static unsigned charged;

static struct limit *
limit_of(unsigned bucket)
{
	return &hashes[bucket / KEYS].limit;
}

/* An end takes 3 to 7 bytes: up to 16.7 s, 71 minutes, 12.7 days, 8.9 years,
 * and beyond; the last only where a clock is set back.  At most 255 drops are
 * one lease. */
static void
random_leases(struct limit *limit)
{
	limit->capacity = random_scale(pick_below(2) ? 9 : 2000);
	limit->debt = pick_below(2) ? pick_below(20) : 0;
	if (pick_below(2))
		limit->window_us = random_scale(
		    pick_below(2) ? INT64_C(100000000) : WINDOW_MAX_US);
}

/* Mostly soon after, sometimes before or years later, but not later than
 * LATEST_US. */
static int64_t
random_moment(int64_t now_us)
{
	now_us += random_scale(limit_of(pick_below(BUCKETS))->window_us);
	if (pick_below(50) == 0)
		now_us -= random_scale(INT64_C(200000000));
	if (pick_below(100) == 0)
		now_us = START + random_scale(LATEST_US - START);
	return now_us < START || now_us > LATEST_US ? START : now_us;
}

static struct bucket
new_bucket(void)
{
	void *bytes = malloc(leases_size(ROOM));

	if (!bytes)
		die("out of memory");
	return (struct bucket){
	    .log = {.log = leases_start(bytes, leases_size(ROOM))}};
}

static struct ask
random_ask(const struct limit *limit, unsigned bucket, bool is_alone)
{
	struct ask ask = {.amount = random_amount(limit), .count = 1};
	int64_t wait_us; /* it has no queue */

	ask.op = random_op(limit, &ask.amount, &wait_us);
	if (ask.op == OP_TAKE && !is_alone)
		ask.op = OP_CONSUME;
	if (is_alone && pick_below(12) == 0)
		ask = (struct ask){.op = OP_RESET, .count = 1};
	else if (is_alone && pick_below(4) == 0)
		ask.count = random_scale(20);
	if (is_alone && limit->algorithm->lease && pick_below(2))
		return (struct ask){.op = pick_below(3) ? OP_HOLD : OP_RELEASE,
		    .amount =
			pick_below(4) ? 1 : pick_below(limit->capacity + 2),
		    .count = 1,
		    .lease = lease_name("abcdefgh" + pick_below(8), 1)};
	for (unsigned i = 0; is_alone && i < charged && i < CHARGES; i++)
		if (charges[i].bucket == bucket && pick_below(8) == 0)
			return (struct ask){OP_GIVE_BACK, charges[i].amount, 1,
			    charges[i].stamp, 0};
	return ask;
}

static size_t
write_ask(const struct limit *limit, const struct ask *ask, char *to)
{
	char suffix[32];
	size_t len;

	if (ask->op == OP_RESET)
		return (size_t)sprintf(to, "r");
	if (op_names_lease(ask->op)) {
		len = ask->op == OP_HOLD
			  ? (size_t)sprintf(to, "%" PRId64, ask->amount)
			  : 0;
		to[len++] = '#';
		lease_name_write(to + len, ask->lease);
		return len + LEASE_DIGITS;
	}
	if (ask->op == OP_GIVE_BACK)
		return (size_t)sprintf(
		    to, "%" PRId64 "@%" PRId64, ask->amount, ask->stamp);
	len = (size_t)sprintf(to, "%" PRId64 "%s", ask->amount,
	    op_suffix(limit, ask->op, 0, suffix));
	if (ask->count > 1)
		len += (size_t)sprintf(to + len, "*%" PRId64, ask->count);
	return len;
}

/*
 * What C makes of it.
 */

static void
check_decisions(const struct decision *a, const struct decision *b)
{
	if (a->allowed != b->allowed || a->taken != b->taken ||
	    a->level != b->level || a->next_us != b->next_us ||
	    a->retry_us != b->retry_us || a->empty_us != b->empty_us)
		die("leases: the decision differs from the model's: level "
		    "%" PRId64 " %" PRId64 ", retry %" PRId64 " %" PRId64,
		    a->level, b->level, a->retry_us, b->retry_us);
}

/* The answers to a client that comes back at retry, and just before. */
static void
check_retry(const struct limit *limit, const struct ask *ask, unsigned bucket,
    int64_t now_us, const struct decision *decision)
{
	struct bucket copy = model[bucket];
	struct decision later;

	if (ask->op != OP_CONSUME || decision->allowed ||
	    decision->retry_us == RETRY_NEVER || copy.log.fresh > 0 ||
	    copy.log.cut > 0)
		return;
	decide(limit, OP_PEEK, ask->amount, now_us + decision->retry_us - 1,
	    &copy, &later);
	if (later.allowed)
		die("leases: retry is later than need be");
	decide(limit, OP_PEEK, ask->amount, now_us + decision->retry_us, &copy,
	    &later);
	if (!later.allowed)
		die("leases: what comes back at retry is denied");
}

static void
take_step(const struct ask *asks, const unsigned *buckets, unsigned count,
    struct bucket *all, int64_t now_us, struct query *parts)
{
	struct mate_bucket at[PARTS_MAX];

	for (unsigned i = 0; i < count; i++) {
		parts[i] = (struct query){.limit = limit_of(buckets[i]),
		    .op = asks[i].op,
		    .amount = asks[i].amount};
		if (op_names_lease(asks[i].op))
			parts[i].lease = asks[i].lease;
		else
			parts[i].bucket.numbers[0] = asks[i].stamp;
		if (i > 0)
			parts[i - 1].mate = &parts[i];
		at[i] = (struct mate_bucket){now_us, all[buckets[i]], false};
	}
	mates_decide(parts, at);
	for (unsigned i = 0; i < count; i++)
		all[buckets[i]] = at[i].bucket;
}

static void
take_both(const struct ask *asks, const unsigned *buckets, unsigned count,
    int64_t now_us)
{
	struct query a[PARTS_MAX], b[PARTS_MAX];

	for (int64_t k = 0; k < asks[0].count; k++) {
		take_step(asks, buckets, count, model, now_us, a);
		take_step(asks, buckets, count, told, now_us, b);
		for (unsigned i = 0; i < count; i++) {
			check_decisions(&a[i].decision, &b[i].decision);
			check_retry(a[i].limit, &asks[i], buckets[i], now_us,
			    &a[i].decision);
			if (a[i].charged && a[i].amount > 0 &&
			    a[i].op != OP_TAKE && a[i].op != OP_HOLD) {
				charges[charged % CHARGES].bucket = buckets[i];
				charges[charged % CHARGES].amount =
				    asks[i].amount;
				charges[charged++ % CHARGES].stamp =
				    bucket_stamp(&model[buckets[i]]);
			}
		}
	}
}

/*
 * What the scripts make of it.
 */

struct step {
	unsigned count;
	struct ask asks[PARTS_MAX];
	unsigned buckets[PARTS_MAX];
};

static void
random_step(struct step *step, unsigned hash, bool is_plan)
{
	unsigned first =
	    is_plan ? pick_below(BUCKETS) : hash * KEYS + pick_below(KEYS);

	step->count = is_plan && pick_below(2) ? 1 + pick_below(PARTS_MAX) : 1;
	for (unsigned i = 0; i < step->count; i++) {
		step->buckets[i] = (first + i * 7) % BUCKETS;
		do
			step->asks[i] = random_ask(limit_of(step->buckets[i]),
			    step->buckets[i], step->count == 1);
		while (!is_plan && step->asks[i].op == OP_GIVE_BACK);
	}
}

static void
add_plan_step(struct args *args, const struct step *step)
{
	char text[400];
	size_t len = 0;

	for (unsigned i = 0; i < step->count; i++) {
		const struct limit *limit = limit_of(step->buckets[i]);

		len += (size_t)sprintf(
		    text + len, "%s%u ", len ? " " : "", step->buckets[i] + 1);
		len += write_ask(limit, &step->asks[i], text + len);
		text[len] = '\0';
		if (limit->shadow && op_puts(step->asks[i].op) &&
		    !op_names_lease(step->asks[i].op) &&
		    step->asks[i].count == 1)
			len += (size_t)sprintf(text + len, "?");
	}
	args_add(args, "%s", text);
}

static void
send_plan(const struct step *steps, unsigned count, int64_t now_us)
{
	static struct args args;

	args_add_plan(&args, HASHES);
	for (unsigned i = 0; i < HASHES; i++)
		args_add(&args, "%s", hashes[i].name);
	args_add(&args, "%d", HASHES);
	for (unsigned i = 0; i < HASHES; i++) {
		args_add(&args, "%s", hashes[i].limit.algorithm->script);
		args_add_parameters(&args, &hashes[i].limit, now_us);
		args_add(&args, "3600000");
		args_add(&args, "%u", KEYS);
		for (unsigned k = 0; k < KEYS; k++)
			args_add(&args, "k%u", k);
	}
	for (unsigned i = 0; i < count; i++)
		add_plan_step(&args, &steps[i]);
	args_add_time(&args, now_us);
	redis_send(&args);
}

static void
send_batch(
    const struct step *steps, unsigned count, unsigned hash, int64_t now_us)
{
	static struct args args;

	args_add_script(&args, hashes[hash].limit.algorithm, 1);
	args_add(&args, "%s", hashes[hash].name);
	args_add_limit(&args, &hashes[hash].limit, now_us, KEYS, "");
	for (unsigned k = 0; k < KEYS; k++)
		args_add(&args, "k%u", k);
	for (unsigned k = 0; k < KEYS; k++) {
		char text[600] = "";
		size_t len = 0;

		for (unsigned i = 0; i < count; i++) {
			if (steps[i].buckets[0] != hash * KEYS + k)
				continue;
			if (len > 0)
				text[len++] = ' ';
			len += write_ask(
			    &hashes[hash].limit, &steps[i].asks[0], text + len);
		}
		text[len] = '\0';
		args_add(&args, "%s", len ? text : "0");
	}
	args_add_time(&args, now_us);
	redis_send(&args);
}

static void
ask_hash(unsigned hash)
{
	static struct args args;

	args_add(&args, "HMGET");
	args_add(&args, "%s", hashes[hash].name);
	for (unsigned k = 0; k < KEYS; k++)
		args_add(&args, "k%u", k);
	redis_send(&args);
}

static void
read_text(const redisReply *reply, unsigned bucket, struct bucket *to)
{
	*to = (struct bucket){
	    .log = {.log = leases_start(to->log.log, leases_size(ROOM))}};
	if (reply->type == REDIS_REPLY_STRING &&
	    !leases_read(limit_of(bucket), reply->str, reply->len, to))
		die("leases: '%s' is not read", reply->str);
}

/* Both say the same once what is over is left out. */
static void
check_bucket(unsigned bucket, int64_t now_us, const char *text)
{
	const struct lease_log *a = model[bucket].log.log;
	const struct lease_log *b = told[bucket].log.log;

	leases_settle(limit_of(bucket), &model[bucket], now_us);
	leases_settle(limit_of(bucket), &told[bucket], now_us);
	if (a->count != b->count || a->drops != b->drops)
		die("leases: '%s' has %u, the model %u, at %" PRId64,
		    text ? text : "", b->count, a->count, now_us);
	for (unsigned i = 0; i < a->count; i++)
		if (a->leases[i].end_us != b->leases[i].end_us ||
		    a->leases[i].drops != b->leases[i].drops ||
		    a->leases[i].name != b->leases[i].name)
			die("leases: lease %u of '%s' is another one", i, text);
}

static void
check_hash(unsigned hash, int64_t now_us)
{
	redisReply *after = redis_receive(REDIS_REPLY_ARRAY);

	for (unsigned k = 0; k < KEYS; k++) {
		const redisReply *text = after->element[k];
		unsigned i = hash * KEYS + k;

		read_text(text, i, &told[i]);
		check_bucket(i, now_us, text->str);
		/* What is over may be there, and count if the clock is set. */
		read_text(text, i, &model[i]);
	}
	freeReplyObject(after);
}

static unsigned
compare_once(int64_t now_us)
{
	const bool is_plan = pick_below(2);
	const unsigned hash = pick_below(HASHES);
	const unsigned first = is_plan ? 0 : hash;
	const unsigned count = 1 + pick_below(STEPS_MAX);
	const unsigned hashes_n = is_plan ? HASHES : 1;
	struct step steps[STEPS_MAX];
	redisReply *reply;

	for (unsigned i = 0; i < count; i++)
		random_step(&steps[i], hash, is_plan);
	if (is_plan)
		send_plan(steps, count, now_us);
	else
		send_batch(steps, count, hash, now_us);
	for (unsigned i = 0; i < hashes_n; i++)
		ask_hash(first + i);
	reply = redis_receive(REDIS_REPLY_ARRAY);
	if (reply->elements != 2 + hashes_n * KEYS)
		die("leases: a reply of another length");
	for (unsigned i = 0; i < hashes_n * KEYS; i++)
		read_text(reply->element[2 + i], first * KEYS + i,
		    &told[first * KEYS + i]);
	freeReplyObject(reply);
	for (unsigned i = 0; i < count; i++)
		take_both(
		    steps[i].asks, steps[i].buckets, steps[i].count, now_us);
	for (unsigned i = 0; i < hashes_n; i++)
		check_hash(first + i, now_us);
	return count;
}

void
compare_leases(uint64_t count)
{
	int64_t now_us = START;

	for (unsigned i = 0; i < BUCKETS; i++) {
		model[i] = new_bucket();
		told[i] = new_bucket();
	}
	for (unsigned i = 0; i < HASHES; i++) {
		hashes[i].limit = (struct limit){
		    .algorithm = i % 2 ? &algorithm_concurrent
				       : &algorithm_sliding_window,
		    .window_us = 1000000,
		    .shadow = i == 3};
		random_leases(&hashes[i].limit);
		snprintf(hashes[i].name, sizeof(hashes[i].name),
		    "arithmetic:leases:%u", i);
		redis_forget(hashes[i].name);
	}
	for (uint64_t done = 0; done < count;) {
		if (pick_below(20) == 0)
			random_leases(&hashes[pick_below(HASHES)].limit);
		now_us = random_moment(now_us);
		done += compare_once(now_us);
	}
	for (unsigned i = 0; i < HASHES; i++)
		redis_forget(hashes[i].name);
	for (unsigned i = 0; i < BUCKETS; i++) {
		free(model[i].log.log);
		free(told[i].log.log);
	}
}
