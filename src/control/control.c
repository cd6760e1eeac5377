/*
 * Job: starts the thread, hands it what other threads want, and ends it.
 * Invariant: only the thread uses what lives on its loop; others set an atomic
 * flag and wake it.
 * Heart: control_on_woken().
 */
#include "control/control.h"

#include "net/dial.h"
#include "net/loop.h"
#include "net/timer.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

/* A loop that has not turned for this long counts as dead. */
#define DEAD_US INT64_C(10000000)

/* Longest wait for the server to remove this node. */
#define LEAVE_US INT64_C(1000000)

struct control {
	struct loop *loop;
	struct dialer *dialer;
	struct subscriber *subscriber;      /* NULL: limits come from a file */
	struct distributor *distributor;    /* NULL: nothing is distributed */
	struct topology_follower *topology; /* NULL: no buckets are in Redis */
	_Atomic bool reload_wanted, topology_wanted, leave_wanted, stop_wanted;

	/* the end */
	bool leaving;
	bool left;     /* or after LEAVE_US */
	bool finished; /* the loop was told to stop */
	struct timer leave_timer;
};

static void
control_do_reload(struct control *control)
{
	if (control->subscriber)
		subscriber_reload(control->subscriber);
	if (control->distributor)
		distributor_reload(control->distributor);
}

static void
control_finish(struct control *control)
{
	if (!control->left || !control->stop_wanted || control->finished)
		return;
	control->finished = true;
	loop_stop(control->loop);
}

static void
control_on_left(void *arg)
{
	struct control *control = arg;

	control->left = true;
	control_finish(control);
}

static void
control_do_leave(struct control *control)
{
	if (control->leaving)
		return;
	control->leaving = true;
	timer_set(&control->leave_timer, LEAVE_US);
	if (control->subscriber)
		subscriber_leave(control->subscriber, control_on_left, control);
	else
		control_on_left(control);
}

static void
control_on_woken(void *arg)
{
	struct control *control = arg;

	if (atomic_exchange(&control->reload_wanted, false))
		control_do_reload(control);
	if (atomic_exchange(&control->topology_wanted, false))
		topology_follower_read(control->topology);
	if (control->leave_wanted || control->stop_wanted)
		control_do_leave(control);
	control_finish(control);
}

static int
control_open_parts(struct control *control,
    const struct control_options *options, subscriber_set_rules *set_rules,
    void *arg)
{
	control->dialer = dialer_new(control->loop);
	if (!control->dialer)
		return -1;
	if (options->subscriber) {
		control->subscriber = subscriber_new(control->loop,
		    control->dialer, options->subscriber, set_rules, arg);
		if (!control->subscriber)
			return -1;
	}
	if (options->distributor) {
		control->distributor = distributor_new(
		    control->loop, control->dialer, options->distributor);
		if (!control->distributor)
			return -1;
	}
	if (options->topology) {
		control->topology =
		    topology_follower_new(control->loop, control->dialer,
			options->topology, options->topology_events, arg);
		if (!control->topology)
			return -1;
	}
	return 0;
}

static void
control_free_control(struct control *control)
{
	timer_stop(&control->leave_timer);
	distributor_free(control->distributor);
	subscriber_free(control->subscriber);
	topology_follower_free(control->topology);
	dialer_free(control->dialer);
	loop_free(control->loop);
	free(control);
}

struct control *
control_start(const struct control_options *options,
    subscriber_set_rules *set_rules, void *arg)
{
	static const struct loop_events events = {.woken = control_on_woken};
	struct control *control = calloc(1, sizeof(*control));
	int error;

	if (!control)
		return NULL;
	control->loop = loop_new(&events, control);
	if (control->loop)
		timer_init(&control->leave_timer, control->loop,
		    control_on_left, control);
	if (control->loop &&
	    control_open_parts(control, options, set_rules, arg) == 0 &&
	    loop_start(control->loop) == 0)
		return control;
	error = errno;
	control_free_control(control);
	errno = error;
	return NULL;
}

bool
control_is_settled(const struct control *control)
{
	return (!control->subscriber ||
		   subscriber_is_settled(control->subscriber)) &&
	       (!control->topology ||
		   topology_follower_is_settled(control->topology));
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
	return loop_is_alive(control->loop, DEAD_US);
}

void
control_reload(struct control *control)
{
	control->reload_wanted = true;
	loop_wake(control->loop);
}

void
control_read_topology(struct control *control)
{
	control->topology_wanted = true;
	loop_wake(control->loop);
}

void
control_leave(struct control *control)
{
	control->leave_wanted = true;
	loop_wake(control->loop);
}

void
control_stop(struct control *control)
{
	if (!control)
		return;
	control->stop_wanted = true;
	loop_wake(control->loop);
	loop_join(control->loop);
	control_free_control(control);
}
