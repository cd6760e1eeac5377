/*
 * Job: holds checks back until their drops have room.
 * Invariant: what is in the heap is WAITING, and there is room in it for each
 * check that was asked with OP_WAIT.
 * The heart: wait_begin(), wait_on_timer() and wait_leave().
 */
#include "gate/wait.h"

#include "base/clock.h"
#include "gate/check_internal.h"
#include "gate/joint.h"
#include "stats/counters.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_MIN 64

struct wait {
	struct check *check;
	int64_t us;     /* how long it is to wait */
	int64_t due_us; /* when it may go ahead, by our clock; of one that
			 * leaves, below 0, and less if it came later */
	size_t place;   /* in the heap, from 1; 0: it is not there */
	bool leaves;
	char key[];
};

/*
 * The heap.
 */

static void
wait_put(struct waits *waits, struct wait *wait, size_t place)
{
	waits->items[place - 1] = wait;
	wait->place = place;
}

/* Put it where it belongs, at ${place} or towards the first. */
static void
wait_rise(struct waits *waits, struct wait *wait, size_t place)
{
	while (
	    place > 1 && waits->items[place / 2 - 1]->due_us > wait->due_us) {
		wait_put(waits, waits->items[place / 2 - 1], place);
		place /= 2;
	}
	wait_put(waits, wait, place);
}

/* The same, away from the first. */
static void
wait_sink(struct waits *waits, struct wait *wait, size_t place)
{
	size_t child;

	while ((child = 2 * place) <= waits->count) {
		if (child < waits->count && waits->items[child]->due_us <
						waits->items[child - 1]->due_us)
			child++;
		if (waits->items[child - 1]->due_us >= wait->due_us)
			break;
		wait_put(waits, waits->items[child - 1], place);
		place = child;
	}
	wait_put(waits, wait, place);
}

static void
wait_set_timer(struct waits *waits)
{
	if (waits->count > 0)
		exact_timer_set(
		    &waits->timer, waits->items[0]->due_us - clock_us());
}

static void
wait_add(struct waits *waits, struct wait *wait)
{
	assert(waits->count < waits->room);
	wait_rise(waits, wait, ++waits->count);
	waits->counters->waits = waits->count;
	if (wait->place == 1)
		wait_set_timer(waits);
}

/* Take the first one off. */
static struct wait *
wait_take(struct waits *waits)
{
	struct wait *first = waits->items[0];
	struct wait *last = waits->items[--waits->count];

	first->place = 0;
	if (waits->count > 0)
		wait_sink(waits, last, 1);
	waits->counters->waits = waits->count;
	return first;
}

/* Have there be room for one more. */
static int
wait_reserve(struct waits *waits)
{
	size_t room = waits->room > 0 ? 2 * waits->room : ROOM_MIN;
	struct wait **items;

	if (waits->open < waits->room)
		return 0;
	items = reallocarray(waits->items, room, sizeof(struct wait *));
	if (!items)
		return -1;
	waits->items = items;
	waits->room = room;
	return 0;
}

/*
 * The end of a wait.
 */

static void
wait_end(struct check *check, bool passed)
{
	struct decision *decision = &check->query.decision;

	if (check->joint) {
		joint_end_wait(check->joint, passed);
	} else {
		decision->allowed = passed;
		if (passed)
			decision->retry_us = 0;
		check_conclude(check);
	}
	check->done(check);
}

/* Its drops have room now. */
static void
wait_pass(struct wait *wait)
{
	struct check *check = wait->check;
	struct counters *counters = check->gate->counters;

	counter_add(&counters->waits_allowed, 1);
	histogram_add(&counters->waited, wait->us, 1);
	wait_end(check, true);
}

/* It has given its turn back, or lost it.  The store has said when as many
 * drops fit; else it is when they would have. */
static void
wait_on_left(struct query *query)
{
	struct check *check = query->owner;
	struct gate *gate = check->gate;

	if (gate->deny_cache)
		deny_cache_learn(gate->deny_cache, query);
	query->op = OP_WAIT; /* which is counted */
	wait_end(check, false);
}

static void
wait_leave_alone(struct check *check, int64_t left_us)
{
	struct gate *gate = check->gate;
	struct query *query = &check->query;

	query->op = OP_LEAVE;
	query->done = wait_on_left;
	query->now_us = gate_now(gate);
	if (left_us > 0)
		query->decision.retry_us = left_us;
	if (gate->deny_cache)
		deny_cache_decide(gate->deny_cache, query);
	if (store_query(gate->store, query))
		wait_on_left(query);
}

