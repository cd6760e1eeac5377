/*
 * The arithmetic exists twice, in C and in Lua; this holds the two equal.
 *
 *	arithmetic SOCKET OPERATIONS [SEED]
 *
 * Drives the scripts in the Redis server at SOCKET and the C code with the same
 * random operations and an injected clock.  After each batch,
 *
 *   - what the script says a bucket was, and what is in the hash now, must
 *     be what the model holds: C code that never saw Redis;
 *   - a text must be what it was if nothing was to change it;
 *   - every figure of every decision worked out from the script's reply, as the
 *     daemon does it, must be the model's.
 */
#include "arithmetic.h"

#include "limit/leaky_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASHES     6   /* of either algorithm in turn */
#define KEYS       101 /* prime: any step visits them all */
#define GROUPS_MAX 3
#define RUNS_MAX   4
#define TEXTS      12800 /* for each algorithm */

/* A limit and all its buckets, as the model has them. */
struct hash {
	char name[24];
	struct limit limit;
	char texts[KEYS][TEXT_MAX]; /* "" for none */
};

/* The same operation, ${count} times in a row. */
struct run {
	enum op op;
	int64_t amount, wait_us;
	int64_t count;
};

/* All that one batch does to one bucket. */
struct entry {
	unsigned key;
	unsigned runs_n;
	struct run runs[RUNS_MAX];
	char ops[256]; /* the runs, as the script reads them */
};

/* What one batch does to one hash. */
struct group {
	struct hash *hash;
	unsigned n;
	struct entry entries[BATCH_MAX];
};

struct batch {
	const struct algorithm *algorithm;
	int64_t now_us;
	unsigned n;
	struct group groups[GROUPS_MAX];
};

static struct hash hashes[HASHES];
static uint64_t seed;
static uint64_t operations;

/* After a clock was set back, an end may be further ahead than is counted. */
#define SPAN_MAX ((INT64_C(1) << 52) - 1)

/* A time that is past is none: it does not matter which one is kept. */
static bool
same_time(int64_t a, int64_t b, int64_t now_us)
{
	return a == b || (a <= now_us && b <= now_us) ||
	       (a - now_us >= SPAN_MAX && b - now_us >= SPAN_MAX);
}

static bool
same_recharge(const struct bucket *a, const struct bucket *b)
{
	const struct leaky_state x = leaky_state_open(a);
	const struct leaky_state y = leaky_state_open(b);

	return x.recharge == y.recharge && x.ticks == y.ticks &&
	       x.empty_ticks == y.empty_ticks;
}

static bool
same_spans(const struct limit *limit, const struct bucket *a,
    const struct bucket *b, int64_t now_us)
{
	struct bucket copy_a = *a, copy_b = *b;
	struct decision x, y;

	decide(limit, OP_PEEK, 0, now_us, &copy_a, &x);
	decide(limit, OP_PEEK, 0, now_us, &copy_b, &y);
	return x.empty_us == y.empty_us && x.blocked_us == y.blocked_us;
}

/* After a clock was set back, a block may be too far ahead to be one. */
static bool
same_far(int64_t a, int64_t b, int64_t now_us)
{
	int64_t far_us = now_us + (INT64_C(1) << 46);

	return a == b || (a >= far_us && b >= far_us);
}

/* Where blocks grow, one counts for longer than it lasts; one whose number is
 * not known is the first. */
static bool
same_block(const struct limit *limit, const struct bucket *a,
    const struct bucket *b, int64_t now_us)
{
	const struct leaky_state x = leaky_state_open(a);
	const struct leaky_state y = leaky_state_open(b);
	int64_t since_us = now_us - limit_block_memory_us(limit);

	if (limit->block_growth == 0 || x.blocked_until_us <= since_us)
		return same_time(
		    x.blocked_until_us, y.blocked_until_us, since_us);
	return same_far(x.blocked_until_us, y.blocked_until_us, now_us) &&
	       (x.strikes > 1 ? x.strikes : 1) ==
		   (y.strikes > 1 ? y.strikes : 1);
}

