#include "base/clock.h"

#include <pthread.h>
#include <time.h>

static int64_t offset_us;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static int64_t
read_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void
set_offset(void)
{
	offset_us = read_us(CLOCK_REALTIME) - read_us(CLOCK_BOOTTIME);
}

int64_t
clock_us(void)
{
	pthread_once(&once, set_offset);
	return read_us(CLOCK_BOOTTIME) + offset_us;
}
