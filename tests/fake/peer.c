#include "fake/peer.h"

#include "base/attr.h"
#include "base/buf.h"
#include "fake/fake.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* An argument that is longer is not worth comparing. */
#define ARGUMENT_MAX 60

struct peer {
	int fd;         /* -1: closed */
	struct buf in;  /* received, not looked at */
	struct buf out; /* what the last look was given */
	struct buf all; /* the same, of peer_commands() */
	bool left;      /* the end was read */
};

static struct peer *
peer_of(int fd)
{
	struct peer *peer = calloc(1, sizeof(*peer));

	if (!peer)
		fake_die("out of memory");
	peer->fd = fd;
	return peer;
}

struct peer *
peer_connect(const char *name)
{
	return peer_of(fake_dial_connect(name));
}

struct peer *
peer_accept(const char *name)
{
	struct peer *peer = peer_connect(name);

	fake_run();
	return peer;
}

struct peer *
peer_new(int *fd)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
		ends) == -1)
		fake_die("socketpair: %m");
	*fd = ends[0];
	return peer_of(ends[1]);
}

struct peer *
peer_reach(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct peer *peer = peer_of(fd);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == -1) {
		peer_free(peer);
		return NULL;
	}
	fake_run();
	return peer;
}

void
peer_free(struct peer *peer)
{
	if (!peer)
		return;
	if (peer->fd != -1)
		close(peer->fd);
	buf_free(&peer->in);
	buf_free(&peer->out);
	buf_free(&peer->all);
	free(peer);
}

size_t
peer_try_write(struct peer *peer, const char *bytes, size_t len)
{
	ssize_t sent = send(peer->fd, bytes, len, MSG_NOSIGNAL);

	return sent > 0 ? (size_t)sent : 0;
}

void
peer_write(struct peer *peer, const char *bytes, size_t len)
{
	if (peer_try_write(peer, bytes, len) != len)
		fake_die("a peer cannot write %zu bytes: %m", len);
}

void
peer_say(struct peer *peer, const char *format, ...)
{
	va_list args;
	char *text;
	int len;

	va_start(args, format);
	len = vasprintf(&text, format, args);
	va_end(args);
	if (len == -1)
		fake_die("out of memory");
	peer_write(peer, text, (size_t)len);
	free(text);
	fake_run();
}

/* Read all there is. */
static void
peer_receive(struct peer *peer)
{
	ssize_t len = 1;

	while (peer->fd != -1 && len > 0) {
		char *room = buf_reserve(&peer->in, 4096);

		if (!room)
			fake_die("out of memory");
		len = read(peer->fd, room, 4096);
		if (len > 0)
			buf_commit(&peer->in, (size_t)len);
	}
	if (len == 0 || (len == -1 && errno == ECONNRESET))
		peer->left = true;
	else if (len == -1 && errno != EAGAIN)
		fake_die("a peer cannot read: %m");
}

void
peer_close(struct peer *peer)
{
	peer_receive(peer); /* closing over it would be a reset */
	close(peer->fd);
	peer->fd = -1;
	fake_run();
}

void
peer_reset(struct peer *peer)
{
	char byte;

	if (recv(peer->fd, &byte, 1, MSG_PEEK) != 1)
		fake_die("there is nothing to reset a connection over");
	close(peer->fd);
	peer->fd = -1;
	fake_run();
}

void
peer_shutdown(struct peer *peer)
{
	shutdown(peer->fd, SHUT_WR);
	fake_run();
}

static void
peer_add_out(struct peer *peer, const char *bytes, size_t len)
{
	if (buf_add(&peer->out, bytes, len) == -1)
		fake_die("out of memory");
}

const char *
peer_heard(struct peer *peer)
{
	peer_receive(peer);
	buf_consume(&peer->out, buf_len(&peer->out));
	peer_add_out(peer, buf_data(&peer->in), buf_len(&peer->in));
	peer_add_out(peer, "", 1);
	buf_consume(&peer->in, buf_len(&peer->in));
	return buf_data(&peer->out);
}

