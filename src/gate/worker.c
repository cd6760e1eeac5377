#include "gate/worker.h"

#include "base/clock.h"
#include "gate/conn.h"
#include "gate/parting.h"
#include "net/dial.h"
#include "net/wake.h"
#include "store/sweep.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

/* While draining, clients are looked at this often; those that go on asking are
 * parted from after a while.  Looks are counted, and not the time: between two
 * of them the clients were read from, even if the machine stood still. */
#define DRAIN_TICK_US    20000
#define DRAIN_TICKS_MAX  25

/* The memory table is swept once in about a minute, or as long as it takes if
 * it is so large that a tick would be a pause. */
#define SWEEP_TICK_US   100000
#define SWEEP_TICKS     600
#define SWEEP_SLOTS_MAX 100000

struct worker {
	struct shared *shared;
	size_t index;
	pthread_t thread;

	/* touched by its own thread only */
	struct event_base *base;
	struct dialer *dialer;
	struct store *store;
	struct sweep *sweep;          /* first worker, Redis store */
	struct gate gate;
	struct conns conns;
	struct event tick_event;
	struct event sweep_event;     /* first worker */
	struct event drain_event;
	unsigned drain_ticks;         /* so far; 0: not draining */

	/* touched by all */
	struct wake wake;
	pthread_mutex_t lock;         /* of ${given} */
	int *given;                   /* descriptors handed over */
	size_t given_count, given_cap;
	_Atomic int64_t alive_us;
	_Atomic unsigned generation;  /* of the limits in use */
	_Atomic bool settled, stopping, done;
};

static void
take_given(struct worker *worker)
{
	int *given;
	size_t count;

	pthread_mutex_lock(&worker->lock);
	given = worker->given;
	count = worker->given_count;
	worker->given = NULL;
	worker->given_count = worker->given_cap = 0;
	pthread_mutex_unlock(&worker->lock);
	for (size_t i = 0; i < count; i++)
		conn_open(&worker->conns, given[i]);
	free(given);
}

static void
on_drain_tick(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval tick = {.tv_usec = DRAIN_TICK_US};
	struct worker *worker = arg;
	enum conns_drain how =
	    worker->shared->keeps_clients ? CONNS_KEEP : CONNS_QUIET;

	(void)fd;
	(void)what;
	if (++worker->drain_ticks > DRAIN_TICKS_MAX)
		how = CONNS_ALL;
	if (conns_drain(&worker->conns, how) == 0)
		worker->done = true;
	else
		evtimer_add(&worker->drain_event, &tick);
}

static void
on_woken(void *arg)
{
	struct worker *worker = arg;
	/* Looked at first: who was given before draining is then taken. */
	bool draining = worker->shared->draining;

	take_given(worker);
	if (draining && worker->drain_ticks == 0)
		on_drain_tick(-1, 0, worker);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct worker *worker = arg;

	(void)fd;
	(void)what;
	worker->alive_us = gate_now(&worker->gate);
	conns_check_timeouts(&worker->conns);
}

static void
on_sweep_tick(evutil_socket_t fd, short what, void *arg)
{
	struct worker *worker = arg;
	struct memory *memory = worker->shared->memory;
	size_t slots = memory_slots(memory) / SWEEP_TICKS + 1;

	(void)fd;
	(void)what;
	memory_sweep(memory, slots < SWEEP_SLOTS_MAX ? slots : SWEEP_SLOTS_MAX,
	    gate_now(&worker->gate));
}

/* What is done once all events of a turn were handled.  Return whether the next
 * turn is to follow at once. */
static bool
end_turn(struct worker *worker)
{
	bool more;

	conns_resume(&worker->conns);
	store_flush(worker->store);
	more = conns_flush(&worker->conns);
	if (gate_update_rules(&worker->gate)) {
		if (worker->sweep)
			sweep_set_rules(
			    worker->sweep, worker->gate.held->rules);
		worker->generation = worker->gate.generation;
	}
	gate_end_turn(&worker->gate);
	return more;
}

static void *
run(void *arg)
{
	struct worker *worker = arg;
	bool more = false;

	while (!worker->stopping && !worker->done) {
		event_base_loop(worker->base,
		    EVLOOP_ONCE | (more ? EVLOOP_NONBLOCK : 0));
		more = end_turn(worker);
	}
	worker->done = true;
	return NULL;
}

static void
on_settled(void *arg)
{
	struct worker *worker = arg;

	worker->settled = true;
}

static void
on_sent(void *arg, unsigned entries)
{
	struct worker *worker = arg;

	metric_add(&worker->gate.metrics->batches, 1);
	metric_add(&worker->gate.metrics->batch_buckets, entries);
}

static void
on_foreign(void *arg, unsigned buckets)
{
	struct worker *worker = arg;

	metric_add(&worker->gate.metrics->foreign_values, buckets);
}

static void
on_swept(void *arg, unsigned removed)
{
	struct worker *worker = arg;

	metric_add(&worker->gate.metrics->swept_buckets, removed);
}

