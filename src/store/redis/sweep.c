/*
 * Walks each hash of a server once a period and removes drained buckets.
 * One call is in flight at most, of one pass; chores.c says when the next pass
 * is due.  The heart: sweep_on_timer(), sweep_on_step().
 */
#include "store/redis/sweep.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "limit/algorithm.h"
#include "net/timer.h"
#include "redis/reply.h"
#include "redis/script_call.h"
#include "redis/server_info.h"
#include "store/redis/chores.h"
#include "store/redis/field.h"
#include "store/redis/key_secrets.h"
#include "store/redis/server_clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Fields looked at in one call: half a millisecond for a Redis whose memory is
 * slow, less for others. */
#define FIELDS_A_CALL 125

/* Most bytes looked at in one, where buckets may be long. */
#define BYTES_A_CALL 500000

/* The share of Redis's time that sweeping may take is one of this many parts.
 */
#define SHARE 6

/* Most lateness that the next pause makes up for: a timer is late by up to 10
 * ms. */
#define LATE_MAX_US 10000

/* How long a daemon that dies during a pass still holds the lock. */
#define STEP_MS 5000

/* Most time from one call of a pass to the next, however slow the first was: if
 * the lock expired, another daemon would begin the pass again. */
#define STEP_MAX_US (STEP_MS * INT64_C(1000) / 2)

/* A call may wait behind others' long ones; no client waits for it. */
#define DEADLINE_US INT64_C(2000000)

/* The timer fires no sooner than this, so that it does not keep the loop
 * busy. */
#define PAUSE_MIN_US 1000

/* We see a clock set back later than it happens.  So a bucket counts as written
 * before that if it holds this much less. */
#define SEEN_LATE_US INT64_C(2000000)

struct sweep {
	const struct shard_options *options;
	const struct sweep_events *events;
	void *arg;
	struct link_options link_options;
	struct link *link;
	struct timer timer;
	char caller[33]; /* names this process in the lock */

	struct chores chores;
	bool up;               /* the link is */
	struct chore *current; /* the pass under way, or NULL */
	bool trims;            /* this pass trims */
	char cursor[24];
	bool outside;      /* the step was made for another time */
	bool calling;      /* a call is in flight */
	int64_t called_us; /* when it was made */
	int64_t step_us;   /* when it was due; then when the next one is */
	struct server_clock clock;
	int64_t back_us; /* by how much the clock was last set back */
	int64_t seen_us; /* when that was seen */
	struct script_calls calls;
	struct script_call call;
	struct server_info info;
	char failure[REPLY_EXPLAIN_MAX]; /* why calls fail, as logged; or "" */
};

static void
sweep_wait_for_next(struct sweep *sweep)
{
	const struct chore *next = chores_next(&sweep->chores);
	int64_t now_us = clock_us();
	int64_t due_us = next ? next->due_us : now_us + CHORES_PERIOD_MAX_US;

	if (due_us < sweep->step_us)
		due_us = sweep->step_us;
	timer_set(&sweep->timer,
	    due_us < now_us + PAUSE_MIN_US ? PAUSE_MIN_US : due_us - now_us);
}

static void
sweep_begin_pass(struct sweep *sweep, struct chore *chore)
{
	sweep->current = chore;
	sweep->trims = chore->trims;
	chore->trims = false;
	strcpy(sweep->cursor, "0");
}

/* If it must trim, and this pass did not, the next one follows at once. */
static void
sweep_end_pass(struct sweep *sweep)
{
	struct chore *chore = sweep->current;

	chore->due_us = clock_us();
	if (!chore->trims)
		chore->due_us += chores_period_us(&sweep->chores, chore->limit);
	sweep->current = NULL;
	sweep_wait_for_next(sweep);
}

static bool
sweep_must_trim(const struct sweep *sweep)
{
	return chores_have_trims(&sweep->chores) ||
	       (sweep->current && sweep->trims);
}

void
sweep_trim(struct sweep *sweep, int64_t back_us, int64_t since_us)
{
	if (since_us <= sweep->seen_us)
		return; /* it was seen before */
	log_warning(
	    "redis %s: its clock was set back by %lld s: trimming buckets that "
	    "hold too much because of it",
	    link_name(sweep->link), (long long)(back_us / 1000000));
	sweep->back_us = back_us;
	sweep->seen_us = clock_us();
	chores_trim_all(&sweep->chores);
	if (!sweep->current && !sweep->calling)
		sweep_wait_for_next(sweep);
}

static bool
sweep_is_step(const redisReply *reply)
{
	return reply->type == REDIS_REPLY_ARRAY && reply->elements == 6 &&
	       reply->element[0]->type == REDIS_REPLY_STRING &&
	       reply->element[0]->len < sizeof(((struct sweep *)0)->cursor) &&
	       reply->element[2]->type == REDIS_REPLY_INTEGER &&
	       reply->element[5]->type == REDIS_REPLY_INTEGER;
}

