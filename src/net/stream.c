/*
 * Moves the bytes of one connection, as they are or by TLS.
 * Output that was taken is sent in order, or the connection is of no use.
 * The heart is stream_flush(), and stream_read_tls() for TLS.
 */
#include "net/stream.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Largest buffer that is kept once nearly all output is sent. */
#define IDLE_ROOM 16384

void
stream_open(struct stream *stream, struct loop *loop, int fd,
    const struct stream_events *events, void *arg)
{
	*stream = (struct stream){.fd = fd, .events = events, .arg = arg};
	io_init(&stream->readable, loop, fd, IO_READ);
	io_init(&stream->writable, loop, fd, IO_WRITE);
	stream_set_reading(stream, true);
}

void
stream_hurry(struct stream *stream)
{
	io_hurry(&stream->readable);
	io_hurry(&stream->writable);
}

/* What TLS holds makes no descriptor ready. */
static void
stream_note_more(struct stream *stream, bool more)
{
	stream->more = more;
	if (more && stream->reading)
		io_activate(&stream->readable);
}

void
stream_set_tls(struct stream *stream, struct tls *tls)
{
	stream->tls = tls;
	/* It may have read what the stream before it left. */
	stream_note_more(stream, tls != NULL);
}

struct tls *
stream_take_tls(struct stream *stream)
{
	struct tls *tls = stream->tls;

	stream->tls = NULL;
	return tls;
}

void
stream_set_reading(struct stream *stream, bool reading)
{
	if (stream->reading == reading)
		return;
	stream->reading = reading;
	if (!reading) {
		io_stop(&stream->readable);
		return;
	}
	io_start(&stream->readable, stream->events->readable, stream->arg);
	stream_note_more(stream, stream->more);
}

static void stream_set_writing(struct stream *stream, bool writing);

/* TLS may have to send before it can read on. */
static void
stream_on_writable(void *arg)
{
	struct stream *stream = arg;

	if (buf_len(&stream->out) > 0) {
		stream->events->writable(stream->arg);
	} else {
		stream_set_writing(stream, false);
		stream->events->readable(stream->arg);
	}
}

static void
stream_set_writing(struct stream *stream, bool writing)
{
	if (stream->writing == writing)
		return;
	stream->writing = writing;
	if (writing)
		io_start(&stream->writable, stream_on_writable, stream);
	else
		io_stop(&stream->writable);
}

/* TLS reads and writes in turns: what it has read may let it send, and a read
 * may wait for room to write.  If it has returned ${most} or more, there may be
 * more. */
static ssize_t
stream_read_tls(struct stream *stream, ssize_t len, size_t most)
{
	bool wants_write =
	    len == -1 && errno == EAGAIN && tls_wants_write(stream->tls);
	int error = errno;

	if (stream->held || wants_write)
		stream_set_writing(stream, true);
	stream->held = false;
	stream_note_more(stream, len >= (ssize_t)most);
	errno = error;
	return len;
}

ssize_t
stream_read(struct stream *stream, void *to, size_t len)
{
	if (stream->tls)
		return stream_read_tls(
		    stream, tls_read(stream->tls, to, len), len);
	return read(stream->fd, to, len);
}

ssize_t
stream_peek(struct stream *stream, void *to, size_t len)
{
	if (stream->tls)
		return stream_read_tls(
		    stream, tls_peek(stream->tls, to, len), 1);
	return recv(stream->fd, to, len, MSG_PEEK);
}

/* Errors are always looked for. */
static bool
stream_poll(const struct stream *stream, short events)
{
	struct pollfd poll_fd = {.fd = stream->fd, .events = events};

	return poll(&poll_fd, 1, 0) == 1;
}

bool
stream_is_ended(const struct stream *stream)
{
	return stream_poll(stream, POLLRDHUP);
}

bool
stream_has_input(const struct stream *stream)
{
	return stream_poll(stream, POLLIN);
}

bool
stream_can_send(const struct stream *stream)
{
	return stream_poll(stream, stream->held ? POLLIN : POLLOUT);
}

static ssize_t
stream_send(struct stream *stream)
{
	const struct buf *out = &stream->out;

	if (stream->tls)
		return tls_write(stream->tls, buf_data(out), buf_len(out));
	return send(stream->fd, buf_data(out), buf_len(out), MSG_NOSIGNAL);
}

/* Nothing more can be sent now. */
static void
stream_wait(struct stream *stream)
{
	buf_trim(&stream->out, IDLE_ROOM);
	stream->held = stream->tls && !tls_wants_write(stream->tls);
	stream_set_writing(stream, !stream->held);
}

int
stream_flush(struct stream *stream)
{
	struct buf *out = &stream->out;

	while (buf_len(out) > 0) {
		ssize_t sent = stream_send(stream);

		if (sent >= 0) {
			stream->sent += (uint64_t)sent;
			buf_consume(out, (size_t)sent);
		} else if (errno == EAGAIN) {
			stream_wait(stream);
			return 0;
		} else if (errno != EINTR) {
			return -1;
		}
	}
	stream_set_writing(stream, false);
	buf_trim(out, IDLE_ROOM);
	return 0;
}

const char *
stream_error(const struct stream *stream, int error)
{
	return stream->tls && error == EPROTO ? tls_reason(stream->tls)
					      : strerror(error);
}

void
stream_shutdown(struct stream *stream)
{
	if (stream->tls)
		tls_shutdown(stream->tls);
	shutdown(stream->fd, SHUT_WR);
}

int
stream_detach(struct stream *stream)
{
	int fd = stream->fd;

	assert(!stream->tls);
	stream_set_reading(stream, false);
	stream_set_writing(stream, false);
	buf_free(&stream->out);
	stream->fd = -1;
	return fd;
}

void
stream_close(struct stream *stream)
{
	if (stream->fd == -1)
		return;
	if (stream->tls)
		tls_shutdown(stream->tls);
	tls_free(stream->tls);
	stream->tls = NULL;
	close(stream_detach(stream));
}
