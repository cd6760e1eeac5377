/**
 * stream: the bytes of one connection, in and out, without blocking.
 *
 * Owns: the descriptor, its two events, the bytes not yet sent.
 * Never: knows what the bytes mean; calls back from within one of its calls.
 *
 * A stream is a field of what uses it.  Output is gathered in ${out} and sent
 * by stream_flush(), once a loop turn, so that a turn costs one write.
 */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include "base/attr.h"
#include "base/buf.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct stream_events {
	/** There is something to read, the end and errors included. */
	void (*readable)(void *arg);

	/** After stream_flush() left bytes behind: there is room to write. */
	void (*writable)(void *arg);
};

struct stream {
	int fd;                             /* -1: closed */
	struct buf out;                     /* to be sent */
	uint64_t sent;                      /* bytes that were, so far */
	struct event read_event;
	struct event write_event;
	const struct stream_events *events;
	void *arg;
	bool reading;
};

/** Take over ${fd}, a non-blocking socket; start reading. */
void stream_open(struct stream *stream, struct event_base *base, int fd,
    const struct stream_events *events, void *arg);

/** Read up to ${len} bytes.  As read(2): 0 at the end, -1 with errno; EAGAIN
 * and EINTR are for the caller to ignore. */
ssize_t stream_read(struct stream *stream, void *to, size_t len) MUST_USE;

/** The same, and leave the bytes to be read again. */
ssize_t stream_peek(struct stream *stream, void *to, size_t len) MUST_USE;

/** Stop or resume calling readable. */
void stream_set_reading(struct stream *stream, bool reading);

/** Send what is in ${out}, as far as it goes; writable is called when more may
 * go.  Return 0, or -1 with errno (the connection is of no use any more). */
int stream_flush(struct stream *stream) MUST_USE;

/** Say that nothing more will be sent. */
void stream_shutdown(struct stream *stream);

/** Let go of the descriptor, the caller's from now on, with nothing unsent. */
int stream_detach(struct stream *stream);

/** Close the descriptor and free the bytes; closed or zeroed with fd -1: no-op.
 * Nothing is called afterwards. */
void stream_close(struct stream *stream);

#endif
