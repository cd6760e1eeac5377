/*
 * Plans: steps about several buckets, of limits of both algorithms, as the
 * script takes them and as C does.  The model's buckets, and what it remembers
 * of ids, never see Redis.
 */
#include "arithmetic.h"

#include "store/mates.h"
#include "store/redis/memo.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define HASHES    4 /* of either algorithm in turn */
#define KEYS      5
#define BUCKETS   (HASHES * KEYS)
#define STEPS_MAX 12
#define PARTS_MAX 5
#define STEP_TEXT 400
#define CHARGES   64
#define IDS       6  /* at a time */
#define ID_PLANS  20 /* for so many plans */

/* A limit and all its buckets, as the model has them. */
struct plan_hash {
	char name[24];
	struct limit limit;
	unsigned changes;
	char texts[KEYS][TEXT_MAX]; /* "" for none */
};

/* What became of a step, whose parts are chained. */
struct outcome {
	struct query parts[PARTS_MAX];
	unsigned count; /* 0: it never came */
	unsigned changes[PARTS_MAX];
	bool passed;
};

/* A step of a plan that has an id. */
struct id_step {
	struct once once;
	struct outcome outcome;
	const struct outcome *before; /* of the step with that id; NULL: it is
				       * taken */
	struct outcome of_before;
	bool is_other;
};

/* Drops that some consume put in, to be given back. */
struct charge {
	unsigned bucket;
	int64_t amount, stamp;
};

static struct plan_hash hashes[HASHES];
static struct bucket model[BUCKETS];
static struct charge charges[CHARGES];
static unsigned charged;
static struct outcome outcomes[IDS];
static uint64_t plans, id_round;
static struct id_step id_steps[STEPS_MAX];
static unsigned id_count; /* of the plan */

static struct limit *
limit_of(unsigned bucket)
{
	return &hashes[bucket / KEYS].limit;
}

/* Ask to give back what was put in, often last. */
static void
random_take_out(struct query *query)
{
	unsigned count = charged < CHARGES ? charged : CHARGES;
	unsigned which = pick_below(2) ? charged - 1 : pick_below(count);
	const struct charge *charge = &charges[which % CHARGES];

	query->entry = (uint16_t)charge->bucket;
	query->limit = limit_of(charge->bucket);
	query->op =
	    is_window(query->limit) || pick_below(2) ? OP_GIVE_BACK : OP_LEAVE;
	query->amount = charge->amount;
	/* Of a larger one, the daemon gives nothing back. */
	if (query->amount > limit_most(query->limit))
		query->amount = limit_most(query->limit);
	query->bucket.numbers[0] = charge->stamp;
}

static void
random_part(struct query *query, unsigned bucket, bool is_alone)
{
	*query = (struct query){
	    .limit = limit_of(bucket),
	    .entry = (uint16_t)bucket,
	    .amount = random_amount(limit_of(bucket)),
	};
	query->op = random_op(query->limit, &query->amount, &query->wait_us);
	if (query->op == OP_TAKE && !is_alone)
		query->op = OP_CONSUME;
	if (is_alone && pick_below(8) == 0)
		query->op = OP_RESET;
	if (is_alone && charged > 0 && pick_below(4) == 0)
		random_take_out(query);
}

/* A step that consumes the same of buckets in a row.  Return how many. */
static unsigned
random_range(struct query parts[PARTS_MAX])
{
	unsigned count = 2 + pick_below(PARTS_MAX - 1);
	unsigned first = pick_below(BUCKETS - count + 1);
	int64_t amount = random_amount(limit_of(first));

	for (unsigned i = 0; i < count; i++) {
		parts[i] = (struct query){
		    .limit = limit_of(first + i),
		    .entry = (uint16_t)(first + i),
		    .op = OP_CONSUME,
		    .amount = amount < 0 ? -amount : amount,
		};
		if (i > 0)
			parts[i - 1].mate = &parts[i];
	}
	return count;
}

