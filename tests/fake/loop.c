/*
 * All loops of the process, turned by the test, and the time that passes
 * between their turns.
 * Holds: a loop never turns within a turn of its own, so that what it calls may
 * let time pass (clock_sleep()) while other loops turn.
 * The heart is loop_turn() and fake_run().
 */
#include "net/loop.h"

#include "fake/fake.h"
#include "fake/turn.h"

#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Turns without time passing, before the loops are taken to be caught in
 * them. */
#define TURNS_MAX 100000

#define HOUR_US INT64_C(3600000000)

TAILQ_HEAD(due_list, due);

struct loop {
	TAILQ_ENTRY(loop) loops;
	const struct loop_events *events;
	void *arg;
	struct due_list all;
	struct due_list now; /* those of this turn not yet called */
	uint64_t caught;     /* signals that it asked for, a bit each */
	uint64_t pending;    /* and those that came */
	bool turning;
	bool more; /* the next turn follows at once */
	bool woken;
	bool started; /* on a thread of its own, if it were real */
	bool stopped;
	bool hangs;
	int64_t hangs_since_us;
};

/* What a test wants called. */
struct plan {
	TAILQ_ENTRY(plan) plans;
	int64_t at_us;
	void (*call)(void *arg);
	void *arg;
};

static TAILQ_HEAD(, loop) loops = TAILQ_HEAD_INITIALIZER(loops);
static TAILQ_HEAD(, plan) plans = TAILQ_HEAD_INITIALIZER(plans);

void
fake_die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("fake: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	abort();
}

void
fake_start(void)
{
	static bool again;

	/* Without CK_FORK, what the process remembers is then long ago. */
	fake_set_now_us(again ? fake_now_us() + HOUR_US : FAKE_START_US);
	again = true;
	TAILQ_INIT(&loops);
	TAILQ_INIT(&plans);
	fake_look_takes(0);
	fake_reset_dials();
	fake_reset_chance();
	fake_log();
	fake_given_back();
	fake_background_holds(false);
	fake_systemd_keeps(false);
	fake_systemd_watchdog(0);
}

void
fake_end(void)
{
	if (!TAILQ_EMPTY(&loops))
		fake_die("a loop was not freed");
	if (!TAILQ_EMPTY(&plans))
		fake_die("a plan was not carried out");
	if (fake_dials_left())
		fake_die("a dial or a dialer was not freed");
}

/*
 * What the loop calls.
 */

static struct due *
turn_find(const struct loop *loop, const void *owner)
{
	struct due *due;

	TAILQ_FOREACH (due, &loop->all, all)
		if (due->owner == owner)
			return due;
	return NULL;
}

void
turn_add(struct loop *loop, const struct due *due)
{
	struct due *added = malloc(sizeof(*added));

	if (!added)
		fake_die("out of memory");
	turn_remove(loop, due->owner);
	*added = *due;
	added->is_now = false;
	TAILQ_INSERT_TAIL(&loop->all, added, all);
}

static void
loop_leave(struct loop *loop, struct due *due)
{
	if (due->is_now)
		TAILQ_REMOVE(&loop->now, due, now);
	due->is_now = false;
}

void
turn_remove(struct loop *loop, const void *owner)
{
	struct due *due = turn_find(loop, owner);

	if (!due)
		return;
	loop_leave(loop, due);
	TAILQ_REMOVE(&loop->all, due, all);
	free(due);
}

bool
turn_has(const struct loop *loop, const void *owner)
{
	return turn_find(loop, owner) != NULL;
}

/*
 * A turn.
 */

static struct pollfd *polled;
static size_t polled_room;

/* Let there be room for all that the loop watches. */
static void
loop_make_room(const struct loop *loop)
{
	struct due *due;
	size_t count = 0;

	TAILQ_FOREACH (due, &loop->all, all)
		count++;
	if (count <= polled_room)
		return;
	polled_room = 2 * count;
	polled = reallocarray(polled, polled_room, sizeof(*polled));
	if (!polled)
		fake_die("out of memory");
}

