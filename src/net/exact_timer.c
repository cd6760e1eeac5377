#include "net/exact_timer.h"

#include "base/log.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

static void
exact_timer_on_readable(void *arg)
{
	struct exact_timer *timer = arg;
	uint64_t count;

	/* EAGAIN: it was set again meanwhile. */
	if (read(timer->fd, &count, sizeof(count)) == -1) {
		if (errno != EAGAIN)
			log_error("timer: %m");
		return;
	}
	timer->fired(timer->arg);
}

int
exact_timer_open(struct exact_timer *timer, struct loop *loop,
    exact_timer_fired *fired, void *arg)
{
	*timer = (struct exact_timer){.fired = fired, .arg = arg};
	timer->fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (timer->fd == -1)
		return -1;
	io_init(&timer->io, loop, timer->fd, IO_READ);
	io_hurry(&timer->io);
	io_start(&timer->io, exact_timer_on_readable, timer);
	return 0;
}

void
exact_timer_set(struct exact_timer *timer, int64_t delay_us)
{
	struct itimerspec when = {.it_value.tv_nsec = 1};

	if (delay_us > 0) {
		when.it_value.tv_sec = delay_us / 1000000;
		when.it_value.tv_nsec = delay_us % 1000000 * 1000;
	}
	if (timerfd_settime(timer->fd, 0, &when, NULL) == -1)
		log_error("timer: %m");
}

void
exact_timer_close(struct exact_timer *timer)
{
	if (!timer->io.loop)
		return;
	io_stop(&timer->io);
	close(timer->fd);
	timer->io.loop = NULL;
}