/* A step about 1 to PARTS_MAX different buckets.  Return how many. */
static unsigned
random_step(struct query parts[PARTS_MAX])
{
	unsigned count = pick_below(3) ? 1 + pick_below(PARTS_MAX) : 1;
	unsigned first = pick_below(BUCKETS);

	if (pick_below(4) == 0)
		return random_range(parts);
	for (unsigned i = 0; i < count; i++) {
		random_part(&parts[i], (first + i * 7) % BUCKETS, count == 1);
		if (i > 0)
			parts[i - 1].mate = &parts[i];
	}
	return count;
}

/* Whether the step is about buckets in a row, of which it consumes the same. */
static bool
is_range(const struct query *first)
{
	const struct query *query = first;

	for (; query->mate && query->mate->entry == query->entry + 1;
	     query = query->mate)
		if (query->limit->shadow || query->op != OP_CONSUME ||
		    query->mate->op != OP_CONSUME ||
		    query->mate->amount != first->amount)
			return false;
	return first->mate && !query->mate && !query->limit->shadow &&
	       !first->once && first->amount >= 0;
}

/* As the script reads it. */
static void
add_step(struct args *args, const struct query *first)
{
	char text[STEP_TEXT], suffix[32];
	size_t len = 0;

	if (is_range(first)) {
		args_add(args, "%" PRId64 ":%u-%u", first->amount,
		    first->entry + 1, first->entry + mates_count(first));
		return;
	}
	if (first->once)
		len = (size_t)snprintf(text, sizeof(text), "=2 3600000");
	for (const struct query *query = first; query; query = query->mate) {
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%u ",
		    len ? " " : "", query->entry + 1);
		if (query->op == OP_RESET)
			len += (size_t)snprintf(
			    text + len, sizeof(text) - len, "r");
		else
			len += (size_t)snprintf(text + len, sizeof(text) - len,
			    "%" PRId64 "%s", query->amount,
			    op_suffix(query->limit, query->op, query->wait_us,
				suffix));
		if (op_takes_out(query->op))
			len += (size_t)snprintf(text + len, sizeof(text) - len,
			    "%c%" PRId64, query->op == OP_LEAVE ? '=' : '@',
			    bucket_stamp(&query->bucket));
		else if (query->limit->shadow && op_puts(query->op))
			len += (size_t)snprintf(
			    text + len, sizeof(text) - len, "?");
	}
	args_add(args, "%s", text);
}

/*
 * Ids.
 */

static bool
may_have_id(const struct query *first)
{
	for (; first; first = first->mate)
		if (!op_puts(first->op) || first->op == OP_WAIT)
			return false;
	return true;
}

static bool
is_same_question(const struct outcome *outcome, const struct query *first)
{
	unsigned i = 0;

	for (; first; first = first->mate, i++)
		if (i == outcome->count || first->op != outcome->parts[i].op ||
		    first->amount != outcome->parts[i].amount)
			return false;
	return i == outcome->count;
}

static void
copy_outcome(struct outcome *to, const struct outcome *from)
{
	*to = *from;
	for (unsigned i = 0; i < to->count; i++)
		to->parts[i].mate =
		    i + 1 < to->count ? &to->parts[i + 1] : NULL;
}

static void
note_outcome(struct outcome *outcome, const struct query *first)
{
	outcome->count = 0;
	outcome->passed = mates_passed(first);
	for (; first; first = first->mate) {
		outcome->changes[outcome->count] =
		    hashes[first->entry / KEYS].changes;
		outcome->parts[outcome->count++] = *first;
	}
	copy_outcome(outcome, outcome);
}

/* ${first}, with an id, was decided.  Return whether the script takes it. */
static bool
is_taken(struct query *first)
{
	struct id_step *step = CONTAINER_OF(first->once, struct id_step, once);
	struct outcome *before = &outcomes[*step->once.id - '0'];

	note_outcome(&step->outcome, first);
	if (before->count == 0 ||
	    (is_same_question(before, first) && !before->passed &&
		step->outcome.passed)) {
		step->before = NULL;
		copy_outcome(before, &step->outcome);
		return true;
	}
	step->is_other = !is_same_question(before, first);
	copy_outcome(&step->of_before, before);
	step->before = &step->of_before;
	return false;
}