static void
sweep_take_time(struct sweep *sweep, int64_t server_us)
{
	int64_t back_us = server_clock_look(
	    &sweep->clock, server_us, sweep->called_us, clock_us());

	if (back_us > 0)
		sweep_trim(sweep, back_us, sweep->clock.since_us);
}

static void
sweep_look_at_clock(struct sweep *sweep, const redisReply *reply)
{
	int64_t server_us =
	    reply_read_time(reply->element[3], reply->element[4]);

	if (server_us == -1)
		return;
	sweep_take_time(sweep, server_us);
	/* It may have been set back while no daemon ran. */
	if (reply->element[5]->integer > 0 && !sweep_must_trim(sweep))
		sweep_trim(sweep, reply->element[5]->integer, clock_us());
}

/* Leave Redis to others for a while after a call, the last of a pass included.
 * If the timer fires late, which matters when pauses are short, the next pause
 * is shorter, so that the pass keeps its pace. */
static void
sweep_plan_step(struct sweep *sweep)
{
	if (sweep->step_us < sweep->called_us - LATE_MAX_US)
		sweep->step_us = sweep->called_us - LATE_MAX_US;
	sweep->step_us += (clock_us() - sweep->called_us) * SHARE;
}

static void
sweep_wait_for_step(struct sweep *sweep)
{
	int64_t now_us = clock_us();
	int64_t step_us = sweep->called_us + STEP_MAX_US;

	if (step_us > sweep->step_us)
		step_us = sweep->step_us;
	timer_set(&sweep->timer, step_us > now_us ? step_us - now_us : 0);
}

/* Whether the step is to be made once more, since the server's time is another
 * one than it was made for. */
static bool
sweep_is_outside(struct sweep *sweep, const redisReply *reply)
{
	int64_t server_us = reply->type == REDIS_REPLY_ERROR
				? server_clock_read_outside(reply->str)
				: -1;

	if (server_us == -1 || sweep->outside)
		return false;
	sweep->outside = true;
	sweep_take_time(sweep, server_us);
	return true;
}

/* A key that is not a hash is no failure here: the store reports it. */
static void
sweep_on_error(struct sweep *sweep, const redisReply *reply)
{
	char text[REPLY_EXPLAIN_MAX];

	if (reply->type != REDIS_REPLY_ERROR ||
	    reply_is_error(reply, "WRONGTYPE"))
		return;
	sweep->events->failed(sweep->arg);
	reply_explain(reply->str, reply->len, sweep->call.script, text);
	if (strcmp(text, sweep->failure) != 0)
		log_warning("redis %s: drained buckets stay there: %s",
		    link_name(sweep->link), text);
	strcpy(sweep->failure, text);
	if (reply_is_wrong_server(reply))
		link_drop(sweep->link, reply->str);
}

static void
sweep_on_step(struct script_call *call, const redisReply *reply)
{
	struct sweep *sweep = CONTAINER_OF(call, struct sweep, call);

	sweep->calling = false;
	sweep_plan_step(sweep);
	if (reply && sweep_is_step(reply))
		sweep_look_at_clock(sweep, reply);
	if (!sweep->current) {
		sweep_wait_for_next(sweep); /* the limits changed meanwhile */
		return;
	}
	if (!reply)
		return; /* the link is down */
	if (sweep_is_outside(sweep, reply)) {
		sweep_wait_for_step(sweep);
		return;
	}
	if (!sweep_is_step(reply) || reply->element[0]->len == 0) {
		/* Another daemon's turn, or an error: another time. */
		sweep_end_pass(sweep);
		sweep_on_error(sweep, reply);
		return;
	}
	sweep->failure[0] = '\0';
	sweep->outside = false;
	link_proven(sweep->link);
	sweep->events->swept(sweep->arg, (unsigned)reply->element[2]->integer);
	memcpy(
	    sweep->cursor, reply->element[0]->str, reply->element[0]->len + 1);
	if (strcmp(sweep->cursor, "0") == 0)
		sweep_end_pass(sweep);
	else
		sweep_wait_for_step(sweep);
}

static int64_t
sweep_fields(const struct limit *limit)
{
	size_t longest =
	    limit->algorithm->has_log ? limit->algorithm->longest(limit) : 1;

	return longest < BYTES_A_CALL / FIELDS_A_CALL
		   ? FIELDS_A_CALL
		   : BYTES_A_CALL / (int64_t)longest;
}

