#include "net/wake.h"

#include "base/log.h"

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct wake *wake = arg;
	uint64_t count;

	(void)what;
	if (read(fd, &count, sizeof(count)) == -1 && errno != EAGAIN)
		log_error("wake: %m");
	wake->woken(wake->arg);
}

int
wake_open(struct wake *wake, struct event_base *base, void (*woken)(void *arg),
    void *arg)
{
	wake->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (wake->fd == -1)
		return -1;
	wake->woken = woken;
	wake->arg = arg;
	event_assign(&wake->event, base, wake->fd, EV_READ | EV_PERSIST,
	    on_readable, wake);
	event_add(&wake->event, NULL);
	return 0;
}

void
wake_up(struct wake *wake)
{
	uint64_t one = 1;

	/* EAGAIN: it was woken 2^64 times and has yet to look. */
	if (write(wake->fd, &one, sizeof(one)) == -1 && errno != EAGAIN)
		log_error("wake: %m");
}

void
wake_close(struct wake *wake)
{
	if (wake->fd == -1)
		return;
	event_del(&wake->event);
	close(wake->fd);
	wake->fd = -1;
}
