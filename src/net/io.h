/**
 * io: calls back while a descriptor can be read from, or written to.
 *
 * An io is a field of its user, which owns the descriptor.
 */
#ifndef NET_IO_H
#define NET_IO_H

#include "net/loop.h"

#include <event2/event_struct.h>

enum io_kind {
	IO_READ, /* the end and errors included */
	IO_WRITE,
};

typedef void io_ready(void *arg);

struct io {
	struct loop *loop;
	io_ready *ready;
	void *arg;
	struct event event;
};

/** Prepare ${io}; it does not call back yet. */
void io_init(struct io *io, struct loop *loop, int fd, enum io_kind kind);

/** Call ${ready} in each turn of the loop in which the descriptor is ready,
 * until io_stop(). */
void io_start(struct io *io, io_ready *ready, void *arg);

/** Call back before those of clients in each turn, as timers do; before
 * io_start(), or right after. */
void io_hurry(struct io *io);

/** Call back once more, although the descriptor may not be ready, if it is
 * started. */
void io_activate(struct io *io);

/** Stop calling back; no-op if it is stopped or all zero.  Do this before
 * closing the descriptor. */
void io_stop(struct io *io);

#endif
