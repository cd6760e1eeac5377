#include "store/redis/hold.h"

#include "base/clock.h"

/* From one look to the next. */
#define LOOK_US INT64_C(5000)

/* From one time that the record is wanted to the next, in looks: what reads it
 * may not be there yet. */
#define WANT_LOOKS 20

static void
hold_on_timer(void *arg)
{
	struct hold *hold = arg;

	if (topology_seen_since(hold->seen, hold->since_us)) {
		hold->is_over = true;
		hold->events->over(hold->arg);
		return;
	}
	timer_set(&hold->timer, LOOK_US);
	if (++hold->looks % WANT_LOOKS == 0)
		topology_seen_want(hold->seen);
	if (hold->is_late || clock_us() - hold->since_us < hold->patience_us)
		return;
	hold->is_late = true;
	hold->events->late(hold->arg);
}

void
hold_init(struct hold *hold, struct loop *loop)
{
	timer_init(&hold->timer, loop, hold_on_timer, hold);
}

bool
hold_start(struct hold *hold, int64_t since_us)
{
	if (!hold->seen)
		return false;
	if (since_us == hold->since_us)
		return !hold->is_over;
	hold->since_us = since_us;
	hold->is_over = false;
	hold->looks = 0;
	hold->is_late = false;
	timer_set(&hold->timer, LOOK_US);
	topology_seen_want(hold->seen);
	return true;
}

void
hold_skip(struct hold *hold, int64_t since_us)
{
	timer_stop(&hold->timer);
	hold->since_us = since_us;
	hold->is_over = true;
}

void
hold_stop(struct hold *hold)
{
	timer_stop(&hold->timer);
	hold->since_us = 0;
}
