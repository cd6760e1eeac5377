/**
 * timer: calls back once, after some microseconds.
 *
 * A timer is a field of its user.
 */
#ifndef NET_TIMER_H
#define NET_TIMER_H

#include "net/loop.h"

#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>

typedef void timer_fired(void *arg);

struct timer {
	struct loop *loop;
	timer_fired *fired;
	void *arg;
	struct event event;
};

/** Prepare ${timer}; it is not set yet. */
void timer_init(
    struct timer *timer, struct loop *loop, timer_fired *fired, void *arg);

/** Have it call ${fired} in ${delay_us}, or in the next turn of the loop if
 * that is not above 0.  Setting it again moves it. */
void timer_set(struct timer *timer, int64_t delay_us);

/** Stop it; no-op if it is not set or all zero. */
void timer_stop(struct timer *timer);

/** Whether it is going to call. */
bool timer_is_set(const struct timer *timer);

#endif
