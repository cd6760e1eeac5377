#include "net/io.h"

#include "fake/fake.h"
#include "fake/turn.h"

#include <poll.h>

static void
io_call(const void *owner)
{
	const struct io *io = owner;

	io->ready(io->arg);
}

/* The event of libevent only stores the descriptor, the kind and the
 * order. */
void
io_init(struct io *io, struct loop *loop, int fd, enum io_kind kind)
{
	io->loop = loop;
	io->event.ev_fd = fd;
	io->event.ev_events = kind == IO_READ ? POLLIN : POLLOUT;
	io->event.ev_evcallback.evcb_pri = 1;
}

void
io_start(struct io *io, io_ready *ready, void *arg)
{
	if (!io->loop)
		fake_die("an io is started that was not made ready");
	io->ready = ready;
	io->arg = arg;
	turn_add(io->loop, &(struct due){
			       .owner = io,
			       .call = io_call,
			       .fd = io->event.ev_fd,
			       .events = io->event.ev_events,
			       .hurries = io->event.ev_evcallback.evcb_pri == 0,
			   });
}

/* It may be started already. */
void
io_hurry(struct io *io)
{
	io->event.ev_evcallback.evcb_pri = 0;
	if (turn_has(io->loop, io))
		io_start(io, io->ready, io->arg);
}

void
io_activate(struct io *io)
{
	(void)io; /* only TLS needs it, and no test of states has it */
}

void
io_stop(struct io *io)
{
	if (io->loop)
		turn_remove(io->loop, io);
}