/* Look which descriptors are ready, all by one call: there are hundreds. */
static void
loop_look(struct loop *loop)
{
	struct due *due;
	nfds_t count = 0;

	loop_make_room(loop);
	TAILQ_FOREACH (due, &loop->all, all)
		if (due->fd != -1)
			polled[count++] = (struct pollfd){
			    .fd = due->fd, .events = due->events};
	if (poll(polled, count, 0) == -1)
		fake_die("poll: %m");
	count = 0;
	TAILQ_FOREACH (due, &loop->all, all) {
		if (due->fd == -1)
			continue;
		if (polled[count].revents & POLLNVAL)
			fake_die("descriptor %d was closed while it is watched",
			    due->fd);
		due->is_ready = polled[count++].revents != 0;
	}
}

/* Timers are called in the order of their times, as libevent's heap has
 * them. */
static struct due *
loop_next_timer(const struct loop *loop, bool also_now)
{
	struct due *due, *next = NULL;

	TAILQ_FOREACH (due, &loop->all, all)
		if (due->fd == -1 && (also_now || !due->is_now) &&
		    (!next || due->at_us < next->at_us))
			next = due;
	return next;
}

static void
loop_join_turn(struct loop *loop, struct due *due)
{
	due->is_now = true;
	TAILQ_INSERT_TAIL(&loop->now, due, now);
}

static void
loop_gather_ready(struct loop *loop, bool hurries)
{
	struct due *due;

	TAILQ_FOREACH (due, &loop->all, all)
		if (due->fd != -1 && due->is_ready && due->hurries == hurries &&
		    !due->is_now)
			loop_join_turn(loop, due);
}

/* Put all that is due into this turn. */
static void
loop_gather(struct loop *loop)
{
	struct due *due;

	loop_look(loop);
	loop_gather_ready(loop, true);
	while (
	    (due = loop_next_timer(loop, false)) && due->at_us <= fake_now_us())
		loop_join_turn(loop, due);
	loop_gather_ready(loop, false);
}

/* A timer is called once.  It may be gone when it is. */
static void
loop_call_next(struct loop *loop)
{
	struct due *due = TAILQ_FIRST(&loop->now);
	const void *owner = due->owner;
	void (*call)(const void *) = due->call;

	loop_leave(loop, due);
	if (due->fd == -1)
		turn_remove(loop, owner);
	call(owner);
}

static void
loop_call_caught(struct loop *loop)
{
	for (int number = 1; number < 64; number++) {
		uint64_t bit = UINT64_C(1) << number;

		if (!(loop->pending & bit))
			continue;
		loop->pending &= ~bit;
		loop->events->caught(number, loop->arg);
	}
}

/* Return whether anything was called. */
static bool
loop_turn(struct loop *loop)
{
	bool woken = loop->woken;

	loop_gather(loop);
	if (TAILQ_EMPTY(&loop->now) && !loop->more && !woken && !loop->pending)
		return false;
	loop->turning = true;
	loop->woken = false;
	loop_call_caught(loop);
	if (woken && loop->events->woken)
		loop->events->woken(loop->arg);
	while (!TAILQ_EMPTY(&loop->now))
		loop_call_next(loop);
	loop->more = loop->events->turned && loop->events->turned(loop->arg);
	loop->turning = false;
	return true;
}

static bool
loop_may_turn(const struct loop *loop)
{
	return !loop->turning && !loop->stopped && !loop->hangs;
}

/*
 * The driver.
 */

/* The plan that is next. */
static struct plan *
fake_next_plan(void)
{
	struct plan *plan, *next = NULL;

	TAILQ_FOREACH (plan, &plans, plans)
		if (!next || plan->at_us < next->at_us)
			next = plan;
	return next;
}

static bool
fake_run_plan(void)
{
	struct plan *plan = fake_next_plan();
	struct plan copy;

	if (!plan || plan->at_us > fake_now_us())
		return false;
	copy = *plan;
	TAILQ_REMOVE(&plans, plan, plans);
	free(plan);
	copy.call(copy.arg);
	return true;
}

bool
fake_turn(void)
{
	struct loop *loop;
	bool turned = fake_run_plan();

	TAILQ_FOREACH (loop, &loops, loops)
		if (loop_may_turn(loop) && loop_turn(loop))
			turned = true;
	return turned;
}

