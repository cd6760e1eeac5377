#include "net/stream.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

/* Room for output that is kept once all of it is sent. */
#define IDLE_ROOM 65536

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct stream *stream = arg;

	(void)fd;
	(void)what;
	stream->events->readable(stream->arg);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct stream *stream = arg;

	(void)fd;
	(void)what;
	stream->events->writable(stream->arg);
}

void
stream_open(struct stream *stream, struct event_base *base, int fd,
    const struct stream_events *events, void *arg)
{
	*stream = (struct stream){.fd = fd, .events = events, .arg = arg};
	event_assign(&stream->read_event, base, fd, EV_READ | EV_PERSIST,
	    on_readable, stream);
	event_assign(
	    &stream->write_event, base, fd, EV_WRITE, on_writable, stream);
	stream_set_reading(stream, true);
}

ssize_t
stream_read(struct stream *stream, void *to, size_t len)
{
	return read(stream->fd, to, len);
}

ssize_t
stream_peek(struct stream *stream, void *to, size_t len)
{
	return recv(stream->fd, to, len, MSG_PEEK);
}

void
stream_set_reading(struct stream *stream, bool reading)
{
	if (stream->reading == reading)
		return;
	stream->reading = reading;
	if (reading)
		event_add(&stream->read_event, NULL);
	else
		event_del(&stream->read_event);
}

int
stream_flush(struct stream *stream)
{
	struct buf *out = &stream->out;

	while (buf_len(out) > 0) {
		ssize_t sent = send(
		    stream->fd, buf_head(out), buf_len(out), MSG_NOSIGNAL);

		if (sent >= 0) {
			stream->sent += (uint64_t)sent;
			buf_take(out, (size_t)sent);
		} else if (errno == EAGAIN) {
			event_add(&stream->write_event, NULL);
			return 0;
		} else if (errno != EINTR) {
			return -1;
		}
	}
	if (out->cap > IDLE_ROOM)
		buf_free(out);
	return 0;
}

void
stream_shutdown(struct stream *stream)
{
	shutdown(stream->fd, SHUT_WR);
}

int
stream_detach(struct stream *stream)
{
	int fd = stream->fd;

	event_del(&stream->read_event);
	event_del(&stream->write_event);
	buf_free(&stream->out);
	stream->fd = -1;
	return fd;
}

void
stream_close(struct stream *stream)
{
	if (stream->fd != -1)
		close(stream_detach(stream));
}