/* Give a step an id, perhaps. */
static void
random_id(struct query *first)
{
	static const char ids[] = "0123456789";
	struct id_step *step = &id_steps[id_count];

	first->once = NULL;
	if (pick_below(2) || !may_have_id(first))
		return;
	step->once = (struct once){.id = &ids[pick_below(IDS)], .len = 1};
	step->is_other = false;
	first->once = &step->once;
	id_count++;
}

/* The names that the memos of this plan have, an older one for each. */
static void
add_ids(struct args *args)
{
	for (unsigned i = 0; i < id_count; i++) {
		args_add(args, "arithmetic:id:%" PRIu64 ":%c", id_round,
		    *id_steps[i].once.id);
		args_add(args, "arithmetic:older:%c", *id_steps[i].once.id);
	}
}

/* Whether what came before was of these buckets, and under these limits: by
 * other ones, a part may deny now, and the others tell what they hold without
 * it. */
static bool
is_of_the_same(const struct outcome *before, const struct query *now)
{
	for (unsigned i = 0; now; now = now->mate, i++)
		if (now->entry != before->parts[i].entry ||
		    hashes[now->entry / KEYS].changes != before->changes[i])
			return false;
	return true;
}

static void
check_repeated(const struct id_step *step, const struct query *now)
{
	const struct outcome *before = step->before;

	if (!is_of_the_same(before, now))
		return;
	for (unsigned i = 0; now; now = now->mate, i++) {
		const struct decision *a = &now->decision;
		const struct decision *b = &before->parts[i].decision;

		if (a->allowed != b->allowed || a->taken != b->taken ||
		    a->level != b->level || a->next_us != b->next_us ||
		    a->retry_us != b->retry_us ||
		    a->blocked_us != b->blocked_us)
			die("an id has another response: level %" PRId64
			    " was %" PRId64 ", retry %" PRId64 " was %" PRId64,
			    a->level, b->level, a->retry_us, b->retry_us);
	}
}

/* What the script replied to a step with an id. */
static void
check_id(struct id_step *step, const redisReply *text)
{
	struct query *first = step->outcome.parts;
	struct memo memo;
	enum memo_result wanted = step->is_other ? MEMO_OTHER : MEMO_READ;

	if (!step->before) {
		if (text->type != REDIS_REPLY_NIL)
			die("an id that is new has '%s'", text->str);
		return;
	}
	if (text->type != REDIS_REPLY_STRING)
		die("a step with an id that came before was taken");
	if (memo_read(&memo, first, text->str, text->len) != wanted)
		die("a memo is read as another one: '%s'", text->str);
	if (wanted == MEMO_OTHER)
		return;
	if (memo.passed != step->before->passed)
		die("a memo has another verdict: '%s'", text->str);
	mates_decide(first, memo.buckets);
	mates_settle(first, memo.got, memo.passed);
	check_repeated(step, first);
}

/* Note what was charged, so that it can be given back. */
static void
note_charge(const struct query *query, const struct bucket *after)
{
	if (!query->charged || query->amount <= 0 || query->op == OP_TAKE)
		return;
	charges[charged++ % CHARGES] =
	    (struct charge){query->entry, query->amount, bucket_stamp(after)};
}

static void
take_step(struct query *first, int64_t now_us)
{
	struct mate_bucket at[PARTS_MAX];
	unsigned i = 0;

	for (struct query *query = first; query; query = query->mate)
		at[i++] =
		    (struct mate_bucket){now_us, model[query->entry], false};
	mates_decide(first, at);
	if (first->once && !is_taken(first))
		return;
	i = 0;
	for (struct query *query = first; query; query = query->mate, i++) {
		model[query->entry] = at[i].bucket;
		note_charge(query, &at[i].bucket);
	}
}

