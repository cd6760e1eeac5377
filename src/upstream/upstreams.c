/*
 * Job: the thread's loop, and what lives on it.
 * Invariant: once the thread runs, all but the inbox and the set belongs to it.
 * The heart: upstreams_take_orders().
 */
#include "upstream/upstreams.h"

#include "base/log.h"
#include "net/dial.h"
#include "net/timer.h"
#include "store/redis/redis_store.h"
#include "upstream/cache_redis.h"
#include "upstream/flight.h"
#include "upstream/purges.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* A loop that has not turned for this long counts as dead. */
#define DEAD_US INT64_C(10000000)

#define TICK_US INT64_C(1000000)

struct upstreams {
	/* touched by all threads */
	struct inbox inbox;
	pthread_mutex_t lock; /* of the set: to take a reference */
	struct upstream_set *_Atomic set;

	/* by its own */
	struct gateway *gateway;
	struct loop *loop;
	struct timer tick;

	/* by which it charges */
	struct dialer *dialer; /* Redis store */
	struct store *store;
	struct placing *placing; /* of the store; NULL: memory */
	_Atomic bool settled;    /* the store connected, or failed to */
	struct gate gate;

	struct curl_loop *curl;
	struct flights flights;
	struct purges purges; /* touched by all threads, too */
};

/* Forget it, in memory and of what is under way, which may be as it was before.
 */
static void
upstreams_forget(struct upstreams *upstreams, const struct upstream *upstream,
    const char *glob)
{
	flights_outdate(&upstreams->flights, upstream->options.name, glob);
	cache_purge(upstream->cache, glob);
}

/* A client purges it: what came since a worker did so is forgotten, too. */
static void
upstreams_begin_purge(struct upstreams *upstreams, const struct purge *purge)
{
	struct upstream_set *set = upstreams_get(upstreams);
	const struct upstream *upstream =
	    upstream_set_find(set, purge->name, strlen(purge->name));

	if (upstream && upstream->cache)
		upstreams_forget(upstreams, upstream, purge->glob);
	if (upstream && upstream->options.cache == UPSTREAM_CACHE_REDIS &&
	    upstreams->flights.redis)
		cache_redis_purge(
		    upstreams->flights.redis, purge->name, purge->glob);
	upstream_set_unref(set);
}

static void
upstreams_take_orders(struct upstreams *upstreams)
{
	struct purge *purge;
	struct ask *ask;
	unsigned orders;

	while ((purge = purges_take(&upstreams->purges))) {
		upstreams_begin_purge(upstreams, purge);
		purge_free(purge);
	}
	while ((ask = inbox_take(&upstreams->inbox, &orders))) {
		if (orders & ASK_START && !(orders & ASK_END))
			flight_start(&upstreams->flights, ask);
		if (orders == ASK_START) /* it may be gone */
			continue;
		upstreams->flights.gathered -= ask->gathered;
		ask->gathered = 0; /* it was taken */
		if (orders & ASK_GO_ON)
			flight_go_on(ask);
		if (!(orders & ASK_END))
			continue;
		flight_leave(&upstreams->flights, ask);
		ask_free(ask);
	}
}

static void
upstreams_on_woken(void *arg)
{
	struct upstreams *upstreams = arg;

	gate_note_read(&upstreams->gate);
	upstreams_take_orders(upstreams);
}

/*
 * The gate.
 */

static void
upstreams_on_settled(void *arg)
{
	struct upstreams *upstreams = arg;

	upstreams->settled = true;
}

static void
upstreams_on_outage(void *arg, bool is_over)
{
	(void)arg;
	(void)is_over;
}

static void
upstreams_on_sent(void *arg, unsigned entries)
{
	struct upstreams *upstreams = arg;

	counter_add(&upstreams->gate.counters->batches, 1);
	counter_add(&upstreams->gate.counters->batch_buckets, entries);
}

static void
upstreams_on_foreign(void *arg, unsigned buckets)
{
	struct upstreams *upstreams = arg;

	counter_add(&upstreams->gate.counters->foreign_values, buckets);
}