bool
same_meaning(const struct limit *limit, const struct bucket *a,
    const struct bucket *b, int64_t now_us)
{
	if (limit->block_growth == 0 &&
	    limit->algorithm->is_drained(a, now_us) &&
	    limit->algorithm->is_drained(b, now_us))
		return true;
	if (is_window(limit))
		return a->window.end_us == b->window.end_us &&
		       a->window.count == b->window.count;
	/* Ticks that others wrote stay there if a batch comes to nothing. */
	if (limit->is_inline)
		return same_spans(limit, a, b, now_us);
	return same_time(a->leaky.empty_at_us, b->leaky.empty_at_us, now_us) &&
	       same_block(limit, a, b, now_us) &&
	       (a->leaky.empty_at_us <= now_us || same_recharge(a, b));
}

static bool
same_decision(const struct decision *a, const struct decision *b)
{
	return a->allowed == b->allowed && a->taken == b->taken &&
	       a->level == b->level && a->next_us == b->next_us &&
	       a->retry_us == b->retry_us && a->blocked_us == b->blocked_us;
}

static struct run
random_run(const struct limit *limit)
{
	struct run run = {.amount = random_amount(limit), .count = 1};

	run.op = random_op(limit, &run.amount, &run.wait_us);
	if (pick_below(4) == 0)
		run.count = random_scale(20);
	if (pick_below(10) == 0)
		run = (struct run){.op = OP_RESET, .count = 1};
	else if (pick_below(10) == 0)
		run.op = OP_PEEK;
	return run;
}

/* A peek is amount 0 to the script: it changes nothing there. */
static void
write_run(
    const struct limit *limit, const struct run *run, char *to, size_t size)
{
	char suffix[32];
	int64_t amount = run->op == OP_PEEK ? 0 : run->amount;

	if (run->op == OP_RESET)
		snprintf(to, size, "r");
	else if (run->count == 1)
		snprintf(to, size, "%" PRId64 "%s", amount,
		    op_suffix(limit, run->op, run->wait_us, suffix));
	else
		snprintf(to, size, "%" PRId64 "%s*%" PRId64, amount,
		    op_suffix(limit, run->op, run->wait_us, suffix),
		    run->count);
}

static void
random_runs(struct entry *entry, const struct limit *limit)
{
	size_t len = 0;

	entry->runs_n = pick_below(3) ? 1 : 1 + pick_below(RUNS_MAX);
	for (unsigned i = 0; i < entry->runs_n; i++) {
		entry->runs[i] = random_run(limit);
		if (i > 0)
			entry->ops[len++] = ' ';
		write_run(limit, &entry->runs[i], entry->ops + len,
		    sizeof(entry->ops) - len);
		len += strlen(entry->ops + len);
	}
}

static void
random_group(struct group *group, struct hash *hash, unsigned n)
{
	unsigned key = pick_below(KEYS), step = 1 + pick_below(KEYS - 1);
	bool alike = pick_below(2);

	group->hash = hash;
	group->n = n;
	if (pick_below(20) == 0)
		random_change(&hash->limit);
	for (unsigned i = 0; i < n; i++) {
		struct entry *entry = &group->entries[i];

		if (i > 0 && alike)
			*entry = entry[-1];
		else
			random_runs(entry, &hash->limit);
		entry->key = (key + i * step) % KEYS;
	}
}

static void
random_batch(struct batch *batch, int64_t now_us)
{
	unsigned first = pick_below(HASHES);

	batch->algorithm = hashes[first].limit.algorithm;
	batch->now_us = random_time(now_us, &hashes[first].limit);
	batch->n = 1 + pick_below(GROUPS_MAX);
	for (unsigned i = 0; i < batch->n; i++)
		random_group(&batch->groups[i],
		    &hashes[(first + 2 * i) % HASHES],
		    1 + pick_below(BATCH_MAX / batch->n));
}

/* Whether the operations can be sent to the script once for all entries. */
static bool
is_alike(const struct group *group)
{
	for (unsigned i = 1; i < group->n; i++)
		if (strcmp(group->entries[i].ops, group->entries[0].ops) != 0)
			return false;
	return true;
}