static void
add_hashes(struct args *args, int64_t now_us)
{
	args_add(args, "%d", HASHES);
	for (unsigned i = 0; i < HASHES; i++) {
		args_add(args, "%s", hashes[i].limit.algorithm->name);
		args_add_parameters(args, &hashes[i].limit,
		    random_about(&hashes[i].limit, now_us));
		args_add(args, "3600000");
		args_add(args, "%u", KEYS);
		for (unsigned k = 0; k < KEYS; k++)
			args_add(args, "k%u", k);
	}
}

/* Send a plan of random steps, and take them on the model. */
static unsigned
send_plan(int64_t now_us)
{
	static struct args args;
	static struct query parts[STEPS_MAX][PARTS_MAX];
	unsigned steps = 1 + pick_below(STEPS_MAX), parts_n = 0;

	id_count = 0;
	if (plans++ % ID_PLANS == 0) {
		memset(outcomes, 0, sizeof(outcomes));
		id_round++;
	}
	for (unsigned i = 0; i < steps; i++) {
		parts_n += random_step(parts[i]);
		random_id(parts[i]);
	}
	args_add_plan(&args, HASHES + 2 * id_count);
	for (unsigned i = 0; i < HASHES; i++)
		args_add(&args, "%s", hashes[i].name);
	add_ids(&args);
	add_hashes(&args, now_us);
	for (unsigned i = 0; i < steps; i++) {
		add_step(&args, parts[i]);
		take_step(parts[i], now_us);
	}
	args_add_time(&args, now_us);
	redis_send(&args);
	for (unsigned i = 0; i < HASHES; i++) {
		args_add(&args, "HMGET");
		args_add(&args, "%s", hashes[i].name);
		for (unsigned k = 0; k < KEYS; k++)
			args_add(&args, "k%u", k);
		redis_send(&args);
	}
	return parts_n;
}

/* The model's buckets become those that Redis has: the same, but for what has
 * no meaning any more. */
static void
check_hash(struct plan_hash *hash, unsigned first, const redisReply *before,
    int64_t now_us)
{
	redisReply *after = redis_receive(REDIS_REPLY_ARRAY);

	for (unsigned k = 0; k < KEYS; k++) {
		const char *was = before->element[2 + first + k]->str;
		const char *is = after->element[k]->str;
		struct bucket now = text_bucket(&hash->limit, is ? is : "");

		if (strcmp(was ? was : "", hash->texts[k]) != 0)
			die("a plan was told another text than there was");
		if (!same_meaning(
			&hash->limit, &model[first + k], &now, now_us))
			die("after a plan at %" PRId64
			    ", %s k%u was '%s' and is '%s'",
			    now_us, hash->name, k, was ? was : "",
			    is ? is : "");
		model[first + k] = now;
		snprintf(hash->texts[k], TEXT_MAX, "%s", is ? is : "");
	}
	freeReplyObject(after);
}

void
compare_plans(uint64_t count)
{
	int64_t now_us = START;

	for (unsigned i = 0; i < HASHES; i++) {
		hashes[i].limit = random_limit(
		    i % 2 ? &algorithm_fixed_window : &algorithm_leaky_bucket);
		hashes[i].limit.shadow = i == 3;
		snprintf(hashes[i].name, sizeof(hashes[i].name),
		    "arithmetic:plan:%u", i);
		redis_forget(hashes[i].name);
	}
	for (uint64_t done = 0; done < count;) {
		redisReply *reply;

		if (pick_below(20) == 0) {
			struct plan_hash *hash = &hashes[pick_below(HASHES)];

			random_change(&hash->limit);
			hash->changes++;
		}
		now_us = random_time(now_us, limit_of(pick_below(BUCKETS)));
		done += send_plan(now_us);
		reply = redis_receive(REDIS_REPLY_ARRAY);
		if (reply->elements != 2 + BUCKETS + id_count)
			die("a plan has a reply of another length");
		for (unsigned i = 0; i < id_count; i++)
			check_id(&id_steps[i], reply->element[2 + BUCKETS + i]);
		for (unsigned i = 0; i < HASHES; i++)
			check_hash(&hashes[i], i * KEYS, reply, now_us);
		freeReplyObject(reply);
	}
	for (unsigned i = 0; i < HASHES; i++)
		redis_forget(hashes[i].name);
}
