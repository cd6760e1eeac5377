#include "gate/pool.h"

#include "base/clock.h"
#include "gate/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

/* A worker whose loop has not turned for so long is taken for dead. */
#define DEAD_US INT64_C(5000000)

/* How long new limits are waited for: a few turns of a loop. */
#define TAKE_OVER_US INT64_C(100000)

struct pool {
	struct shared shared;
	struct worker **workers;  /* ${shared.workers} of them */
	size_t next;              /* to get the next client */
};

/* Workers leave signals to main. */
static int
start_workers(struct pool *pool, size_t count)
{
	sigset_t all, before;
	int error = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (error == 0 && pool->shared.workers < count) {
		size_t i = pool->shared.workers;

		pool->workers[i] = worker_start(&pool->shared, i);
		if (pool->workers[i])
			pool->shared.workers++;
		else
			error = errno;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = error;
	return error ? -1 : 0;
}

struct pool *
pool_start(
    const struct gate_options *options, size_t workers, struct rules *rules)
{
	struct pool *pool = calloc(1, sizeof(*pool));
	struct shared *shared;
	int error;

	if (!pool) {
		rules_unref(rules);
		return NULL;
	}
	shared = &pool->shared;
	pthread_mutex_init(&shared->lock, NULL);
	shared->rules = rules;
	shared->cells = workers;
	shared->tallies = tallies_new(rules, workers, NULL);
	shared->options = options;
	shared->started_us = clock_us();
	shared->memory = memory_new(&options->memory);
	shared->deny_marks = deny_marks_new();
	shared->metrics = metrics_new(workers);
	pool->workers = calloc(workers, sizeof(struct worker *));
	if (shared->memory && shared->deny_marks && shared->metrics &&
	    pool->workers && start_workers(pool, workers) == 0)
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
	for (size_t i = 0; i < pool->shared.workers; i++)
		worker_stop(pool->workers[i]);
	free(pool->workers);
	free(pool->shared.metrics);
	deny_marks_free(pool->shared.deny_marks);
	memory_free(pool->shared.memory);
	rules_unref(pool->shared.rules);
	tallies_unref(pool->shared.tallies);
	pthread_mutex_destroy(&pool->shared.lock);
	free(pool);
}

bool
pool_is_settled(const struct pool *pool)
{
	for (size_t i = 0; i < pool->shared.workers; i++)
		if (!worker_is_settled(pool->workers[i]))
			return false;
	return true;
}

bool
pool_is_alive(const struct pool *pool)
{
	int64_t now_us = clock_us();

	for (size_t i = 0; i < pool->shared.workers; i++)
		if (now_us - worker_alive_us(pool->workers[i]) > DEAD_US)
			return false;
	return true;
}

bool
pool_is_drained(const struct pool *pool)
{
	for (size_t i = 0; i < pool->shared.workers; i++)
		if (!worker_is_done(pool->workers[i]))
			return false;
	return true;
}

void
pool_give(struct pool *pool, int fd)
{
	atomic_fetch_add(&pool->shared.clients, 1);
	worker_give(pool->workers[pool->next], fd);
	pool->next = (pool->next + 1) % pool->shared.workers;
}

size_t
pool_clients(const struct pool *pool)
{
	return pool->shared.clients;
}

size_t
pool_limits(struct pool *pool)
{
	size_t count;

	pthread_mutex_lock(&pool->shared.lock);
	count = rules_count(pool->shared.rules);
	pthread_mutex_unlock(&pool->shared.lock);
	return count;
}

static void
wake_all(struct pool *pool)
{
	for (size_t i = 0; i < pool->shared.workers; i++)
		worker_wake(pool->workers[i]);
}

static bool
all_use(const struct pool *pool)
{
	for (size_t i = 0; i < pool->shared.workers; i++)
		if (worker_generation(pool->workers[i]) !=
		    pool->shared.generation)
			return false;
	return true;
}

void
pool_set_rules(struct pool *pool, struct rules *rules)
{
	static const struct timespec pause = {.tv_nsec = 100000};
	int64_t patience_us = clock_us() + TAKE_OVER_US;

	shared_set_rules(&pool->shared, rules);
	wake_all(pool);
	while (!all_use(pool) && clock_us() < patience_us)
		nanosleep(&pause, NULL);
}

void
pool_set_unmatched(struct pool *pool, enum unmatched unmatched)
{
	pool->shared.unmatched = (int)unmatched;
}

void
pool_drain(struct pool *pool, bool keep)
{
	pool->shared.keeps_clients = keep;
	pool->shared.draining = true;
	wake_all(pool);
}

void
pool_each_kept(const struct pool *pool, pool_visit_kept *visit)
{
	for (size_t i = 0; i < pool->shared.workers; i++) {
		size_t count;
		const int *kept = worker_kept(pool->workers[i], &count);

		visit(kept, count);
	}
}
