/*
 * The event base, the thread that turns it, and how others reach it.
 * Holds: everything but the atomics is touched by the loop's thread only.
 * The heart is loop_run().
 */
#include "net/loop.h"

#include "base/clock.h"
#include "base/log.h"
#include "net/event.h"
#include "net/thread.h"
#include "net/timer.h"
#include "net/wake.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

/* An idle loop turns this often, to show that it is alive.  It is the turn that
 * shows it, whatever the loop has to do. */
#define TICK_US 1000000

#define SIGNALS_MAX 8

struct loop {
	const struct loop_events *events;
	void *arg;
	struct event_base *base;
	struct timer tick;
	struct event *signals[SIGNALS_MAX];
	size_t signal_count;
	pthread_t thread;
	bool has_thread;

	/* touched by any thread */
	struct wake wake;
	_Atomic bool stopping;
	_Atomic int64_t turned_us;
};

static void
loop_log(int severity, const char *message)
{
	switch (severity) {
	case EVENT_LOG_DEBUG:
		log_debug("libevent: %s", message);
		break;
	case EVENT_LOG_MSG:
		log_info("libevent: %s", message);
		break;
	case EVENT_LOG_WARN:
		log_warning("libevent: %s", message);
		break;
	default:
		log_error("libevent: %s", message);
		break;
	}
}

static void
loop_set_up_libevent(void)
{
	event_set_log_callback(loop_log);
}

static void
loop_on_tick(void *arg)
{
	struct loop *loop = arg;

	timer_set(&loop->tick, TICK_US);
}

static void
loop_on_woken(void *arg)
{
	struct loop *loop = arg;

	if (loop->events->woken)
		loop->events->woken(loop->arg);
}

static void
loop_on_signal(evutil_socket_t number, short what, void *arg)
{
	struct loop *loop = arg;

	(void)what;
	loop->events->caught(number, loop->arg);
}

static struct event_base *
loop_new_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (!config)
		return NULL;
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	base = event_base_new_with_config(config);
	event_config_free(config);
	if (base && event_base_priority_init(base, EVENT_ORDERS) == -1) {
		event_base_free(base);
		return NULL;
	}
	return base;
}

struct loop *
loop_new(const struct loop_events *events, void *arg)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct loop *loop = calloc(1, sizeof(*loop));
	int error = ENOMEM;

	if (!loop)
		return NULL;
	pthread_once(&once, loop_set_up_libevent);
	loop->events = events;
	loop->arg = arg;
	loop->turned_us = clock_us();
	loop->wake.fd = -1;
	loop->base = loop_new_base();
	if (!loop->base)
		goto fail;
	if (wake_open(&loop->wake, loop, loop_on_woken, loop) == -1) {
		error = errno;
		goto fail;
	}
	timer_init(&loop->tick, loop, loop_on_tick, loop);
	timer_set(&loop->tick, TICK_US);
	return loop;
fail:
	loop_free(loop);
	errno = error;
	return NULL;
}

void
loop_free(struct loop *loop)
{
	if (!loop)
		return;
	for (size_t i = 0; i < loop->signal_count; i++)
		event_free(loop->signals[i]);
	timer_stop(&loop->tick);
	wake_close(&loop->wake);
	if (loop->base)
		event_base_free(loop->base);
	free(loop);
}

int
loop_catch(struct loop *loop, const int *numbers, size_t count)
{
	sigset_t caught;

	sigemptyset(&caught);
	for (size_t i = 0; i < count; i++) {
		struct event *event =
		    evsignal_new(loop->base, numbers[i], loop_on_signal, loop);

		if (!event) {
			errno = ENOMEM;
			return -1;
		}
		assert(loop->signal_count < SIGNALS_MAX);
		loop->signals[loop->signal_count++] = event;
		event_priority_set(event, EVENT_FIRST);
		if (evsignal_add(event, NULL) == -1)
			return -1;
		sigaddset(&caught, numbers[i]);
	}
	errno = pthread_sigmask(SIG_UNBLOCK, &caught, NULL);
	return errno ? -1 : 0;
}

void
loop_run(struct loop *loop)
{
	bool more = false;

	while (!loop->stopping) {
		event_base_loop(
		    loop->base, EVLOOP_ONCE | (more ? EVLOOP_NONBLOCK : 0));
		loop->turned_us = clock_us();
		more = loop->events->turned && loop->events->turned(loop->arg);
	}
}

static void *
loop_run_thread(void *arg)
{
	loop_run(arg);
	return NULL;
}

int
loop_start(struct loop *loop)
{
	loop->has_thread =
	    thread_start(&loop->thread, loop_run_thread, loop) == 0;
	return loop->has_thread ? 0 : -1;
}

void
loop_join(struct loop *loop)
{
	if (loop->has_thread)
		pthread_join(loop->thread, NULL);
	loop->has_thread = false;
}

void
loop_stop(struct loop *loop)
{
	loop->stopping = true;
	wake_up(&loop->wake);
}

void
loop_wake(struct loop *loop)
{
	wake_up(&loop->wake);
}

bool
loop_is_alive(const struct loop *loop, int64_t within_us)
{
	return clock_us() - loop->turned_us <= within_us;
}

struct event_base *
loop_base(struct loop *loop)
{
	return loop->base;
}
