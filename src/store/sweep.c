#include "store/sweep.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "net/timer.h"
#include "redis/reply.h"
#include "redis/script.h"
#include "store/field.h"

#include <event2/event_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Fields looked at in one call: half a millisecond for a Redis whose memory is
 * slow, less for others. */
#define FIELDS_A_CALL 125

/* The share of Redis's time that a pass may take is one of this many parts. */
#define SHARE 6

/* Of how much lateness is made up for: a timer is late by up to 10 ms. */
#define LATE_MAX_US 10000

/* A hash is walked once in the life of its buckets, within these bounds. */
#define PERIOD_MIN_US INT64_C(15000000)
#define PERIOD_MAX_US INT64_C(3600000000)

/* Of limits that come with requests nobody knows the lives; most are short. */
#define PERIOD_INLINE_US INT64_C(300000000)

/* A daemon that dies during a pass holds the lock for so long. */
#define STEP_MS 5000

/* A call may wait behind others' long ones; nobody waits for it. */
#define DEADLINE_US INT64_C(2000000)

/* Nothing is due sooner than this: bounds the idle turning of the timer. */
#define PAUSE_MIN_US 1000

struct chore {
	const struct limit *limit;
	int64_t due_us;
};

struct sweep {
	const struct remote_options *options;
	const struct sweep_events *events;
	void *arg;
	struct link *link;
	struct event timer;
	char caller[33];           /* this process, in the lock */

	struct rules *rules;
	struct chore *chores;      /* one a limit */
	struct limit inline_limit; /* stands for all that come with requests, */
	bool has_inline;           /* if they are swept for */
	size_t count;

	bool ready;                /* the script is loaded */
	struct chore *current;     /* the pass under way, or NULL */
	char cursor[24];
	bool calling;              /* a call is in flight */
	int64_t called_us;         /* when it was made */
	int64_t step_us;           /* when it was due */
	struct command command;
	struct log_pace pace;      /* of remarks about the server */
};

static int64_t
period_us(const struct limit *limit)
{
	int64_t life_us =
	    limit->is_inline ? PERIOD_INLINE_US : limit_life_us(limit);

	if (life_us < PERIOD_MIN_US)
		return PERIOD_MIN_US;
	return life_us > PERIOD_MAX_US ? PERIOD_MAX_US : life_us;
}

static struct chore *
next_chore(const struct sweep *sweep)
{
	struct chore *next = NULL;

	for (size_t i = 0; i < sweep->count; i++)
		if (!next || sweep->chores[i].due_us < next->due_us)
			next = &sweep->chores[i];
	return next;
}

static void
wait_for_next(struct sweep *sweep)
{
	const struct chore *next = next_chore(sweep);
	int64_t delay_us = next ? next->due_us - clock_us() : PERIOD_MAX_US;

	timer_set(
	    &sweep->timer, delay_us < PAUSE_MIN_US ? PAUSE_MIN_US : delay_us);
}

static void
end_pass(struct sweep *sweep)
{
	sweep->current->due_us =
	    clock_us() + period_us(sweep->current->limit);
	sweep->current = NULL;
	wait_for_next(sweep);
}

static void
on_loaded(const redisReply *reply, void *arg)
{
	struct sweep *sweep = arg;

	if (!reply)
		return;
	if (reply->type == REDIS_REPLY_ERROR) {
		link_drop(sweep->link, reply->str);
		return;
	}
	sweep->ready = true;
	wait_for_next(sweep);
}

static void
load_script(struct sweep *sweep)
{
	sweep->ready = false;
	if (script_load(sweep->link, SCRIPT_SWEEP, clock_us() + DEADLINE_US,
		on_loaded, sweep) == -1)
		link_drop(sweep->link, "the scripts cannot be loaded");
	else
		link_flush(sweep->link);
}

