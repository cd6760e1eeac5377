#include "net/dial.h"

#include <errno.h>
#include <event2/dns.h>
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

struct dialer {
	struct event_base *base;
	struct evdns_base *dns;
};

struct dial {
	struct dialer *dialer;
	const struct endpoint *endpoint;
	dial_done *done;
	void *arg;

	struct event start_event;                /* defers the first step */
	struct evdns_getaddrinfo_request *lookup; /* under way, or NULL */
	struct evutil_addrinfo *addresses;       /* what it found */
	struct evutil_addrinfo *next;            /* to be tried next */
	int fd;                                  /* being connected, or -1 */
	struct event connect_event;
	int error;                               /* errno of the last try */
	bool looking_up;
	bool cancelled;
};

void
endpoint_name(const struct endpoint *endpoint, char to[ENDPOINT_NAME_MAX])
{
	if (*endpoint->unix_socket_path)
		snprintf(to, ENDPOINT_NAME_MAX, "%s",
		    endpoint->unix_socket_path);
	else
		snprintf(to, ENDPOINT_NAME_MAX, "%s:%lld", endpoint->host,
		    (long long)endpoint->port);
}

struct dialer *
dialer_new(struct event_base *base)
{
	struct dialer *dialer = calloc(1, sizeof(*dialer));

	if (!dialer)
		return NULL;
	dialer->base = base;
	dialer->dns =
	    evdns_base_new(base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (!dialer->dns) {
		free(dialer);
		return NULL;
	}
	/* What is wrong with the file leaves numbers and /etc/hosts to use. */
	evdns_base_resolv_conf_parse(
	    dialer->dns, DNS_OPTIONS_ALL, "/etc/resolv.conf");
	return dialer;
}

void
dialer_free(struct dialer *dialer)
{
	if (!dialer)
		return;
	/* Let cancelled lookups come back: only then are they freed. */
	event_base_loop(dialer->base, EVLOOP_NONBLOCK);
	evdns_base_free(dialer->dns, 1);
	event_base_loop(dialer->base, EVLOOP_NONBLOCK);
	free(dialer);
}

static void
dial_free(struct dial *dial)
{
	event_del(&dial->start_event);
	if (dial->fd != -1) {
		event_del(&dial->connect_event);
		close(dial->fd);
	}
	if (dial->addresses)
		evutil_freeaddrinfo(dial->addresses);
	free(dial);
}

static void
finish(struct dial *dial, int fd, const char *reason)
{
	dial_done *done = dial->done;
	void *arg = dial->arg;

	dial_free(dial);
	done(fd, reason, arg);
}

static void try_next(struct dial *dial);

static void
on_connected(evutil_socket_t fd, short what, void *arg)
{
	struct dial *dial = arg;
	socklen_t len = sizeof(dial->error);

	(void)what;
	dial->fd = -1;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &dial->error, &len) == -1)
		dial->error = errno;
	if (dial->error == 0) {
		finish(dial, fd, NULL);
	} else {
		close(fd);
		try_next(dial);
	}
}

/* Start connecting; the outcome, also an immediate one, comes as an event. */
static int
try_address(struct dial *dial, const struct sockaddr *address, socklen_t len)
{
	int fd = socket(
	    address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd == -1) {
		dial->error = errno;
		return -1;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	if (connect(fd, address, len) == -1 && errno != EINPROGRESS) {
		dial->error = errno;
		close(fd);
		return -1;
	}
	dial->fd = fd;
	event_assign(&dial->connect_event, dial->dialer->base, fd, EV_WRITE,
	    on_connected, dial);
	event_add(&dial->connect_event, NULL);
	return 0;
}

static void
try_next(struct dial *dial)
{
	while (dial->next) {
		struct evutil_addrinfo *address = dial->next;

		dial->next = address->ai_next;
		if (try_address(dial, address->ai_addr,
			(socklen_t)address->ai_addrlen) == 0)
			return;
	}
	finish(dial, -1, strerror(dial->error));
}

static void
on_looked_up(int error, struct evutil_addrinfo *addresses, void *arg)
{
	struct dial *dial = arg;

	dial->lookup = NULL;
	dial->looking_up = false;
	dial->addresses = dial->next = addresses;
	if (dial->cancelled)
		dial_free(dial);
	else if (error)
		finish(dial, -1, evutil_gai_strerror(error));
	else
		try_next(dial);
}

static void
look_up(struct dial *dial)
{
	const struct evutil_addrinfo hints = {
	    .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct evdns_getaddrinfo_request *lookup;
	char port[8];

	snprintf(port, sizeof(port), "%d", (int)dial->endpoint->port);
	dial->looking_up = true;
	lookup = evdns_getaddrinfo(dial->dialer->dns, dial->endpoint->host,
	    port, &hints, on_looked_up, dial);
	/* NULL: it was answered already, and the dial may be gone. */
	if (lookup)
		dial->lookup = lookup;
}

static void
try_unix(struct dial *dial)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t len = strlen(dial->endpoint->unix_socket_path);

	if (len >= sizeof(address.sun_path)) {
		finish(dial, -1, strerror(ENAMETOOLONG));
		return;
	}
	memcpy(address.sun_path, dial->endpoint->unix_socket_path, len);
	if (try_address(dial, (struct sockaddr *)&address, sizeof(address)))
		finish(dial, -1, strerror(dial->error));
}

static void
on_start(evutil_socket_t fd, short what, void *arg)
{
	struct dial *dial = arg;

	(void)fd;
	(void)what;
	if (*dial->endpoint->unix_socket_path)
		try_unix(dial);
	else
		look_up(dial);
}

struct dial *
dial_start(struct dialer *dialer, const struct endpoint *endpoint,
    dial_done *done, void *arg)
{
	static const struct timeval at_once = {0};
	struct dial *dial = calloc(1, sizeof(*dial));

	if (!dial)
		return NULL;
	dial->dialer = dialer;
	dial->endpoint = endpoint;
	dial->done = done;
	dial->arg = arg;
	dial->fd = -1;
	evtimer_assign(&dial->start_event, dialer->base, on_start, dial);
	evtimer_add(&dial->start_event, &at_once);
	return dial;
}

void
dial_cancel(struct dial *dial)
{
	if (!dial)
		return;
	if (dial->looking_up) {
		/* evdns still calls back, once it let go of the request. */
		dial->cancelled = true;
		evdns_getaddrinfo_cancel(dial->lookup);
	} else {
		dial_free(dial);
	}
}
