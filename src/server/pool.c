/*
 * The workers, as main sees them.
 * Invariant: pool->count workers run, and each has all that it shares until it
 * was stopped.
 * The heart: pool_start() and pool_set_rules().
 */
#include "server/pool.h"

#include "base/clock.h"
#include "protocol/login_tries.h"
#include "protocol/users.h"
#include "server/balance.h"
#include "server/clients.h"
#include "server/worker.h"
#include "upstream/upstreams.h"

#include <errno.h>
#include <stdlib.h>

/* How long to wait until all workers use new limits, a few turns of a loop, and
 * how often to look. */
#define TAKE_OVER_US INT64_C(100000)
#define PAUSE_US     100

struct pool {
	struct gateway gateway;
	struct clients clients;
	struct worker **workers;
	size_t count; /* of workers, started so far */
	size_t next;  /* to get the next client */
};

static int
pool_start_workers(struct pool *pool, size_t count)
{
	pool->workers = calloc(count, sizeof(struct worker *));
	pool->clients.balance = balance_new(count);
	pool->clients.worker_count = count;
	pool->clients.tries = login_tries_new();
	if (!pool->workers || !pool->clients.balance || !pool->clients.tries)
		return -1;
	while (pool->count < count) {
		struct worker *worker =
		    worker_start(&pool->gateway, &pool->clients, pool->count);

		if (!worker)
			return -1;
		pool->workers[pool->count++] = worker;
	}
	pool->clients.workers = pool->workers;
	return 0;
}

struct pool *
pool_start(
    const struct gateway_options *options, size_t workers, struct rules *rules)
{
	struct pool *pool = calloc(1, sizeof(*pool));
	int error;

	if (!pool) {
		rules_unref(rules);
		return NULL;
	}
	pthread_mutex_init(&pool->clients.users_lock, NULL);
	if (gateway_init(&pool->gateway, options, workers, rules) == 0 &&
	    pool_start_workers(pool, workers) == 0)
		return pool;
	error = errno;
	pool_stop(pool);
	errno = error;
	return NULL;
}

void
pool_stop(struct pool *pool)
{
	if (!pool)
		return;
	/* All threads end before the first worker is freed: until then, they
	 * may hand clients to each other. */
	for (size_t i = 0; i < pool->count; i++)
		worker_stop(pool->workers[i]);
	upstreams_stop(pool->clients.upstreams);
	for (size_t i = 0; i < pool->count; i++)
		worker_free(pool->workers[i]);
	upstreams_free(pool->clients.upstreams);
	free(pool->workers);
	free(pool->clients.balance);
	login_tries_free(pool->clients.tries);
	users_unref(pool->clients.users);
	pthread_mutex_destroy(&pool->clients.users_lock);
	gateway_clear(&pool->gateway);
	free(pool);
}

bool
pool_is_settled(const struct pool *pool)
{
	for (size_t i = 0; i < pool->count; i++)
		if (!worker_is_settled(pool->workers[i]))
			return false;
	return !pool->clients.upstreams ||
	       upstreams_are_settled(pool->clients.upstreams);
}

bool
pool_is_alive(const struct pool *pool)
{
	for (size_t i = 0; i < pool->count; i++)
		if (!worker_is_alive(pool->workers[i]))
			return false;
	return !pool->clients.upstreams ||
	       upstreams_are_alive(pool->clients.upstreams);
}

bool
pool_is_drained(const struct pool *pool)
{
	for (size_t i = 0; i < pool->count; i++)
		if (!worker_is_done(pool->workers[i]))
			return false;
	return true;
}

void
pool_give(struct pool *pool, int fd, enum offer offer)
{
	pool->clients.count++;
	worker_give(pool->workers[pool->next], fd, offer);
	pool->next = (pool->next + 1) % pool->count;
}

size_t
pool_clients(const struct pool *pool)
{
	return pool->clients.count;
}