static void
add_group(struct args *args, const struct group *group, int64_t now_us)
{
	bool alike = is_alike(group);

	args_add_limit(args, &group->hash->limit,
	    random_about(&group->hash->limit, now_us), group->n,
	    alike ? group->entries[0].ops : "");
	for (unsigned i = 0; i < group->n; i++)
		args_add(args, "k%u", group->entries[i].key);
	for (unsigned i = 0; i < group->n && !alike; i++)
		args_add(args, "%s", group->entries[i].ops);
}

/* Send the batch, and behind it a command that reads what the hashes hold now.
 */
static void
send_batch(const struct batch *batch)
{
	static struct args args;

	args_add_script(&args, batch->algorithm, batch->n);
	for (unsigned i = 0; i < batch->n; i++)
		args_add(&args, "%s", batch->groups[i].hash->name);
	for (unsigned i = 0; i < batch->n; i++)
		add_group(&args, &batch->groups[i], batch->now_us);
	args_add_time(&args, batch->now_us);
	redis_send(&args);

	for (unsigned i = 0; i < batch->n; i++) {
		const struct group *group = &batch->groups[i];

		args_add(&args, "HMGET");
		args_add(&args, "%s", group->hash->name);
		for (unsigned k = 0; k < group->n; k++)
			args_add(&args, "k%u", group->entries[k].key);
		redis_send(&args);
	}
}

/* One bucket of a batch, and what Redis said about it. */
struct visit {
	struct hash *hash;
	const struct entry *entry;
	int64_t now_us;
	const redisReply *before;
	const redisReply *after;
};

static void
fail(const struct visit *visit, const char *what)
{
	const struct entry *entry = visit->entry;
	const struct limit *limit = &visit->hash->limit;

	die("seed %" PRIu64 ", operation %" PRIu64 ": %s differs\n"
	    "  bucket     %s k%u\n"
	    "  limit      capacity %" PRId64 " recharge %" PRId64 ".%03" PRId64
	    " block %" PRId64 " window %" PRId64 " debt %" PRId64
	    " growth %" PRId64 " max %" PRId64 " memory %" PRId64 "%s\n"
	    "  time       %" PRId64 "\n"
	    "  operations %s\n"
	    "  model      '%s'\n"
	    "  redis      was '%s', is '%s'",
	    seed, operations, what, visit->hash->name, entry->key,
	    limit->capacity, limit->recharge_us, limit->recharge_ns,
	    limit->block_us, limit->window_us, limit->debt, limit->block_growth,
	    limit->block_max_us, limit_block_memory_us(limit),
	    limit->is_inline ? " inline" : "", visit->now_us, entry->ops,
	    visit->hash->texts[entry->key],
	    visit->before->str ? visit->before->str : "",
	    visit->after->str ? visit->after->str : "");
}

static bool
decide_run(const struct visit *visit, const struct run *run,
    struct bucket *bucket, struct decision *decision)
{
	const struct limit *limit = &visit->hash->limit;

	if (run->op == OP_WAIT)
		return decide_wait(limit, run->amount, run->wait_us,
		    visit->now_us, bucket, decision);
	return decide(
	    limit, run->op, run->amount, visit->now_us, bucket, decision);
}

/* Do the operations on the model's bucket, and repeat them on the one that the
 * script's reply says, as the daemon does.  Return whether the model changed.
 */
static bool
decide_both(
    const struct visit *visit, struct bucket *model, struct bucket *told)
{
	const struct entry *entry = visit->entry;
	bool changed = false;
	struct decision a, b;

	for (unsigned i = 0; i < entry->runs_n; i++) {
		const struct run *run = &entry->runs[i];

		for (int64_t k = 0; k < run->count; k++, operations++) {
			a.taken = b.taken = 0;
			changed |= decide_run(visit, run, model, &a);
			decide_run(visit, run, told, &b);
			if (!same_decision(&a, &b))
				fail(visit, "the decision");
		}
	}
	return changed;
}

