#include "net/timer.h"

#include "net/event.h"

#include <event2/event.h>
#include <sys/time.h>

static void
timer_on_event(evutil_socket_t fd, short what, void *arg)
{
	struct timer *timer = arg;

	(void)fd;
	(void)what;
	timer->fired(timer->arg);
}

void
timer_init(
    struct timer *timer, struct loop *loop, timer_fired *fired, void *arg)
{
	timer->loop = loop;
	timer->fired = fired;
	timer->arg = arg;
	evtimer_assign(&timer->event, loop_base(loop), timer_on_event, timer);
	event_priority_set(&timer->event, EVENT_FIRST);
}

void
timer_set(struct timer *timer, int64_t delay_us)
{
	struct timeval delay = {0};

	if (delay_us > 0) {
		delay.tv_sec = delay_us / 1000000;
		delay.tv_usec = delay_us % 1000000;
	}
	evtimer_add(&timer->event, &delay);
}

void
timer_stop(struct timer *timer)
{
	if (timer->loop)
		evtimer_del(&timer->event);
}

bool
timer_is_set(const struct timer *timer)
{
	return timer->loop && evtimer_pending(&timer->event, NULL);
}