static bool
is_step(const redisReply *reply)
{
	return reply->type == REDIS_REPLY_ARRAY && reply->elements == 3 &&
	       reply->element[0]->type == REDIS_REPLY_STRING &&
	       reply->element[0]->len < sizeof(((struct sweep *)0)->cursor) &&
	       reply->element[2]->type == REDIS_REPLY_INTEGER;
}

/* Leave Redis to others for a while.  Where a timer comes late, as it does by
 * much when the pause is short, the next pause is the shorter: the pass keeps
 * its pace. */
static void
rest(struct sweep *sweep)
{
	int64_t now_us = clock_us();

	if (sweep->step_us < sweep->called_us - LATE_MAX_US)
		sweep->step_us = sweep->called_us - LATE_MAX_US;
	sweep->step_us += (now_us - sweep->called_us) * SHARE;
	timer_set(&sweep->timer,
	    sweep->step_us > now_us ? sweep->step_us - now_us : 0);
}

static void
on_step(const redisReply *reply, void *arg)
{
	struct sweep *sweep = arg;

	sweep->calling = false;
	if (!reply)
		return; /* the link is down */
	if (reply_is_error(reply, "NOSCRIPT")) {
		load_script(sweep); /* and go on where we are */
		return;
	}
	if (!sweep->current) {
		wait_for_next(sweep); /* the limits changed meanwhile */
		return;
	}
	if (!is_step(reply)) {
		/* Somebody else's turn (nil), or no hash (an error, which the
		 * store reports): another time. */
		end_pass(sweep);
		if (reply_is_wrong_server(reply))
			link_drop(sweep->link, reply->str);
		return;
	}
	link_proven(sweep->link);
	sweep->events->swept(
	    sweep->arg, (unsigned)reply->element[2]->integer);
	memcpy(sweep->cursor, reply->element[0]->str,
	    reply->element[0]->len + 1);
	if (strcmp(sweep->cursor, "0") == 0)
		end_pass(sweep);
	else
		rest(sweep);
}

static int
call_step(struct sweep *sweep)
{
	const struct limit *limit = sweep->current->limit;
	bool window = limit->algorithm == ALGORITHM_FIXED_WINDOW;
	char hash[FIELD_HASH_MAX];
	char lock[FIELD_HASH_MAX + 6];
	size_t len = field_hash_name(sweep->options->prefix, limit, hash);
	struct command *command = &sweep->command;

	snprintf(lock, sizeof(lock), "%s:sweep", hash);
	command_start(command, 11);
	command_add_text(command, "EVALSHA");
	command_add_text(command, script_sha(SCRIPT_SWEEP));
	command_add_int(command, 2);
	command_add(command, hash, len);
	command_add_text(command, lock);
	command_add_text(command, sweep->caller);
	command_add_int(command, STEP_MS);
	command_add_int(command, period_us(limit) / 1000);
	command_add_text(command, sweep->cursor);
	command_add_int(command, FIELDS_A_CALL);
	command_add_int(command, window ? limit->window_us : 0);
	sweep->called_us = clock_us();
	if (link_call(sweep->link, command, sweep->called_us + DEADLINE_US,
		on_step, sweep) == -1)
		return -1;
	sweep->calling = true;
	return 0;
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct sweep *sweep = arg;
	struct chore *next = next_chore(sweep);

	(void)fd;
	(void)what;
	if (!sweep->ready || sweep->calling)
		return; /* on_loaded() or on_step() goes on */
	if (!sweep->current) {
		if (!next || next->due_us > clock_us()) {
			wait_for_next(sweep);
			return;
		}
		sweep->current = next;
		strcpy(sweep->cursor, "0");
	}
	if (call_step(sweep) == 0)
		link_flush(sweep->link);
	else
		end_pass(sweep);
}

/* The value of "name:value\r\n" in what INFO answers, or NULL. */
static const char *
info_value(const char *info, const char *name)
{
	size_t len = strlen(name);
	const char *at = info;

	while ((at = strstr(at, name))) {
		if ((at == info || at[-1] == '\n') && at[len] == ':')
			return at + len + 1;
		at += len;
	}
	return NULL;
}

