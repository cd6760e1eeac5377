#include "server/overload.h"

/* An overload is over after so many seconds without. */
#define CALM_SECONDS 5

void
overload_init(
    struct overload *overload, size_t worker, struct counters *counters)
{
	*overload = (struct overload){
	    .counters = counters, .worker = worker, .kept_up = true};
}

void
overload_note_wait(struct overload *overload, int64_t waited_us, bool deferred)
{
	struct counters *counters = overload->counters;

	if (waited_us > overload->now.longest_us)
		overload->now.longest_us = waited_us;
	if (waited_us > (int64_t)counters->longest_wait_us)
		counters->longest_wait_us = (uint64_t)waited_us;
	if (waited_us > 0)
		counter_add(&counters->waited_us, (uint64_t)waited_us);
	if (!deferred)
		return;
	overload->now.deferred++;
	counter_add(&counters->deferred, 1);
}

void
overload_note_turn(struct overload *overload, size_t waiting, bool full)
{
	overload->counters->clients_waiting = waiting;
	overload->kept_up |= waiting == 0;
	overload->turns += waiting > 0;
	overload->full_turns += waiting > 0 && full;
}

/* Requests that Redis decided since the last call. */
static uint64_t
overload_count_decided(struct overload *overload)
{
	const struct counters *counters = overload->counters;
	uint64_t decided = counters->allowed + counters->denied -
			   counters->denycache - counters->fallback;
	uint64_t count = decided - overload->decided;

	overload->decided = decided;
	return count;
}

static bool
overload_log_start(struct overload *overload, uint64_t decided)
{
	if (overload->full_turns > overload->turns / 2)
		return log_limited(&overload->limiter, LOG_LEVEL_WARNING,
		    "worker %zu is overloaded: Redis decides %llu requests a "
		    "second, and clients send more; the worker reads them only "
		    "as fast as Redis replies",
		    overload->worker, (unsigned long long)decided);
	return log_limited(&overload->limiter, LOG_LEVEL_WARNING,
	    "worker %zu is overloaded: it is busy all the time, and clients "
	    "wait for their turn, up to %lld ms",
	    overload->worker, (long long)overload->now.longest_us / 1000);
}

static void
overload_log_end(const struct overload *overload)
{
	log_info("worker %zu is not overloaded any more, after %u s: clients "
		 "waited %llu times for room in Redis, and one waited %lld ms "
		 "for its turn",
	    overload->worker, overload->seconds,
	    (unsigned long long)overload->all.deferred,
	    (long long)overload->all.longest_us / 1000);
}

static void
overload_go_on(struct overload *overload, uint64_t decided)
{
	if (overload->seconds == 0) {
		overload->all = (struct overload_sum){0};
		overload->logged = overload_log_start(overload, decided);
	}
	overload->seconds += 1 + overload->calm_seconds;
	overload->calm_seconds = 0;
	overload->all.deferred += overload->now.deferred;
	if (overload->now.longest_us > overload->all.longest_us)
		overload->all.longest_us = overload->now.longest_us;
}

static void
overload_calm_down(struct overload *overload)
{
	if (overload->seconds == 0 || ++overload->calm_seconds < CALM_SECONDS)
		return;
	if (overload->logged)
		overload_log_end(overload);
	overload->seconds = overload->calm_seconds = 0;
}

void
overload_end_second(struct overload *overload)
{
	uint64_t decided = overload_count_decided(overload);

	if (overload->kept_up)
		overload_calm_down(overload);
	else
		overload_go_on(overload, decided);
	overload->now = (struct overload_sum){0};
	overload->turns = overload->full_turns = 0;
	overload->kept_up = overload->counters->clients_waiting == 0;
}