static bool
sweep_write_step(struct script_call *call, struct command *command)
{
	struct sweep *sweep = CONTAINER_OF(call, struct sweep, call);
	const struct limit *limit;
	const char *tag;
	int64_t before_us;
	struct algorithm_parameters parameters = {0};
	char hash[FIELD_HASH_MAX], name[KEY_NAME_LEN + 1];
	char lock[FIELD_HASH_MAX + 6], mark[FIELD_HASH_MAX + 6];
	size_t len;

	if (!sweep->current)
		return false; /* the limits changed since NOSCRIPT */
	limit = sweep->current->limit;
	tag = partition_tag(
	    &sweep->options->topology->partitions, sweep->current->partition);
	len = field_hash_name(sweep->options->prefix, tag,
	    key_secrets_limit_name(sweep->options->secrets, limit, name), limit,
	    hash);
	before_us =
	    sweep->back_us - (clock_us() - sweep->seen_us) - SEEN_LATE_US;
	snprintf(lock, sizeof(lock), "%s:sweep", hash);
	/* As of a limit without a name, which none is. */
	snprintf(mark, sizeof(mark), "%s%s:sweep", sweep->options->prefix, tag);
	limit->algorithm->add_parameters(limit,
	    server_clock_now(&sweep->clock, clock_us(), clock_shift_us()),
	    &parameters);
	script_begin(command, call, 11 + parameters.count);
	command_add_int(command, 3);
	command_add(command, hash, len);
	command_add_text(command, lock);
	command_add_text(command, mark);
	command_add_text(command, sweep->caller);
	command_add_int(command, STEP_MS);
	command_add_int(
	    command, chores_period_us(&sweep->chores, limit) / 1000);
	command_add_text(command, sweep->cursor);
	command_add_int(command, sweep_fields(limit));
	command_add_int(command, sweep->trims ? sweep->back_us : 0);
	command_add_int(command, before_us > 0 ? before_us : 0);
	for (size_t i = 0; i < parameters.count; i++)
		command_add(command, parameters.text[i], parameters.len[i]);
	return true;
}

static int
sweep_call_step(struct sweep *sweep)
{
	sweep->called_us = clock_us();
	sweep->call.script = sweep->current->limit->algorithm->sweep;
	if (script_call(&sweep->calls, &sweep->call) == -1)
		return -1;
	sweep->calling = true;
	return 0;
}

static void
sweep_on_timer(void *arg)
{
	struct sweep *sweep = arg;
	struct chore *next = chores_next(&sweep->chores);

	if (!sweep->up || sweep->calling)
		return; /* sweep_on_up() or sweep_on_step() goes on */
	if (!sweep->current) {
		if (!next || next->due_us > clock_us()) {
			sweep_wait_for_next(sweep);
			return;
		}
		sweep_begin_pass(sweep, next);
	}
	if (sweep_call_step(sweep) == 0)
		link_flush(sweep->link);
	else
		sweep_end_pass(sweep);
}

static void
sweep_on_up(void *arg)
{
	struct sweep *sweep = arg;

	sweep->up = true;
	server_info_ask(&sweep->info, DEADLINE_US);
	sweep_wait_for_next(sweep);
}

static void
sweep_on_down(void *arg)
{
	struct sweep *sweep = arg;

	sweep->up = false;
	sweep->current = NULL;
}

static const struct link_events link_events = {
    .up = sweep_on_up, .down = sweep_on_down};

void
sweep_include_inline(struct sweep *sweep)
{
	chores_include_inline(&sweep->chores);
}

void
sweep_set_rules(struct sweep *sweep, struct rules *rules)
{
	if (chores_set_rules(&sweep->chores, rules, sweep_must_trim(sweep)) ==
	    -1)
		return; /* goes on for the old limits */
	sweep->current = NULL;
	sweep_wait_for_next(sweep);
}

struct sweep *
sweep_new(const struct sweep_common *common, size_t place)
{
	const struct shard_options *options = common->options;
	struct sweep *sweep = calloc(1, sizeof(*sweep));
	uint64_t random[2];

	if (!sweep)
		return NULL;
	sweep->options = options;
	sweep->events = common->events;
	sweep->arg = common->arg;
	sweep->chores.topology = options->topology;
	sweep->chores.place = place;
	timer_init(&sweep->timer, common->loop, sweep_on_timer, sweep);
	random_fill(random, sizeof(random));
	snprintf(sweep->caller, sizeof(sweep->caller), "%016llx%016llx",
	    (unsigned long long)random[0], (unsigned long long)random[1]);
	sweep->link_options = shard_link_options(options, place, "sweep");
	sweep->link = link_new(common->loop, common->dialer,
	    &sweep->link_options, &link_events, sweep);
	if (!sweep->link) {
		sweep_free(sweep);
		return NULL;
	}
	script_calls_init(
	    &sweep->calls, sweep->link, sweep->link_options.script);
	sweep->info.link = sweep->link;
	sweep->call = (struct script_call){.timeout_us = DEADLINE_US,
	    .write = sweep_write_step,
	    .done = sweep_on_step};
	return sweep;
}

void
sweep_free(struct sweep *sweep)
{
	if (!sweep)
		return;
	link_free(sweep->link); /* ends a call */
	timer_stop(&sweep->timer);
	chores_free(&sweep->chores);
	script_calls_free(&sweep->calls);
	server_info_free(&sweep->info);
	free(sweep);
}
