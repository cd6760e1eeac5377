#include "net/listener.h"

#include "base/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event_struct.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG          4096
#define ACCEPTS_AT_ONCE  64

static const struct timeval pause_time = {.tv_usec = 100000};

struct listener {
	int fd;
	struct event accept_event;
	struct event resume_event;
	listener_accepted *accepted;
	void *arg;
	struct log_pace pace;
	char address[sizeof(struct sockaddr_un)];
};

static int
bind_and_listen(int family, const struct sockaddr *address, socklen_t len)
{
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;
	int error;

	if (fd == -1)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, address, len) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

int
listen_tcp(const char *text)
{
	struct sockaddr_storage address;
	int len = sizeof(address);

	if (evutil_parse_sockaddr_port(
		text, (struct sockaddr *)&address, &len) == -1) {
		errno = EINVAL;
		return -1;
	}
	return bind_and_listen(
	    address.ss_family, (struct sockaddr *)&address, (socklen_t)len);
}

/* Whether the socket file was left behind by a process that is gone. */
static bool
is_abandoned(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool abandoned;

	if (fd == -1)
		return false;
	abandoned = connect(fd, (const struct sockaddr *)address,
			sizeof(*address)) == -1 &&
		    errno == ECONNREFUSED;
	close(fd);
	return abandoned;
}

int
listen_unix(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const struct sockaddr *any = (const struct sockaddr *)&address;
	int fd;

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path));
	fd = bind_and_listen(AF_UNIX, any, sizeof(address));
	if (fd == -1 && errno == EADDRINUSE) {
		if (is_abandoned(&address))
			unlink(path);
		fd = bind_and_listen(AF_UNIX, any, sizeof(address));
	}
	return fd;
}

static void
describe_address(struct listener *listener)
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

/* The client went away before it was accepted, or the network had something to
 * say about it (accept(2), "Error handling"): the next one may be fine. */
static bool
is_passing(int error)
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
accept_one(struct listener *listener)
{
	int on = 1;
	int fd = accept4(
	    listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd != -1) {
		/* No Nagle: an answer must not wait for the next. */
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		listener->accepted(fd, listener->arg);
		return true;
	}
	if (errno == EAGAIN)
		return false;
	if (is_passing(errno))
		return true;
	if (log_is_due(&listener->pace))
		log_warning("accepting on %s pauses: %m", listener->address);
	event_del(&listener->accept_event);
	event_add(&listener->resume_event, &pause_time);
	return false;
}

static void
on_acceptable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	for (int i = 0; i < ACCEPTS_AT_ONCE; i++)
		if (!accept_one(arg))
			return;
}

void
listener_accept(struct listener *listener)
{
	for (int i = 0; i < BACKLOG; i++)
		if (!accept_one(listener))
			return;
}

static void
on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct listener *listener = arg;

	(void)fd;
	(void)what;
	event_add(&listener->accept_event, NULL);
}

struct listener *
listener_new(struct event_base *base, int fd, listener_accepted *accepted,
    void *arg)
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
	describe_address(listener);
	event_assign(&listener->accept_event, base, fd, EV_READ | EV_PERSIST,
	    on_acceptable, listener);
	evtimer_assign(&listener->resume_event, base, on_resume, listener);
	event_add(&listener->accept_event, NULL);
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
	event_del(&listener->accept_event);
	event_del(&listener->resume_event);
	close(listener->fd);
	free(listener);
}
