#include "control/control.h"

#include "base/clock.h"
#include "base/log.h"
#include "net/dial.h"
#include "net/wake.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

/* A loop that has not turned for so long is taken for dead. */
#define DEAD_US INT64_C(10000000)

struct control {
	struct event_base *base;
	struct dialer *dialer;
	struct subscriber *subscriber; /* NULL: no limits from Redis */
	struct distributor *distributor; /* NULL: no limits to others */
	pthread_t thread;

	struct wake wake; /* to look at what is wanted */
	_Atomic bool reload_wanted, stopping;

	struct event tick_event;
	_Atomic int64_t alive_us; /* when the loop turned */
};

static void
reload(struct control *control)
{
	if (control->subscriber)
		subscriber_reload(control->subscriber);
	if (control->distributor)
		distributor_reload(control->distributor);
}

static void
on_woken(void *arg)
{
	struct control *control = arg;

	if (control->stopping)
		event_base_loopbreak(control->base);
	else if (atomic_exchange(&control->reload_wanted, false))
		reload(control);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct control *control = arg;

	(void)fd;
	(void)what;
	control->alive_us = clock_us();
}

static void
start_tick(struct control *control)
{
	static const struct timeval second = {.tv_sec = 1};

	event_assign(&control->tick_event, control->base, -1, EV_PERSIST,
	    on_tick, control);
	event_add(&control->tick_event, &second);
	control->alive_us = clock_us();
}

static void *
run(void *arg)
{
	struct control *control = arg;

	event_base_dispatch(control->base);
	return NULL;
}

/* The thread leaves signals to main.  Return 0 or an errno. */
static int
start_thread(struct control *control)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&control->thread, NULL, run, control);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

static int
open_parts(struct control *control, const struct control_options *options,
    subscriber_set_rules *set_rules, void *arg)
{
	control->dialer = dialer_new(control->base);
	if (!control->dialer)
		return -1;
	if (options->subscriber) {
		control->subscriber = subscriber_new(control->base,
		    control->dialer, options->subscriber, set_rules, arg);
		if (!control->subscriber)
			return -1;
	}
	if (options->distributor) {
		control->distributor = distributor_new(
		    control->base, control->dialer, options->distributor);
		if (!control->distributor)
			return -1;
	}
	return 0;
}

static void
free_control(struct control *control)
{
	distributor_free(control->distributor);
	subscriber_free(control->subscriber);
	dialer_free(control->dialer);
	wake_close(&control->wake);
	if (event_initialized(&control->tick_event))
		event_del(&control->tick_event);
	if (control->base)
		event_base_free(control->base);
	free(control);
}

struct control *
control_start(const struct control_options *options,
    subscriber_set_rules *set_rules, void *arg)
{
	struct control *control = calloc(1, sizeof(*control));
	int error = ENOMEM;

	if (!control)
		return NULL;
	control->wake.fd = -1;
	control->base = event_base_new();
	if (!control->base)
		goto fail;
	if (wake_open(&control->wake, control->base, on_woken, control) == -1) {
		error = errno;
		goto fail;
	}
	start_tick(control);
	if (open_parts(control, options, set_rules, arg) == -1)
		goto fail;
	error = start_thread(control);
	if (error == 0)
		return control;
fail:
	free_control(control);
	errno = error;
	return NULL;
}

bool
control_is_settled(const struct control *control)
{
	return !control->subscriber ||
	       subscriber_is_settled(control->subscriber);
}

enum subscriber_state
control_state(const struct control *control)
{
	return control->subscriber ? subscriber_state(control->subscriber)
				   : SUBSCRIBER_CURRENT;
}

bool
control_is_alive(const struct control *control)
{
	return clock_us() - control->alive_us <= DEAD_US;
}

void
control_reload(struct control *control)
{
	control->reload_wanted = true;
	wake_up(&control->wake);
}

void
control_stop(struct control *control)
{
	if (!control)
		return;
	control->stopping = true;
	wake_up(&control->wake);
	pthread_join(control->thread, NULL);
	free_control(control);
}