void
fake_run(void)
{
	for (int turns = 0; fake_turn(); turns++)
		if (turns == TURNS_MAX)
			fake_die("the loops do not come to rest");
}

/* When the next timer or plan is due; INT64_MAX: none is. */
static int64_t
fake_next_us(void)
{
	const struct plan *plan = fake_next_plan();
	int64_t next_us = plan ? plan->at_us : INT64_MAX;
	struct loop *loop;

	TAILQ_FOREACH (loop, &loops, loops) {
		const struct due *due =
		    loop_may_turn(loop) ? loop_next_timer(loop, true) : NULL;

		if (due && due->at_us < next_us)
			next_us = due->at_us;
	}
	return next_us;
}

static void
fake_pass_until(int64_t us)
{
	if (us > fake_now_us())
		fake_set_now_us(us);
	fake_run();
}

void
fake_pass(int64_t us)
{
	int64_t end_us = fake_now_us() + us;
	int64_t next_us;

	fake_run();
	while ((next_us = fake_next_us()) < end_us)
		fake_pass_until(next_us);
	fake_pass_until(end_us);
}

int64_t
fake_pass_to_next(void)
{
	int64_t start_us = fake_now_us();
	int64_t next_us = fake_next_us();

	if (next_us == INT64_MAX)
		return -1;
	fake_pass_until(next_us);
	return next_us - start_us;
}

void
fake_at(int64_t us, void (*call)(void *arg), void *arg)
{
	struct plan *plan = malloc(sizeof(*plan));

	if (!plan)
		fake_die("out of memory");
	*plan = (struct plan){
	    .at_us = fake_now_us() + us, .call = call, .arg = arg};
	TAILQ_INSERT_TAIL(&plans, plan, plans);
}

struct loop *
fake_loop(size_t index)
{
	struct loop *loop;

	TAILQ_FOREACH (loop, &loops, loops)
		if (index-- == 0)
			return loop;
	fake_die("there are not so many loops");
}

void
fake_loop_hang(struct loop *loop)
{
	loop->hangs = true;
	loop->hangs_since_us = fake_now_us();
}

void
fake_loop_go_on(struct loop *loop)
{
	loop->hangs = false;
}

bool
fake_loop_is_stopped(const struct loop *loop)
{
	return loop->stopped;
}

void
fake_signal(int number)
{
	struct loop *loop;

	TAILQ_FOREACH (loop, &loops, loops)
		loop->pending |= loop->caught & (UINT64_C(1) << number);
}

/*
 * loop.h
 */

struct loop *
loop_new(const struct loop_events *events, void *arg)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return NULL;
	loop->events = events;
	loop->arg = arg;
	TAILQ_INIT(&loop->all);
	TAILQ_INIT(&loop->now);
	TAILQ_INSERT_TAIL(&loops, loop, loops);
	return loop;
}

void
loop_free(struct loop *loop)
{
	const struct due *due;

	if (!loop)
		return;
	due = TAILQ_FIRST(&loop->all);
	if (due)
		fake_die("a loop is freed, and %s lives on it",
		    due->fd == -1 ? "a timer" : "an io");
	TAILQ_REMOVE(&loops, loop, loops);
	free(loop);
}

int
loop_catch(struct loop *loop, const int *numbers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		loop->caught |= UINT64_C(1) << numbers[i];
	return 0;
}

/* Turn all loops until this one was stopped. */
static void
loop_wait(struct loop *loop)
{
	while (!loop->stopped) {
		fake_run();
		if (!loop->stopped && fake_pass_to_next() == -1)
			fake_die("a loop waits for ever");
	}
}

void
loop_run(struct loop *loop)
{
	if (fake_is_spawned())
		fake_hand_back();
	loop_wait(loop);
}

int
loop_start(struct loop *loop)
{
	loop->started = true;
	return 0;
}

void
loop_join(struct loop *loop)
{
	if (loop->started)
		loop_wait(loop);
	loop->started = false;
}

void
loop_stop(struct loop *loop)
{
	loop->stopped = true;
}

void
loop_wake(struct loop *loop)
{
	loop->woken = true;
}

bool
loop_is_alive(const struct loop *loop, int64_t within_us)
{
	return !loop->hangs ||
	       fake_now_us() - loop->hangs_since_us <= within_us;
}
