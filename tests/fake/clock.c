#include "base/clock.h"

#include "fake/fake.h"
#include "fake/turn.h"

static int64_t now_us = FAKE_START_US;
static int64_t look_us;

int64_t
clock_us(void)
{
	now_us += look_us;
	return now_us;
}

/* The loops on other threads turn meanwhile. */
void
clock_sleep(int64_t us)
{
	fake_pass(us);
}

int64_t
fake_now_us(void)
{
	return now_us;
}

void
fake_set_now_us(int64_t us)
{
	now_us = us;
}

void
fake_stall(int64_t us)
{
	now_us += us;
}

void
fake_look_takes(int64_t us)
{
	look_us = us;
}

/* No one sets the wall clock. */
int64_t
clock_shift_us(void)
{
	return 0;
}
