/**
 * stream: the bytes of one connection, in and out, without blocking.
 *
 * Owns: the descriptor, the bytes not yet sent.
 * Never: knows what the bytes mean; calls back from within one of its calls.
 *
 * A stream is a field of what uses it.  Output is gathered in ${out} and sent
 * by stream_flush(), once a loop turn, so that a turn costs one write.
 */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include "base/attr.h"
#include "base/buf.h"
#include "net/io.h"
#include "net/tls.h"

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
	int fd;          /* -1: closed */
	struct tls *tls; /* owned; NULL: the bytes are sent as they are */
	struct buf out;  /* to be sent */
	uint64_t sent;   /* bytes sent so far */
	struct io readable;
	struct io writable;
	const struct stream_events *events;
	void *arg;
	bool reading;
	bool writing; /* waits for room */
	bool more;    /* TLS may have something although the socket has not */
	bool held;    /* TLS must read before it sends the rest of ${out} */
};

/** Take over ${fd}, a non-blocking socket; start reading. */
void stream_open(struct stream *stream, struct loop *loop, int fd,
    const struct stream_events *events, void *arg);

/** Have it go before clients (io_hurry()); right after stream_open(). */
void stream_hurry(struct stream *stream);

/** From now on, all of it is sent and received by ${tls}, which is taken over;
 * NULL: as it is. */
void stream_set_tls(struct stream *stream, struct tls *tls);

/** Return its TLS, if it has one, which the caller now owns; before
 * stream_detach(). */
struct tls *stream_take_tls(struct stream *stream);

/** Read up to ${len} bytes.  As read(2): 0 at the end, -1 with errno; EAGAIN
 * and EINTR are for the caller to ignore. */
ssize_t stream_read(struct stream *stream, void *to, size_t len) MUST_USE;

/** The same, and leave the bytes to be read again. */
ssize_t stream_peek(struct stream *stream, void *to, size_t len) MUST_USE;

/** Whether the peer sends no more, or is gone: for one that is not read.  What
 * it has sent before may still be there. */
bool stream_is_ended(const struct stream *stream) MUST_USE;

/** Whether the peer has sent something that was not read yet, or is gone. */
bool stream_has_input(const struct stream *stream) MUST_USE;

/** Whether ${out}, which waits, may go on now.  The loop may not have called
 * back for that yet. */
bool stream_can_send(const struct stream *stream) MUST_USE;

/** Stop or resume calling readable. */
void stream_set_reading(struct stream *stream, bool reading);

/** Send what is in ${out}, as far as it goes; writable is called when more may
 * go.  Return 0, or -1 with errno (the connection is of no use any more). */
int stream_flush(struct stream *stream) MUST_USE;

/** What the errno of a read or a flush means, for people; valid until the next
 * call of this stream. */
const char *stream_error(const struct stream *stream, int error);

/** Tell the peer that nothing more will be sent. */
void stream_shutdown(struct stream *stream);

/** Return the descriptor, which the caller now owns.  All output must have been
 * sent.  Not with TLS, whose state would be lost. */
int stream_detach(struct stream *stream);

/** Close the descriptor and free the bytes; no-op if fd is -1.  Calls back no
 * more. */
void stream_close(struct stream *stream);

#endif
