/*
 * A thread that serves clients: its parts, its timers, its end.  Invariant: all
 * but the last group of struct worker belongs to its thread, once that runs.
 * The heart: worker_on_turned(), which ends each loop turn.
 */
#include "server/worker.h"

#include "base/clock.h"
#include "base/heap.h"
#include "server/arrivals.h"
#include "server/balance.h"
#include "server/conn.h"
#include "server/drain.h"
#include "server/move.h"
#include "server/readiness.h"
#include "server/relay.h"
#include "server/timeouts.h"
#include "net/dial.h"
#include "net/loop.h"
#include "net/timer.h"
#include "store/redis/redis_store.h"
#include "store/redis/sweeps.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* While draining, look at clients this often. */
#define DRAIN_TICK_US 20000

/* Sweep the memory table in about a minute; a larger one in more, since no tick
 * may delay requests. */
#define SWEEP_TICK_US   100000
#define SWEEP_TICKS     600
#define SWEEP_SLOTS_MAX 100000

/* How often to look at clients' time-outs. */
#define TICK_US 1000000

/* Every so many of these ticks, give back memory that was not needed since the
 * last time. */
#define TRIM_TICKS 5

/* A worker whose loop has not turned for this long counts as dead. */
#define DEAD_US INT64_C(5000000)

struct worker {
	/* what it belongs to */
	struct gateway *gateway;
	struct clients *clients; /* of all workers */
	size_t index;
	char role[32]; /* of its links */

	/* touched by its own thread only: stores */
	struct loop *loop;
	struct dialer *dialer;
	struct store *store;
	struct sweeps *sweeps; /* first worker, Redis store */

	/* and requests */
	struct gate gate;
	struct conns conns;
	struct port port; /* of upstreams */

	/* and timers */
	struct timer tick;
	unsigned ticks;          /* since memory was given back */
	struct timer sweep_tick; /* first worker */
	struct timer balance_tick;
	struct timer drain_tick;

	struct worker *heir; /* gets the clients that leave */

	/* touched by all threads */
	struct arrivals arrivals;
	_Atomic unsigned generation;       /* of the limits in use */
	_Atomic(struct placing *) placing; /* of the store; NULL: memory */
	_Atomic bool settled; /* the store connected, or failed to */
	_Atomic bool done;    /* drained */
};

/* Hand a client over to the heir. */
static bool
worker_on_hand(struct conn *conn, void *arg)
{
	struct worker *heir = ((struct worker *)arg)->heir;

	if (!arrivals_add_moved(&heir->arrivals, conn))
		return false;
	worker_wake(heir);
	return true;
}

/* Report its load, and hand part of it to another worker if that is due. */
static void
worker_on_balance_tick(void *arg)
{
	struct worker *worker = arg;
	const struct clients *clients = worker->clients;
	struct worker *const *workers = clients->workers;
	size_t to;
	int64_t part_us;

	move_end(&worker->conns);
	balance_set(clients->balance, worker->index, worker->conns.served_us);
	if (workers && !clients->draining &&
	    balance_find(clients->balance, worker->index, &to, &part_us)) {
		worker->heir = workers[to];
		move_begin(&worker->conns, part_us);
	}
	move_start_period(&worker->conns);
	timer_set(&worker->balance_tick, BALANCE_PERIOD_US);
}

/* Called when its clients are gone, and no other worker can hand one over. */
static void
worker_end(struct worker *worker)
{
	worker->done = true;
	loop_stop(worker->loop);
}

static void
worker_on_drain_tick(void *arg)
{
	struct worker *worker = arg;
	move_end(&worker->conns);
	if (drain_clients(&worker->conns, worker->clients->handover) == 0 &&
	    arrivals_end(&worker->arrivals))
		worker_end(worker);
	else
		timer_set(&worker->drain_tick, DRAIN_TICK_US);
}

static void
worker_on_woken(void *arg)
{
	struct worker *worker = arg;
	/* Read this first: then every client given before draining is taken. */
	bool draining = worker->clients->draining;

	arrivals_take(&worker->arrivals, &worker->conns);
	port_take(&worker->port);
	if (draining && !worker->conns.sessions.draining)
		worker_on_drain_tick(worker);
}

static void
worker_trim(struct worker *worker)
{
	worker->ticks = 0;
	heap_give_back(slot_cache_trim(&worker->conns.slots) +
		       samples_trim(&worker->gate.samples) +
		       store_trim(worker->store));
}

static void
worker_on_tick(void *arg)
{
	struct worker *worker = arg;

	timeouts_check(&worker->conns);
	readiness_tell(&worker->conns);
	overload_end_second(&worker->conns.overload);
	gate_end_second(&worker->gate);
	if (worker->index == 0)
		outage_cost_tick(worker->gateway);
	if (++worker->ticks == TRIM_TICKS)
		worker_trim(worker);
	timer_set(&worker->tick, TICK_US);
}

