/*
 * Accepts clients on one socket.
 * Holds: the listener either waits for clients or, without descriptors, for the
 * end of its pause.
 * The heart is listener_accept_one().
 */
#include "net/listener.h"

#include "base/log.h"
#include "net/io.h"
#include "net/timer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Most clients that listener_accept() lets in. */
#define LET_IN_MAX 4096

#define ACCEPTS_AT_ONCE 64

#define PAUSE_US 100000

struct listener {
	int fd;
	struct io acceptable;
	struct timer pause;
	listener_accepted *accepted;
	void *arg;
	struct log_limiter limiter;
	char address[sizeof(struct sockaddr_un)];
};

static void
listener_describe_address(struct listener *listener)
{
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
		struct sockaddr_storage room;
	} address = {0};
	socklen_t len = sizeof(address);
	char host[INET6_ADDRSTRLEN] = "";
	size_t size = sizeof(listener->address);

	getsockname(listener->fd, &address.any, &len);
	if (address.any.sa_family == AF_INET) {
		inet_ntop(AF_INET, &address.in.sin_addr, host, sizeof(host));
		snprintf(listener->address, size, "%s:%u", host,
		    ntohs(address.in.sin_port));
	} else if (address.any.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &address.in6.sin6_addr, host, sizeof(host));
		snprintf(listener->address, size, "[%s]:%u", host,
		    ntohs(address.in6.sin6_port));
	} else {
		snprintf(listener->address, size, "%s", address.un.sun_path);
	}
}

/* Whether the error concerns only this client, so that the next may be fine: it
 * went away before it was accepted, or the network failed (accept(2), "Error
 * handling"). */
static bool
listener_is_passing(int error)
{
	switch (error) {
	case EINTR:
	case ECONNABORTED:
	case EPERM:
	case EPROTO:
	case ENETDOWN:
	case ENOPROTOOPT:
	case EHOSTDOWN:
	case ENONET:
	case EHOSTUNREACH:
	case EOPNOTSUPP:
	case ENETUNREACH:
		return true;
	}
	return false;
}

/* Accept one client.  Return whether there may be more. */
static bool
listener_accept_one(struct listener *listener)
{
	int on = 1;
	int fd =
	    accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd != -1) {
		/* No Nagle: a response must not wait for the next. */
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		listener->accepted(fd, listener->arg);
		return true;
	}
	if (errno == EAGAIN)
		return false;
	if (listener_is_passing(errno))
		return true;
	log_limited(&listener->limiter, LOG_LEVEL_WARNING,
	    "accepting on %s pauses: %m", listener->address);
	io_stop(&listener->acceptable);
	timer_set(&listener->pause, PAUSE_US);
	return false;
}

static void
listener_on_acceptable(void *arg)
{
	for (int i = 0; i < ACCEPTS_AT_ONCE; i++)
		if (!listener_accept_one(arg))
			return;
}

void
listener_accept(struct listener *listener)
{
	for (int i = 0; i < LET_IN_MAX; i++)
		if (!listener_accept_one(listener))
			return;
}

static void
listener_resume(void *arg)
{
	struct listener *listener = arg;

	io_start(&listener->acceptable, listener_on_acceptable, listener);
}

struct listener *
listener_new(struct loop *loop, int fd, listener_accepted *accepted, void *arg)
{
	struct listener *listener;
	int listens = 0;
	socklen_t len = sizeof(listens);

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == -1)
		return NULL;
	if (!listens) {
		errno = EINVAL;
		return NULL;
	}
	listener = calloc(1, sizeof(*listener));
	if (!listener)
		return NULL;
	listener->fd = fd;
	listener->accepted = accepted;
	listener->arg = arg;
	listener_describe_address(listener);
	io_init(&listener->acceptable, loop, fd, IO_READ);
	timer_init(&listener->pause, loop, listener_resume, listener);
	listener_resume(listener);
	return listener;
}

const char *
listener_address(const struct listener *listener)
{
	return listener->address;
}

void
listener_free(struct listener *listener)
{
	if (!listener)
		return;
	io_stop(&listener->acceptable);
	timer_stop(&listener->pause);
	close(listener->fd);
	free(listener);
}