static int
open_memory_store(struct worker *worker)
{
	worker->store = memory_store_new(worker->shared->memory);
	worker->settled = true;
	return worker->store ? 0 : -1;
}

static int
open_redis_store(struct worker *worker)
{
	static const struct remote_events events = {
	    on_settled, on_sent, on_foreign};
	static const struct sweep_events sweep_events = {on_swept};
	const struct remote_options *options =
	    &worker->shared->options->remote;

	worker->dialer = dialer_new(worker->base);
	if (!worker->dialer)
		return -1;
	worker->store = remote_store_new(
	    worker->base, worker->dialer, options, &events, worker);
	if (worker->index == 0)
		worker->sweep = sweep_new(worker->base, worker->dialer, options,
		    &sweep_events, worker);
	if (worker->sweep && worker->shared->options->inline_limits)
		sweep_include_inline(worker->sweep);
	return worker->store && (worker->sweep || worker->index > 0) ? 0 : -1;
}

static struct event_base *
new_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (!config)
		return NULL;
	/* A worker's base is used by its thread only. */
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

static void
add_events(struct worker *worker)
{
	static const struct timeval second = {.tv_sec = 1};
	static const struct timeval sweep_tick = {.tv_usec = SWEEP_TICK_US};

	event_assign(&worker->tick_event, worker->base, -1, EV_PERSIST, on_tick,
	    worker);
	event_assign(&worker->sweep_event, worker->base, -1, EV_PERSIST,
	    on_sweep_tick, worker);
	evtimer_assign(
	    &worker->drain_event, worker->base, on_drain_tick, worker);
	if (worker->index == 0)
		event_add(&worker->sweep_event, &sweep_tick);
	event_add(&worker->tick_event, &second);
}

static void
free_worker(struct worker *worker)
{
	wake_close(&worker->wake);
	if (event_initialized(&worker->tick_event)) {
		event_del(&worker->tick_event);
		event_del(&worker->sweep_event);
		event_del(&worker->drain_event);
	}
	store_free(worker->store);
	sweep_free(worker->sweep);
	conns_clear(&worker->conns);
	gate_clear(&worker->gate);
	dialer_free(worker->dialer);
	if (worker->base)
		event_base_free(worker->base);
	for (size_t i = 0; i < worker->given_count; i++)
		close(worker->given[i]);
	free(worker->given);
	pthread_mutex_destroy(&worker->lock);
	free(worker);
}

struct worker *
worker_start(struct shared *shared, size_t index)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	bool redis = shared->options->store == STORE_REDIS;
	int error = ENOMEM;

	if (!worker)
		return NULL;
	worker->shared = shared;
	worker->index = index;
	worker->alive_us = clock_us();
	pthread_mutex_init(&worker->lock, NULL);
	TAILQ_INIT(&worker->conns.all);
	worker->wake.fd = -1;
	worker->base = new_base();
	if (!worker->base)
		goto fail;
	if (wake_open(&worker->wake, worker->base, on_woken, worker) == -1) {
		error = errno;
		goto fail;
	}
	add_events(worker);
	if ((redis ? open_redis_store(worker) : open_memory_store(worker)) ||
	    gate_init(&worker->gate, shared, index, worker->store) == -1 ||
	    conns_init(&worker->conns, worker->base, &worker->gate) == -1)
		goto fail;
	if (worker->sweep)
		sweep_set_rules(worker->sweep, worker->gate.held->rules);
	error = pthread_create(&worker->thread, NULL, run, worker);
	if (error == 0)
		return worker;
fail:
	free_worker(worker);
	errno = error;
	return NULL;
}

bool
worker_is_settled(const struct worker *worker)
{
	return worker->settled;
}

static int
keep_given(struct worker *worker, int fd)
{
	if (worker->given_count == worker->given_cap) {
		size_t cap = worker->given_cap ? 2 * worker->given_cap : 16;
		int *given = realloc(worker->given, cap * sizeof(*given));

		if (!given)
			return -1;
		worker->given = given;
		worker->given_cap = cap;
	}
	worker->given[worker->given_count++] = fd;
	return 0;
}

void
worker_give(struct worker *worker, int fd)
{
	int result;

	pthread_mutex_lock(&worker->lock);
	result = keep_given(worker, fd);
	pthread_mutex_unlock(&worker->lock);
	if (result == -1) {
		close(fd);
		atomic_fetch_sub(&worker->shared->clients, 1);
		return;
	}
	worker_wake(worker);
}

void
worker_wake(struct worker *worker)
{
	wake_up(&worker->wake);
}

int64_t
worker_alive_us(const struct worker *worker)
{
	return worker->alive_us;
}

unsigned
worker_generation(const struct worker *worker)
{
	return worker->generation;
}

bool
worker_is_done(const struct worker *worker)
{
	return worker->done;
}

const int *
worker_kept(const struct worker *worker, size_t *count)
{
	*count = worker->conns.kept_count;
	return worker->conns.kept;
}

void
worker_stop(struct worker *worker)
{
	if (!worker)
		return;
	worker->stopping = true;
	worker_wake(worker);
	pthread_join(worker->thread, NULL);
	free_worker(worker);
}