static void
on_info(const redisReply *reply, void *arg)
{
	struct sweep *sweep = arg;
	const char *name = link_name(sweep->link);
	const char *policy, *version;

	if (!reply || reply->type != REDIS_REPLY_STRING ||
	    !log_is_due(&sweep->pace))
		return;
	policy = info_value(reply->str, "maxmemory_policy");
	version = info_value(reply->str, "redis_version");
	if (policy && strncmp(policy, "noeviction", 10) != 0)
		log_warning("redis %s: maxmemory-policy is not noeviction: "
			    "buckets may be lost",
		    name);
	if (version && atoi(version) < 7)
		log_warning("redis %s: version 7 or later is needed", name);
}

static void
on_up(void *arg)
{
	struct sweep *sweep = arg;

	command_start(&sweep->command, 1);
	command_add_text(&sweep->command, "INFO");
	if (link_call(sweep->link, &sweep->command, clock_us() + DEADLINE_US,
		on_info, sweep) == -1)
		link_drop(sweep->link, "it cannot be asked what it is");
	else
		load_script(sweep);
}

static void
on_down(void *arg)
{
	struct sweep *sweep = arg;

	sweep->ready = false;
	sweep->current = NULL;
}

static const struct link_events link_events = {.up = on_up, .down = on_down};

/* Those of the set, and behind them the one that is of none. */
static const struct limit *
limit_at(const struct sweep *sweep, size_t i)
{
	return i < rules_count(sweep->rules) ? rules_at(sweep->rules, i)
					     : &sweep->inline_limit;
}

/* The first pass of each limit comes at a random time: daemons started together
 * do not all ask for the lock together. */
static void
plan_chores(struct sweep *sweep)
{
	int64_t now_us = clock_us();

	for (size_t i = 0; i < sweep->count; i++) {
		const struct limit *limit = limit_at(sweep, i);

		sweep->chores[i].limit = limit;
		sweep->chores[i].due_us =
		    now_us + random_below(period_us(limit));
	}
}

void
sweep_include_inline(struct sweep *sweep)
{
	limit_init_inline(&sweep->inline_limit, 1, 1, 0);
	sweep->has_inline = true;
}

void
sweep_set_rules(struct sweep *sweep, struct rules *rules)
{
	size_t count = rules_count(rules) + sweep->has_inline;
	struct chore *chores = calloc(count, sizeof(*sweep->chores));

	if (!chores)
		return; /* the old limits' buckets are swept on */
	free(sweep->chores);
	rules_unref(sweep->rules);
	sweep->chores = chores;
	sweep->rules = rules_ref(rules);
	sweep->count = count;
	sweep->current = NULL;
	plan_chores(sweep);
	wait_for_next(sweep);
}

struct sweep *
sweep_new(struct event_base *base, struct dialer *dialer,
    const struct remote_options *options, const struct sweep_events *events,
    void *arg)
{
	struct sweep *sweep = calloc(1, sizeof(*sweep));
	uint64_t random[2];

	if (!sweep)
		return NULL;
	sweep->options = options;
	sweep->events = events;
	sweep->arg = arg;
	evtimer_assign(&sweep->timer, base, on_timer, sweep);
	random_fill(random, sizeof(random));
	snprintf(sweep->caller, sizeof(sweep->caller), "%016llx%016llx",
	    (unsigned long long)random[0], (unsigned long long)random[1]);
	sweep->link =
	    link_new(base, dialer, &options->link, &link_events, sweep);
	if (!sweep->link) {
		sweep_free(sweep);
		return NULL;
	}
	return sweep;
}

void
sweep_free(struct sweep *sweep)
{
	if (!sweep)
		return;
	event_del(&sweep->timer);
	link_free(sweep->link);
	rules_unref(sweep->rules);
	free(sweep->chores);
	command_free(&sweep->command);
	free(sweep);
}