static void
upstreams_on_set_back(
    void *arg, size_t place, int64_t back_us, int64_t since_us)
{
	const struct upstreams *upstreams = arg;
	const struct set_back noted = {place, back_us, since_us};

	set_backs_note(upstreams->placing->set_backs, &noted);
}

/* A daemon purged it, perhaps this one. */
static void
upstreams_on_purged(void *arg, const char *name, const char *glob)
{
	struct upstreams *upstreams = arg;
	struct upstream_set *set = upstreams_get(upstreams);

	for (size_t i = 0; set && i < set->count; i++) {
		const struct upstream *upstream = set->items[i];

		if (upstream->options.cache == UPSTREAM_CACHE_REDIS &&
		    (!name || strcmp(upstream->options.name, name) == 0))
			upstreams_forget(
			    upstreams, upstream, name ? glob : "*");
	}
	upstream_set_unref(set);
}

/* Keep the buckets, and responses, where ${placing} says.  Return 0, or -1 (out
 * of memory), and all is as before. */
static int
upstreams_place_buckets(struct upstreams *upstreams, struct placing *placing)
{
	static const struct shard_events events = {upstreams_on_settled,
	    upstreams_on_outage, upstreams_on_sent, upstreams_on_foreign,
	    upstreams_on_set_back};
	static const struct cache_redis_events cache_events = {
	    upstreams_on_purged};
	struct store *old = upstreams->store;
	struct cache_redis *redis = cache_redis_new(upstreams->loop,
	    upstreams->dialer, &placing->redis, &cache_events, upstreams);
	struct store *store =
	    redis_store_new(upstreams->loop, upstreams->dialer, &placing->redis,
		"upstreams", &events, upstreams);

	if (!store || !redis) {
		store_free(store);
		cache_redis_free(redis);
		return -1;
	}
	upstreams->settled = false;
	upstreams->placing = placing;
	upstreams->store = upstreams->gate.store = store;
	store_free(old);
	cache_redis_free(upstreams->flights.redis);
	upstreams->flights.redis = redis;
	return 0;
}

static void
upstreams_on_tick(void *arg)
{
	struct upstreams *upstreams = arg;

	upstreams_on_woken(upstreams); /* for what no one was woken for */
	gate_end_second(&upstreams->gate);
	samples_trim(&upstreams->gate.samples);
	store_trim(upstreams->store);
	timer_set(&upstreams->tick, TICK_US);
}

static bool
upstreams_on_turned(void *arg)
{
	struct upstreams *upstreams = arg;
	struct placing *placing = upstreams->gateway->placing;

	gate_note_read(&upstreams->gate); /* for those that had to wait */
	if (placing != upstreams->placing &&
	    upstreams_place_buckets(upstreams, placing) == -1)
		log_error("upstreams: out of memory");
	curl_loop_run(upstreams->curl);
	flights_start_again(&upstreams->flights);
	gate_update_rules(&upstreams->gate);
	store_flush(upstreams->store);
	if (upstreams->flights.redis)
		cache_redis_flush(upstreams->flights.redis);
	inbox_tell(&upstreams->inbox);
	gate_end_turn(&upstreams->gate);
	return false;
}

static int
upstreams_open_store(struct upstreams *upstreams)
{
	struct gateway *gateway = upstreams->gateway;

	if (gateway->options->store == STORE_MEMORY) {
		upstreams->store = memory_store_new(gateway->memory);
		upstreams->settled = true;
		return upstreams->store ? 0 : -1;
	}
	upstreams->dialer = dialer_new(upstreams->loop);
	return upstreams->dialer
		   ? upstreams_place_buckets(upstreams, gateway->placing)
		   : -1;
}

/*
 * The thread.
 */