static void
check_visit(const struct visit *visit)
{
	const struct limit *limit = &visit->hash->limit;
	char *text = visit->hash->texts[visit->entry->key];
	const char *was = visit->before->str ? visit->before->str : "";
	const char *is = visit->after->str ? visit->after->str : "";
	struct bucket model = text_bucket(limit, was), told = {0}, now;

	if (strcmp(was, text) != 0)
		fail(visit, "the text before");
	if (visit->before->type != REDIS_REPLY_NIL &&
	    !limit->algorithm->read(limit, was, visit->before->len, &told))
		fail(visit, "whether it is a bucket");
	if (memcmp(&told, &model, sizeof(told)) != 0)
		fail(visit, "the bucket before");
	if (!decide_both(visit, &model, &told) && strcmp(is, was) != 0)
		fail(visit, "the text, which nothing was to change,");
	now = text_bucket(limit, is);
	if (!same_meaning(limit, &model, &now, visit->now_us))
		fail(visit, "the bucket after");
	snprintf(text, TEXT_MAX, "%s", is);
}

static int64_t
reply_time(const redisReply *reply)
{
	return strtoll(reply->element[0]->str, NULL, 10) * 1000000 +
	       strtoll(reply->element[1]->str, NULL, 10);
}

static void
check_batch(const struct batch *batch)
{
	redisReply *reply = redis_receive(REDIS_REPLY_ARRAY);
	size_t at = 2;

	if (reply_time(reply) != batch->now_us)
		die("the script told another time than it was given");
	for (unsigned i = 0; i < batch->n; i++) {
		const struct group *group = &batch->groups[i];
		redisReply *after = redis_receive(REDIS_REPLY_ARRAY);

		if (at + group->n > reply->elements)
			die("the script's reply is too short");
		for (unsigned k = 0; k < group->n; k++)
			check_visit(&(struct visit){group->hash,
			    &group->entries[k], batch->now_us,
			    reply->element[at++], after->element[k]});
		freeReplyObject(after);
	}
	if (at != reply->elements)
		die("the script's reply is too long");
	freeReplyObject(reply);
}

/* Texts as earlier versions wrote them. */
static void
plant_texts(int64_t now_us)
{
	struct hash *hash = &hashes[pick_below(HASHES)];
	unsigned key = pick_below(KEYS);
	char *text = hash->texts[key];

	text_earlier(&hash->limit, now_us, text);
	redis_put(hash->name, key, text);
}

static void
compare_decisions(uint64_t count)
{
	static struct batch batch;

	for (unsigned i = 0; i < HASHES; i++) {
		hashes[i].limit = random_limit(
		    i % 2 ? &algorithm_fixed_window : &algorithm_leaky_bucket);
		hashes[i].limit.is_inline = i == 4;
		snprintf(
		    hashes[i].name, sizeof(hashes[i].name), "arithmetic:%u", i);
		redis_forget(hashes[i].name);
	}
	while (operations < count) {
		if (pick_below(4) == 0)
			plant_texts(batch.now_us);
		random_batch(&batch, batch.now_us);
		send_batch(&batch);
		check_batch(&batch);
	}
	for (unsigned i = 0; i < HASHES; i++)
		redis_forget(hashes[i].name);
}

int
main(int argc, char **argv)
{
	if (argc < 3 || argc > 4) {
		fputs("usage: arithmetic SOCKET OPERATIONS [SEED]\n", stderr);
		return 2;
	}
	seed = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
	random_start(seed);
	redis_open(argv[1]);
	compare_decisions(strtoull(argv[2], NULL, 10));
	compare_plans(strtoull(argv[2], NULL, 10) / 4);
	compare_versions(strtoull(argv[2], NULL, 10) / 50);
	compare_leases(strtoull(argv[2], NULL, 10) / 4);
	compare_texts(&algorithm_leaky_bucket, TEXTS);
	compare_texts(&algorithm_fixed_window, TEXTS);
	printf("%" PRIu64 " operations, 0 differences\n", operations);
	redis_close();
	return 0;
}