static void
worker_on_sweep_tick(void *arg)
{
	struct worker *worker = arg;
	struct memory *memory = worker->gateway->memory;
	size_t slots = memory_slots(memory) / SWEEP_TICKS + 1;
	struct set_back back;

	while (
	    worker->sweeps && set_backs_take(worker->placing->set_backs, &back))
		sweeps_trim(
		    worker->sweeps, back.place, back.back_us, back.since_us);
	memory_follow_clock(memory, gate_now(&worker->gate), clock_shift_us());
	memory_sweep(memory, slots < SWEEP_SLOTS_MAX ? slots : SWEEP_SLOTS_MAX,
	    gate_now(&worker->gate));
	timer_set(&worker->sweep_tick, SWEEP_TICK_US);
}

static void
worker_on_settled(void *arg)
{
	struct worker *worker = arg;

	worker->settled = true;
}

static void
worker_on_outage(void *arg, bool is_over)
{
	struct gateway *gateway = ((struct worker *)arg)->gateway;

	if (is_over)
		outage_cost_end(gateway);
	else
		outage_cost_begin(gateway);
}

static void
worker_on_sent(void *arg, unsigned entries)
{
	struct worker *worker = arg;

	counter_add(&worker->gate.counters->batches, 1);
	counter_add(&worker->gate.counters->batch_buckets, entries);
}

static void
worker_on_foreign(void *arg, unsigned buckets)
{
	struct worker *worker = arg;

	counter_add(&worker->gate.counters->foreign_values, buckets);
}

static void
worker_on_set_back(void *arg, size_t place, int64_t back_us, int64_t since_us)
{
	const struct worker *worker = arg;
	const struct set_back noted = {place, back_us, since_us};

	set_backs_note(worker->placing->set_backs, &noted);
}

static void
worker_on_swept(void *arg, unsigned removed)
{
	struct worker *worker = arg;

	counter_add(&worker->gate.counters->swept_buckets, removed);
}

static void
worker_on_sweep_failed(void *arg)
{
	struct worker *worker = arg;

	counter_add(&worker->gate.counters->sweep_errors, 1);
}

static int
worker_open_memory_store(struct worker *worker)
{
	worker->store = memory_store_new(worker->gateway->memory);
	worker->settled = true;
	return worker->store ? 0 : -1;
}

static struct sweeps *
worker_open_sweeps(struct worker *worker, const struct shard_options *options)
{
	static const struct sweep_events events = {
	    worker_on_swept, worker_on_sweep_failed};
	const struct sweep_common common = {
	    worker->loop, worker->dialer, options, &events, worker};
	struct sweeps *sweeps = sweeps_new(&common);

	if (sweeps && worker->gateway->options->inline_limits)
		sweeps_include_inline(sweeps);
	return sweeps;
}

/* Keep the buckets where ${placing} says from now on.  Return 0, or -1 (out of
 * memory), and all is as before. */
static int
worker_place_buckets(struct worker *worker, struct placing *placing)
{
	static const struct shard_events events = {worker_on_settled,
	    worker_on_outage, worker_on_sent, worker_on_foreign,
	    worker_on_set_back};
	struct store *old = worker->store;
	struct sweeps *old_sweeps = worker->sweeps;
	struct store *store = redis_store_new(worker->loop, worker->dialer,
	    &placing->redis, worker->role, &events, worker);
	struct sweeps *sweeps =
	    worker->index == 0 ? worker_open_sweeps(worker, &placing->redis)
			       : NULL;

	if (!store || (!sweeps && worker->index == 0)) {
		store_free(store);
		sweeps_free(sweeps);
		return -1;
	}
	worker->settled = false;
	worker->placing = placing;
	worker->sweeps = sweeps;
	worker->store = worker->gate.store = store;
	store_free(old);
	sweeps_free(old_sweeps);
	return 0;
}

/* What was asked of the servers of before is decided by on_error. */
static void
worker_move_buckets(struct worker *worker)
{
	struct placing *placing = worker->gateway->placing;

	if (placing != worker->placing &&
	    worker_place_buckets(worker, placing) == 0 && worker->sweeps)
		sweeps_set_rules(worker->sweeps, worker->gate.snapshot->rules);
}

/* All events of a turn were handled.  Return whether to turn again at once. */
static bool
worker_on_turned(void *arg)
{
	struct worker *worker = arg;
	bool more;

	worker_move_buckets(worker);
	conns_update_users(&worker->conns);
	relay_update(&worker->conns.slots);
	conns_serve(&worker->conns);
	store_flush(worker->store);
	port_send(&worker->port);
	more = conns_flush(&worker->conns);
	port_send(&worker->port); /* clients may have gone */
	if (gate_update_rules(&worker->gate)) {
		if (worker->sweeps)
			sweeps_set_rules(
			    worker->sweeps, worker->gate.snapshot->rules);
		worker->generation = worker->gate.generation;
	}
	gate_end_turn(&worker->gate);
	return more;
}

