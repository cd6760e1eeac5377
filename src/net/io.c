#include "net/io.h"

#include "net/event.h"

#include <event2/event.h>

static void
io_on_event(evutil_socket_t fd, short what, void *arg)
{
	struct io *io = arg;

	(void)fd;
	(void)what;
	io->ready(io->arg);
}

void
io_init(struct io *io, struct loop *loop, int fd, enum io_kind kind)
{
	io->loop = loop;
	event_assign(&io->event, loop_base(loop), fd,
	    (short)(EV_PERSIST | (kind == IO_READ ? EV_READ : EV_WRITE)),
	    io_on_event, io);
	event_priority_set(&io->event, EVENT_LAST);
}

void
io_start(struct io *io, io_ready *ready, void *arg)
{
	io->ready = ready;
	io->arg = arg;
	event_add(&io->event, NULL);
}

void
io_hurry(struct io *io)
{
	event_priority_set(&io->event, EVENT_FIRST);
}

void
io_activate(struct io *io)
{
	event_active(&io->event, EV_READ, 0);
}

void
io_stop(struct io *io)
{
	if (io->loop)
		event_del(&io->event);
}
