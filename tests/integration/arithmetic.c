/*
 * The arithmetic exists twice, in C and in Lua; this holds the two equal.
 *
 *	arithmetic SOCKET OPERATIONS [SEED]
 *
 * Drives the scripts in the Redis server at SOCKET and the C code with the same
 * random operations and an injected clock.  After each batch,
 *
 *   - what the script says a bucket was, and what stands in the hash now, must
 *     be what the model holds: C code that never saw Redis;
 *   - every figure of every decision worked out from the script's reply, as the
 *     daemon does it, must be the model's.
 */
#include "arithmetic.h"
#include "limit/decide.h"
#include "store/field.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASHES	   6   /* of either algorithm in turn */
#define KEYS	   101 /* prime: any step visits them all */
#define GROUPS_MAX 3
#define RUNS_MAX   4
#define TEXTS	   12800 /* for each algorithm */

/* The two numbers of a bucket's text; both zero if there is no text. */
struct cell {
	int64_t first;
	int64_t second;
};

/* A limit and all its buckets, as the model has them. */
struct hash {
	char name[24];
	struct limit limit;
	struct cell cells[KEYS];
};

/* The same operation, ${count} times in a row. */
struct run {
	enum op op;
	int64_t amount;
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
	enum algorithm algorithm;
	int64_t now_us;
	unsigned n;
	struct group groups[GROUPS_MAX];
};

static struct hash hashes[HASHES];
static uint64_t seed;
static uint64_t operations;

/* By other means than the daemon's, so that a mistake there shows. */
static struct cell
cell_read(const redisReply *text)
{
	struct cell cell = {0};

	if (text->type == REDIS_REPLY_STRING)
		sscanf(text->str, "%" SCNd64 " %" SCNd64, &cell.first,
		    &cell.second);
	return cell;
}

/* The model: what a cell means under a limit, and the other way round. */

static struct bucket
bucket_of(const struct limit *limit, const struct cell *cell)
{
	int64_t end;

	if (!is_window(limit))
		return (struct bucket){cell->first, cell->second};
	if (cell->first == 0 && cell->second == 0)
		return (struct bucket){0};
	if (__builtin_mul_overflow(cell->first + 1, limit->window_us, &end) ||
	    end > LARGEST)
		end = LARGEST + 1;
	return (struct bucket){end, -cell->second};
}

static struct cell
cell_of(const struct limit *limit, const struct bucket *bucket)
{
	if (!is_window(limit))
		return (struct cell){
		    bucket->empty_at_us, bucket->blocked_until_us};
	if (bucket->empty_at_us == 0)
		return (struct cell){0};
	return (struct cell){bucket->empty_at_us / limit->window_us - 1,
	    -bucket->blocked_until_us};
}

/* A time that is past is none: which one is kept is nobody's business. */
static bool
same_time(int64_t a, int64_t b, int64_t now_us)
{
	return a == b || (a <= now_us && b <= now_us);
}

static bool
same_meaning(const struct limit *limit, const struct cell *a,
    const struct cell *b, int64_t now_us)
{
	struct bucket x = bucket_of(limit, a), y = bucket_of(limit, b);

	if (bucket_is_drained(&x, now_us) && bucket_is_drained(&y, now_us))
		return true;
	if (is_window(limit))
		return a->first == b->first && a->second == b->second;
	return same_time(a->first, b->first, now_us) &&
	       same_time(a->second, b->second, now_us);
}

static bool
same_decision(const struct decision *a, const struct decision *b)
{
	return a->allowed == b->allowed && a->level == b->level &&
	       a->next_us == b->next_us && a->retry_us == b->retry_us &&
	       a->blocked_us == b->blocked_us;
}

static struct run
random_run(const struct limit *limit)
{
	struct run run = {OP_CONSUME, random_amount(limit), 1};

	if (pick_below(4) == 0)
		run.count = random_scale(20);
	if (pick_below(10) == 0)
		run = (struct run){OP_RESET, 0, 1};
	else if (pick_below(10) == 0)
		run.op = OP_PEEK;
	return run;
}