static void
wait_leave(struct wait *wait)
{
	struct check *check = wait->check;
	int64_t left_us = -wait->due_us - gate_now(check->gate);

	counter_add(&check->gate->counters->waits_ended, 1);
	check_set_state(check, CHECK_ASKED);
	if (!check->joint)
		wait_leave_alone(check, left_us);
	else if (joint_leave(check->joint, wait->us - left_us))
		wait_end(check, false);
}

static void
wait_on_timer(void *arg)
{
	struct waits *waits = arg;
	int64_t now_us = clock_us();

	while (waits->count > 0 && waits->items[0]->due_us <= now_us) {
		struct wait *wait = wait_take(waits);

		if (wait->leaves)
			wait_leave(wait);
		else
			wait_pass(wait);
	}
	wait_set_timer(waits);
}

/* Have it leave when the timer is next looked at. */
static void
wait_turn_away(struct wait *wait)
{
	wait->leaves = true;
	if (wait->due_us > 0)
		wait->due_us = -wait->due_us;
}

/*
 * The calls of the header.
 */

int
waits_init(struct waits *waits, struct loop *loop, struct counters *counters)
{
	*waits = (struct waits){.counters = counters};
	return exact_timer_open(&waits->timer, loop, wait_on_timer, waits);
}

void
waits_clear(struct waits *waits)
{
	assert(waits->open == 0);
	exact_timer_close(&waits->timer);
}

void
waits_stop(struct waits *waits)
{
	size_t count = waits->count;

	waits->closed = true;
	for (size_t i = 0; i < count; i++)
		wait_turn_away(waits->items[i]);
	waits->count = 0;
	for (size_t i = 0; i < count; i++)
		wait_rise(waits, waits->items[i], ++waits->count);
	wait_set_timer(waits);
}

void
waits_abandon(struct waits *waits)
{
	waits->closed = true;
	while (waits->count > 0)
		wait_end(wait_take(waits)->check, false);
}

void
wait_prepare(struct check *check, struct query *query)
{
	const struct limit *limit = query->limit;

	if (!limit || limit->shadow || check->gate->waits.closed)
		query->wait_us = 0;
	else if (query->wait_us > limit->queue_us)
		query->wait_us = limit->queue_us;
	if (query->wait_us == 0)
		query->op = OP_CONSUME;
}

size_t
wait_bytes(const struct check *check)
{
	return sizeof(struct wait) + (check->joint ? 0 : check->query.key.len);
}

int
wait_open(struct check *check)
{
	struct waits *waits = &check->gate->waits;
	struct key *key = &check->query.key;
	struct wait *wait;

	if (wait_reserve(waits) == -1)
		return -1;
	wait = malloc(wait_bytes(check));
	if (!wait)
		return -1;
	*wait = (struct wait){.check = check};
	if (!check->joint) {
		memcpy(wait->key, key->bytes, key->len);
		key->bytes = wait->key;
	}
	check->wait = wait;
	waits->open++;
	return 0;
}

bool
wait_begin(struct check *check, int64_t us)
{
	struct waits *waits = &check->gate->waits;
	struct wait *wait = check->wait;

	if (us == 0)
		return false;
	check_set_state(check, CHECK_WAITING);
	/* Later than when the store decided: it never goes ahead too early. */
	wait->us = us;
	wait->due_us = clock_us() + us;
	if (wait->leaves || waits->closed)
		wait_turn_away(wait);
	wait_add(waits, wait);
	return true;
}

void
wait_close(struct check *check)
{
	struct waits *waits = &check->gate->waits;

	if (check->query.op == OP_WAIT && !check->decision.allowed &&
	    !check->wait->leaves)
		counter_add(&waits->counters->waits_denied, 1);
	free(check->wait);
	check->wait = NULL;
	if (--waits->open > 0)
		return;
	free(waits->items);
	waits->items = NULL;
	waits->room = 0;
}

void
check_stop_waiting(struct check *check)
{
	struct wait *wait = check->wait;

	if (!wait || wait->leaves)
		return;
	wait_turn_away(wait);
	if (wait->place == 0)
		return;
	wait_rise(&check->gate->waits, wait, wait->place);
	wait_set_timer(&check->gate->waits);
}
