/**
 * timer: an event of libevent that goes off after some microseconds.
 */
#ifndef NET_TIMER_H
#define NET_TIMER_H

#include <event2/event.h>
#include <stdint.h>

/** Have ${timer}, assigned before, go off in ${delay_us}, or as soon as may be
 * if that is not above 0.  Setting it again moves it. */
static inline void
timer_set(struct event *timer, int64_t delay_us)
{
	struct timeval delay = {0};

	if (delay_us > 0) {
		delay.tv_sec = delay_us / 1000000;
		delay.tv_usec = delay_us % 1000000;
	}
	evtimer_add(timer, &delay);
}

#endif
