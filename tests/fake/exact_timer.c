#include "net/exact_timer.h"

#include "fake/fake.h"
#include "fake/turn.h"

static void
exact_timer_call(const void *owner)
{
	const struct exact_timer *timer = owner;

	timer->fired(timer->arg);
}

int
exact_timer_open(struct exact_timer *timer, struct loop *loop,
    exact_timer_fired *fired, void *arg)
{
	*timer = (struct exact_timer){
	    .io.loop = loop, .fd = -1, .fired = fired, .arg = arg};
	return 0;
}

void
exact_timer_set(struct exact_timer *timer, int64_t delay_us)
{
	turn_add(timer->io.loop,
	    &(struct due){
		.owner = timer,
		.call = exact_timer_call,
		.at_us = fake_now_us() + (delay_us > 0 ? delay_us : 0),
		.fd = -1,
	    });
}

void
exact_timer_close(struct exact_timer *timer)
{
	if (timer->io.loop)
		turn_remove(timer->io.loop, timer);
	timer->io.loop = NULL;
}