struct memory *
pool_memory(struct pool *pool)
{
	return pool->gateway.memory;
}

struct fleet_board *
pool_fleet_board(struct pool *pool)
{
	return pool->gateway.fleet;
}

size_t
pool_limits(struct pool *pool)
{
	struct gateway *gateway = &pool->gateway;
	size_t count;

	pthread_mutex_lock(&gateway->lock);
	count = rules_count(gateway->rules);
	pthread_mutex_unlock(&gateway->lock);
	return count;
}

static void
pool_wake_all(struct pool *pool)
{
	for (size_t i = 0; i < pool->count; i++)
		worker_wake(pool->workers[i]);
}

static bool
pool_uses_new_rules(const struct pool *pool)
{
	for (size_t i = 0; i < pool->count; i++)
		if (worker_generation(pool->workers[i]) !=
		    pool->gateway.generation)
			return false;
	return true;
}

void
pool_set_rules(
    struct pool *pool, struct rules *rules, struct rules_changes *changes)
{
	int64_t patience_us = clock_us() + TAKE_OVER_US;

	gateway_set_rules(&pool->gateway, rules, changes);
	pool_wake_all(pool);
	while (!pool_uses_new_rules(pool) && clock_us() < patience_us)
		clock_sleep(PAUSE_US);
}

static bool
pool_is_placed(const struct pool *pool)
{
	for (size_t i = 0; i < pool->count; i++)
		if (!worker_is_placed(pool->workers[i]))
			return false;
	return true;
}

int
pool_set_topology(struct pool *pool, const struct topology_options *where)
{
	int64_t patience_us = clock_us() + TAKE_OVER_US;

	if (gateway_set_topology(&pool->gateway, where) == -1)
		return -1;
	pool_wake_all(pool);
	while (!pool_is_placed(pool) && clock_us() < patience_us)
		clock_sleep(PAUSE_US);
	return 0;
}

void
pool_note_topology(struct pool *pool, int64_t asked_us)
{
	gateway_note_topology(&pool->gateway, asked_us);
}

void
pool_set_topology_reader(struct pool *pool, void (*read)(void *arg), void *arg)
{
	topology_reader_set(&pool->gateway.topology_reader, read, arg);
}

void
pool_set_users(struct pool *pool, struct users *users)
{
	struct clients *clients = &pool->clients;
	struct users *old;

	users->generation = clients->users_generation + 1;
	pthread_mutex_lock(&clients->users_lock);
	old = clients->users;
	clients->users = users;
	clients->users_generation = users->generation;
	pthread_mutex_unlock(&clients->users_lock);
	users_unref(old);
	pool_wake_all(pool);
}

int
pool_set_upstreams(struct pool *pool, struct upstream_set *set)
{
	struct upstreams *upstreams = pool->clients.upstreams;

	if (!upstreams && set && set->count > 0) {
		upstreams = upstreams_start(&pool->gateway);
		if (!upstreams) {
			upstream_set_unref(set);
			return -1;
		}
	}
	if (upstreams)
		upstreams_set(upstreams, set);
	else
		upstream_set_unref(set);
	pool->clients.upstreams = upstreams;
	pool_wake_all(pool);
	return 0;
}

void
pool_note_refused(struct pool *pool, const char *reason)
{
	gateway_note_refused(&pool->gateway, reason);
}

void
pool_set_unmatched(struct pool *pool, enum unmatched unmatched)
{
	pool->gateway.unmatched = (int)unmatched;
}

void
pool_drain(struct pool *pool, bool handover)
{
	pool->clients.handover = handover;
	pool->clients.draining = true;
	pool_wake_all(pool);
}

void
pool_each_handover(const struct pool *pool, pool_visit_handover *visit)
{
	for (size_t i = 0; i < pool->count; i++) {
		size_t count;
		const int *fds = worker_handover(pool->workers[i], &count);

		visit(fds, count);
	}
}
