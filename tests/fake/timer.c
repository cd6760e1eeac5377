#include "net/timer.h"

#include "fake/fake.h"
#include "fake/turn.h"

static void
timer_call(const void *owner)
{
	const struct timer *timer = owner;

	timer->fired(timer->arg);
}

void
timer_init(
    struct timer *timer, struct loop *loop, timer_fired *fired, void *arg)
{
	timer->loop = loop;
	timer->fired = fired;
	timer->arg = arg;
}

void
timer_set(struct timer *timer, int64_t delay_us)
{
	if (!timer->loop)
		fake_die("a timer is set that was not made ready");
	turn_add(timer->loop,
	    &(struct due){
		.owner = timer,
		.call = timer_call,
		.at_us = fake_now_us() + (delay_us > 0 ? delay_us : 0),
		.fd = -1,
	    });
}

void
timer_stop(struct timer *timer)
{
	if (timer->loop)
		turn_remove(timer->loop, timer);
}

bool
timer_is_set(const struct timer *timer)
{
	return timer->loop && turn_has(timer->loop, timer);
}
