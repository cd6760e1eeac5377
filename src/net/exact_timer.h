/**
 * exact_timer: calls back once, to some microseconds.
 *
 * A timer (timer.h) costs nothing to set, but may be late, and early, by a tick
 * of the kernel, 4 ms on most machines.  This one costs a system call to set,
 * and a descriptor.  It is a field of its user.
 */
#ifndef NET_EXACT_TIMER_H
#define NET_EXACT_TIMER_H

#include "base/attr.h"
#include "net/io.h"

#include <stdint.h>

typedef void exact_timer_fired(void *arg);

/** All zero: not open. */
struct exact_timer {
	struct io io;
	int fd;
	exact_timer_fired *fired;
	void *arg;
};

/** Open it; it is not set yet.  Return 0, or -1 with errno. */
int exact_timer_open(struct exact_timer *timer, struct loop *loop,
    exact_timer_fired *fired, void *arg) MUST_USE;

/** Have it call ${fired} in ${delay_us}, or in the next turn of the loop if
 * that is not above 0.  Setting it again moves it. */
void exact_timer_set(struct exact_timer *timer, int64_t delay_us);

/** Stop and close it; no-op if it is not open. */
void exact_timer_close(struct exact_timer *timer);

#endif
