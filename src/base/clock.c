#include "base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

/* Two clocks read within this time of each other are good enough. */
#define APART_MAX_US 1000
#define TRIES        10

static int64_t offset_us;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static int64_t
clock_read_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* The wall clock minus the machine's clock.  Of several tries, take the one
 * during which the least time passed. */
static int64_t
clock_read_offset_us(void)
{
	int64_t best_us = INT64_MAX, offset = 0;

	for (int i = 0; i < TRIES && best_us > APART_MAX_US; i++) {
		int64_t before_us = clock_read_us(CLOCK_BOOTTIME);
		int64_t wall_us = clock_read_us(CLOCK_REALTIME);
		int64_t apart_us = clock_read_us(CLOCK_BOOTTIME) - before_us;

		if (apart_us < best_us) {
			best_us = apart_us;
			offset = wall_us - before_us;
		}
	}
	return offset;
}

static void
clock_set_offset(void)
{
	offset_us = clock_read_offset_us();
}

int64_t
clock_us(void)
{
	pthread_once(&once, clock_set_offset);
	return clock_read_us(CLOCK_BOOTTIME) + offset_us;
}

int64_t
clock_shift_us(void)
{
	pthread_once(&once, clock_set_offset);
	return clock_read_offset_us() - offset_us;
}

void
clock_sleep(int64_t us)
{
	struct timespec ts = {us / 1000000, us % 1000000 * 1000};

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &ts) == EINTR)
		;
}
