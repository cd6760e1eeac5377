#include "net/wake.h"

#include "base/log.h"

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void
wake_on_readable(void *arg)
{
	struct wake *wake = arg;
	uint64_t count;

	if (read(wake->fd, &count, sizeof(count)) == -1 && errno != EAGAIN)
		log_error("wake: %m");
	wake->woken(wake->arg);
}

int
wake_open(
    struct wake *wake, struct loop *loop, void (*woken)(void *arg), void *arg)
{
	wake->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (wake->fd == -1)
		return -1;
	wake->woken = woken;
	wake->arg = arg;
	io_init(&wake->io, loop, wake->fd, IO_READ);
	io_hurry(&wake->io);
	io_start(&wake->io, wake_on_readable, wake);
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
	io_stop(&wake->io);
	close(wake->fd);
	wake->fd = -1;
}