/* A peek is amount 0 to the script: it changes nothing there. */
static void
write_run(const struct run *run, char *to, size_t size)
{
	int64_t amount = run->op == OP_PEEK ? 0 : run->amount;

	if (run->op == OP_RESET)
		snprintf(to, size, "r");
	else if (run->count == 1)
		snprintf(to, size, "%" PRId64, amount);
	else
		snprintf(to, size, "%" PRId64 "*%" PRId64, amount, run->count);
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
		write_run(&entry->runs[i], entry->ops + len,
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

/* Whether the script can be told the operations once for all entries. */
static bool
is_alike(const struct group *group)
{
	for (unsigned i = 1; i < group->n; i++)
		if (strcmp(group->entries[i].ops, group->entries[0].ops) != 0)
			return false;
	return true;
}

static void
add_group(struct args *args, const struct group *group)
{
	bool alike = is_alike(group);

	args_add_limit(args, &group->hash->limit, group->n,
	    alike ? group->entries[0].ops : "");
	for (unsigned i = 0; i < group->n; i++)
		args_add(args, "k%u", group->entries[i].key);
	for (unsigned i = 0; i < group->n && !alike; i++)
		args_add(args, "%s", group->entries[i].ops);
}

/* Send the batch, and behind it the question what the hashes hold now. */
static void
send_batch(const struct batch *batch)
{
	static struct args args;

	args_add_script(&args, batch->algorithm, batch->n);
	for (unsigned i = 0; i < batch->n; i++)
		args_add(&args, "%s", batch->groups[i].hash->name);
	for (unsigned i = 0; i < batch->n; i++)
		add_group(&args, &batch->groups[i]);
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
	const struct cell *cell = &visit->hash->cells[entry->key];

	die("seed %" PRIu64 ", operation %" PRIu64 ": %s differs\n"
	    "  bucket     %s k%u\n"
	    "  limit      capacity %" PRId64 " recharge %" PRId64
	    " block %" PRId64 " window %" PRId64 "\n"
	    "  time       %" PRId64 "\n"
	    "  operations %s\n"
	    "  model      '%" PRId64 " %" PRId64 "'\n"
	    "  redis      was '%s', is '%s'",
	    seed, operations, what, visit->hash->name, entry->key,
	    limit->capacity, limit->recharge_us, limit->block_us,
	    limit->window_us, visit->now_us, entry->ops, cell->first,
	    cell->second, visit->before->str ? visit->before->str : "",
	    visit->after->str ? visit->after->str : "");
}

/* Do the operations on the model's bucket, and repeat them on the one that the
 * script's reply told, as the daemon does.  Return whether the model changed.
 */
static bool
decide_both(
    const struct visit *visit, struct bucket *model, struct bucket *told)
{
	const struct limit *limit = &visit->hash->limit;
	const struct entry *entry = visit->entry;
	bool changed = false;
	struct decision a, b;

	for (unsigned i = 0; i < entry->runs_n; i++) {
		const struct run *run = &entry->runs[i];

		for (int64_t k = 0; k < run->count; k++, operations++) {
			changed |= decide(limit, run->op, run->amount,
			    visit->now_us, model, &a);
			decide(limit, run->op, run->amount, visit->now_us, told,
			    &b);
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
	struct cell *cell = &visit->hash->cells[visit->entry->key];
	struct cell was = cell_read(visit->before);
	struct cell is = cell_read(visit->after);
	struct bucket model = bucket_of(limit, cell), told = {0};

	if (visit->before->type != REDIS_REPLY_NIL &&
	    !field_read(limit, visit->before->str, visit->before->len, &told))
		fail(visit, "whether it is a bucket");
	if (was.first != cell->first || was.second != cell->second ||
	    told.empty_at_us != model.empty_at_us ||
	    told.blocked_until_us != model.blocked_until_us)
		fail(visit, "the bucket before");
	if (decide_both(visit, &model, &told))
		*cell = cell_of(limit, &model);
	if (!same_meaning(limit, cell, &is, visit->now_us))
		fail(visit, "the bucket after");
	/* They may differ still in times that are past, and a clock that jumps
	 * back brings those back. */
	*cell = is;
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

static void
compare_decisions(uint64_t count)
{
	static struct batch batch;

	for (unsigned i = 0; i < HASHES; i++) {
		hashes[i].limit = random_limit(
		    i % 2 ? ALGORITHM_FIXED_WINDOW : ALGORITHM_LEAKY_BUCKET);
		snprintf(
		    hashes[i].name, sizeof(hashes[i].name), "arithmetic:%u", i);
		redis_forget(hashes[i].name);
	}
	while (operations < count) {
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
	compare_texts(ALGORITHM_LEAKY_BUCKET, TEXTS);
	compare_texts(ALGORITHM_FIXED_WINDOW, TEXTS);
	printf("%" PRIu64 " operations, 0 differences\n", operations);
	redis_close();
	return 0;
}