void
peer_look(struct peer *const *peers, int count, bool *news)
{
	struct pollfd *polled = calloc((size_t)count + 1, sizeof(*polled));

	if (!polled)
		fake_die("out of memory");
	for (int i = 0; i < count; i++)
		polled[i] =
		    (struct pollfd){.fd = peers[i]->fd, .events = POLLIN};
	if (poll(polled, (nfds_t)count, 0) == -1)
		fake_die("poll: %m");
	for (int i = 0; i < count; i++)
		news[i] = polled[i].revents != 0;
	free(polled);
}

/* Read "${type}NUMBER\r\n" at ${at}.  Return what follows; NULL: it is not
 * whole yet. */
static const char *
peer_read_header(const struct peer *peer, const char *at, char type, long *n)
{
	const char *end = buf_data(&peer->in) + buf_len(&peer->in);
	const char *line_end =
	    at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;

	if (at < end && *at != type)
		fake_die(
		    "a peer was sent no command: '%c' for '%c'", *at, type);
	if (!line_end)
		return NULL;
	*n = strtol(at + 1, NULL, 10);
	return line_end + 1;
}

/* Read an argument at ${at}, and add it to ${out}, after a blank unless it is
 * the first.  As above. */
static const char *
peer_read_argument(struct peer *peer, const char *at, bool blank)
{
	const char *end = buf_data(&peer->in) + buf_len(&peer->in);
	long len;

	at = peer_read_header(peer, at, '$', &len);
	if (!at || end - at < len + 2)
		return NULL;
	if (blank)
		peer_add_out(peer, " ", 1);
	if (len > ARGUMENT_MAX)
		peer_add_out(peer, "...", 3);
	else
		peer_add_out(peer, at, (size_t)len);
	return at + len + 2;
}

/* Read the next command to ${out}.  Return what follows it; NULL: there is none
 * that is whole. */
static const char *
peer_read_command(struct peer *peer)
{
	const char *at;
	long count;

	peer_receive(peer);
	buf_consume(&peer->out, buf_len(&peer->out));
	if (buf_len(&peer->in) == 0)
		return NULL;
	at = peer_read_header(peer, buf_data(&peer->in), '*', &count);
	for (long i = 0; at && i < count; i++)
		at = peer_read_argument(peer, at, i > 0);
	if (at)
		peer_add_out(peer, "", 1);
	return at;
}

const char *
peer_coming(struct peer *peer)
{
	return peer_read_command(peer) ? buf_data(&peer->out) : NULL;
}

const char *
peer_command(struct peer *peer)
{
	const char *end = peer_read_command(peer);

	if (!end)
		return NULL;
	buf_consume(&peer->in, (size_t)(end - buf_data(&peer->in)));
	return buf_data(&peer->out);
}

const char *
peer_commands(struct peer *peer)
{
	const char *command;

	buf_consume(&peer->all, buf_len(&peer->all));
	while ((command = peer_command(peer)))
		if (buf_printf(&peer->all, "%s%s",
			buf_len(&peer->all) > 0 ? ", " : "", command) == -1)
			fake_die("out of memory");
	if (buf_add(&peer->all, "", 1) == -1)
		fake_die("out of memory");
	return buf_data(&peer->all);
}

bool
peer_is_left(struct peer *peer)
{
	peer_receive(peer);
	return peer->left && buf_len(&peer->in) == 0;
}

void
peer_narrow(int fd)
{
	int size = 4096;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) == -1)
		fake_die("SO_SNDBUF: %m");
}

/* Whether it asks for the topology as well. */
static bool
peer_takes_record(struct peer *peer)
{
	const char *command = peer_coming(peer);

	if (!command || strcmp(command, "GET drip:topology") != 0)
		return false;
	peer_command(peer);
	return true;
}

void
peer_greet(struct peer *peer)
{
	static const char *const greeting[] = {"PING", "HELLO 2"};
	static const char greeted[] =
	    "+PONG\r\n*4\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n"
	    "$4\r\nrole\r\n$6\r\nmaster\r\n";

	for (size_t i = 0; i < COUNT(greeting); i++) {
		const char *command = peer_command(peer);

		/* A name may follow. */
		if (!command ||
		    strncmp(command, greeting[i], strlen(greeting[i])) != 0)
			fake_die(
			    "greeted with %s", command ? command : "nothing");
	}
	peer_write(peer, greeted, strlen(greeted));
	peer_say(peer, "%s", peer_takes_record(peer) ? "$-1\r\n" : "");
}