static void
upstreams_set_up_curl(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

static int
upstreams_open_parts(struct upstreams *upstreams)
{
	upstreams->curl =
	    curl_loop_new(upstreams->loop, flight_on_transferred, upstreams);
	upstreams->flights.curl = upstreams->curl;
	if (!upstreams->curl || upstreams_open_store(upstreams) == -1 ||
	    gate_init(&upstreams->gate, upstreams->gateway,
		upstreams->gateway->workers, upstreams->store,
		upstreams->loop) == -1) {
		errno = ENOMEM;
		return -1;
	}
	timer_init(
	    &upstreams->tick, upstreams->loop, upstreams_on_tick, upstreams);
	timer_set(&upstreams->tick, TICK_US);
	return 0;
}

struct upstreams *
upstreams_start(struct gateway *gateway)
{
	static const struct loop_events events = {
	    .turned = upstreams_on_turned, .woken = upstreams_on_woken};
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct upstreams *upstreams = calloc(1, sizeof(*upstreams));
	int error;

	pthread_once(&once, upstreams_set_up_curl);
	if (!upstreams)
		return NULL;
	pthread_mutex_init(&upstreams->lock, NULL);
	upstreams->gateway = gateway;
	upstreams->loop = loop_new(&events, upstreams);
	inbox_init(&upstreams->inbox, upstreams->loop);
	purges_init(&upstreams->purges);
	flights_init(&upstreams->flights, upstreams->loop, &upstreams->gate);
	if (upstreams->loop && upstreams_open_parts(upstreams) == 0 &&
	    loop_start(upstreams->loop) == 0)
		return upstreams;
	error = errno;
	upstreams_free(upstreams);
	errno = error;
	return NULL;
}

void
upstreams_set(struct upstreams *upstreams, struct upstream_set *set)
{
	struct upstream_set *old = upstreams->set;

	upstream_set_adopt(set, old);
	pthread_mutex_lock(&upstreams->lock);
	upstreams->set = set;
	pthread_mutex_unlock(&upstreams->lock);
	upstream_set_unref(old);
}

struct upstream_set *
upstreams_get(struct upstreams *upstreams)
{
	struct upstream_set *set;

	pthread_mutex_lock(&upstreams->lock);
	set = upstream_set_ref(upstreams->set);
	pthread_mutex_unlock(&upstreams->lock);
	return set;
}

bool
upstreams_use(const struct upstreams *upstreams, const struct upstream_set *set)
{
	return atomic_load_explicit(&upstreams->set, memory_order_acquire) ==
	       set;
}

int
upstreams_purge(struct upstreams *upstreams, const char *name, const char *glob)
{
	if (purges_add(&upstreams->purges, name, glob) == -1)
		return -1;
	loop_wake(upstreams->loop);
	return 0;
}

struct inbox *
upstreams_inbox(struct upstreams *upstreams)
{
	return &upstreams->inbox;
}

bool
upstreams_are_settled(const struct upstreams *upstreams)
{
	return upstreams->settled;
}

bool
upstreams_are_alive(const struct upstreams *upstreams)
{
	return loop_is_alive(upstreams->loop, DEAD_US);
}

void
upstreams_stop(struct upstreams *upstreams)
{
	if (!upstreams)
		return;
	loop_stop(upstreams->loop);
	loop_join(upstreams->loop);
}

void
upstreams_free(struct upstreams *upstreams)
{
	if (!upstreams)
		return;
	timer_stop(&upstreams->tick);
	upstreams->flights.ending = true;
	/* The asks are over, and their ports gone: no one is told any more. */
	upstreams_take_orders(upstreams);
	waits_abandon(&upstreams->gate.waits);
	store_free(upstreams->store);
	flights_clear(&upstreams->flights);
	cache_redis_free(upstreams->flights.redis);
	inbox_clear(&upstreams->inbox);
	purges_clear(&upstreams->purges);
	curl_loop_free(upstreams->curl);
	gate_clear(&upstreams->gate);
	dialer_free(upstreams->dialer);
	upstream_set_unref(upstreams->set);
	pthread_mutex_destroy(&upstreams->lock);
	loop_free(upstreams->loop);
	free(upstreams);
}