static int
worker_open_redis_store(struct worker *worker)
{
	worker->dialer = dialer_new(worker->loop);
	if (!worker->dialer)
		return -1;
	return worker_place_buckets(worker, worker->gateway->placing);
}

static void
worker_set_timers(struct worker *worker)
{
	timer_init(&worker->tick, worker->loop, worker_on_tick, worker);
	timer_init(
	    &worker->sweep_tick, worker->loop, worker_on_sweep_tick, worker);
	timer_init(
	    &worker->drain_tick, worker->loop, worker_on_drain_tick, worker);
	timer_init(&worker->balance_tick, worker->loop, worker_on_balance_tick,
	    worker);
	timer_set(&worker->tick, TICK_US);
	if (worker->clients->worker_count > 1)
		timer_set(&worker->balance_tick, BALANCE_PERIOD_US);
	if (worker->index == 0)
		timer_set(&worker->sweep_tick, SWEEP_TICK_US);
}

void
worker_free(struct worker *worker)
{
	if (!worker)
		return;
	timer_stop(&worker->balance_tick);
	timer_stop(&worker->tick);
	timer_stop(&worker->sweep_tick);
	timer_stop(&worker->drain_tick);
	waits_abandon(&worker->gate.waits);
	store_free(worker->store);
	sweeps_free(worker->sweeps);
	arrivals_clear(&worker->arrivals);
	conns_clear(&worker->conns);
	port_clear(&worker->port);
	gate_clear(&worker->gate);
	dialer_free(worker->dialer);
	loop_free(worker->loop);
	free(worker);
}

static int
worker_open_parts(struct worker *worker)
{
	bool redis = worker->gateway->options->store == STORE_REDIS;

	if ((redis ? worker_open_redis_store(worker)
		   : worker_open_memory_store(worker)) ||
	    gate_init(&worker->gate, worker->gateway, worker->index,
		worker->store, worker->loop) == -1 ||
	    conns_init(&worker->conns, worker->loop, &worker->gate,
		worker->clients) == -1) {
		errno = ENOMEM;
		return -1;
	}
	port_init(&worker->port, worker->loop);
	worker->conns.slots.port = &worker->port;
	worker->conns.hand = worker_on_hand;
	worker->conns.hand_arg = worker;
	if (worker->sweeps)
		sweeps_set_rules(worker->sweeps, worker->gate.snapshot->rules);
	return 0;
}

struct worker *
worker_start(struct gateway *gateway, struct clients *clients, size_t index)
{
	static const struct loop_events events = {
	    .turned = worker_on_turned, .woken = worker_on_woken};
	struct worker *worker = calloc(1, sizeof(*worker));
	int error;

	if (!worker)
		return NULL;
	worker->gateway = gateway;
	worker->clients = clients;
	worker->index = index;
	snprintf(worker->role, sizeof(worker->role), "worker-%zu", index + 1);
	arrivals_init(&worker->arrivals);
	TAILQ_INIT(&worker->conns.all);
	worker->loop = loop_new(&events, worker);
	if (worker->loop) {
		worker_set_timers(worker);
		if (worker_open_parts(worker) == 0 &&
		    loop_start(worker->loop) == 0)
			return worker;
	}
	error = errno;
	worker_free(worker);
	errno = error;
	return NULL;
}

bool
worker_is_settled(const struct worker *worker)
{
	return worker->settled;
}

void
worker_give(struct worker *worker, int fd, enum offer offer)
{
	if (arrivals_add(&worker->arrivals, fd, offer) == -1) {
		close(fd);
		worker->clients->count--;
		return;
	}
	worker_wake(worker);
}

void
worker_wake(struct worker *worker)
{
	loop_wake(worker->loop);
}

bool
worker_is_alive(const struct worker *worker)
{
	return loop_is_alive(worker->loop, DEAD_US);
}

unsigned
worker_generation(const struct worker *worker)
{
	return worker->generation;
}

bool
worker_is_placed(const struct worker *worker)
{
	return worker->placing == worker->gateway->placing;
}

bool
worker_is_done(const struct worker *worker)
{
	return worker->done;
}

const int *
worker_handover(const struct worker *worker, size_t *count)
{
	*count = worker->conns.handover_count;
	return worker->conns.handover;
}

void
worker_stop(struct worker *worker)
{
	loop_stop(worker->loop);
	loop_join(worker->loop);
}
