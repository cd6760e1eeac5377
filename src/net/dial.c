/*
 * A dial appends the addresses that look-ups find to its list, and tries them
 * in order; dial_go_on() decides what comes next.  Holds: attempts[0..tried)
 * were started, and ${open} of them are still connecting; the others have an fd
 * of -1.  The heart is dial_go_on() and dial_on_connected().
 */
#include "net/dial.h"

#include "net/io.h"
#include "net/resolver.h"
#include "net/timer.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Longest wait for an address before the next one is tried beside it. */
#define STAGGER_MAX_US INT64_C(250000)

/* Number of addresses tried within the time-out, if none replies. */
#define TRIES_A_TIMEOUT 4

#define FAMILIES  2
#define TRIES_MAX (FAMILIES * RESOLVER_ADDRESSES_MAX)

struct dialer {
	struct loop *loop;
	struct resolver *resolver;
};

/* The look-up of one family. */
struct question {
	struct dial *dial;
	struct lookup *lookup; /* under way, or NULL */
	const char *reason;    /* why nothing was found, or NULL */
	bool is_ours;          /* for want of something here */
};

/* One address. */
struct attempt {
	struct dial *dial;
	struct address address;
	int fd; /* being connected, or -1 */
	struct io connected;
};

struct dial {
	struct dialer *dialer;
	struct dial_options options;
	dial_done *done;
	void *arg;

	struct timer timeout;
	struct timer next; /* calls dial_go_on(): at the start, or after a slow
			      attempt */
	bool started;
	bool is_given; /* the endpoint is an address, not a name */
	struct question questions[FAMILIES]; /* IPv4 first */
	struct attempt attempts[TRIES_MAX];
	size_t known, tried, open;
	size_t ours; /* of those tried: failed for want of something here */
	char reason[300]; /* how attempts failed */
};

static const int families[FAMILIES] = {AF_INET, AF_INET6};

struct dialer *
dialer_new(struct loop *loop)
{
	struct dialer *dialer = calloc(1, sizeof(*dialer));

	if (!dialer)
		return NULL;
	dialer->loop = loop;
	dialer->resolver = resolver_new(loop);
	if (!dialer->resolver) {
		free(dialer);
		return NULL;
	}
	return dialer;
}

void
dialer_free(struct dialer *dialer)
{
	if (!dialer)
		return;
	resolver_free(dialer->resolver);
	free(dialer);
}

/* Return its socket, which the caller now owns. */
static int
attempt_take(struct attempt *attempt)
{
	int fd = attempt->fd;

	io_stop(&attempt->connected);
	attempt->fd = -1;
	attempt->dial->open--;
	return fd;
}

static void
dial_free(struct dial *dial)
{
	timer_stop(&dial->timeout);
	timer_stop(&dial->next);
	for (size_t i = 0; i < FAMILIES; i++)
		lookup_cancel(dial->questions[i].lookup);
	for (size_t i = 0; i < dial->tried; i++)
		if (dial->attempts[i].fd != -1)
			close(attempt_take(&dial->attempts[i]));
	free(dial);
}

static void
dial_succeed(struct dial *dial, int fd)
{
	dial_done *done = dial->done;
	void *arg = dial->arg;

	dial_free(dial);
	done(fd, NULL, arg);
}

static bool
dial_is_looking(const struct dial *dial)
{
	return dial->questions[0].lookup || dial->questions[1].lookup;
}

/* Why no address is known. */
static void
dial_explain_lookup(struct dial *dial)
{
	const char *reason = dial_is_looking(dial) ? "no reply in time"
						   : dial->questions[0].reason;

	snprintf(dial->reason, sizeof(dial->reason), "look-up: %s", reason);
}

/* Whether the server's address may be as good as any. */
static bool
dial_is_ours(const struct dial *dial)
{
	return dial->known ? dial->ours > 0 && dial->ours == dial->tried
			   : dial->questions[0].is_ours;
}

static void
dial_fail(struct dial *dial)
{
	dial_done *done = dial->done;
	void *arg = dial->arg;
	char reason[sizeof(dial->reason)];
	struct dial_failure failure = {dial->known ? DIAL_CONNECT : DIAL_LOOKUP,
	    reason, dial_is_ours(dial)};

	if (!*dial->reason)
		dial_explain_lookup(dial);
	memcpy(reason, dial->reason, sizeof(reason));
	dial_free(dial);
	done(-1, &failure, arg);
}

/* Append to the reason how this attempt failed. */
static void
attempt_explain(const struct attempt *attempt, const char *text)
{
	struct dial *dial = attempt->dial;
	const struct address *address = &attempt->address;
	size_t len = strlen(dial->reason);
	char host[NI_MAXHOST] = "?";

	if (dial->is_given) {
		snprintf(
		    dial->reason, sizeof(dial->reason), "connect: %s", text);
		return;
	}
	getnameinfo((const struct sockaddr *)&address->storage, address->len,
	    host, sizeof(host), NULL, 0, NI_NUMERICHOST);
	snprintf(dial->reason + len, sizeof(dial->reason) - len, "%s%s: %s",
	    len ? ", " : "connect to ", host, text);
}

static void dial_go_on(struct dial *dial);

static void
dial_on_connected(void *arg)
{
	struct attempt *attempt = arg;
	struct dial *dial = attempt->dial;
	int fd = attempt_take(attempt);
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		error = errno;
	if (error == 0) {
		dial_succeed(dial, fd);
	} else {
		close(fd);
		attempt_explain(attempt, strerror(error));
		dial_go_on(dial);
	}
}

/* A socket that is being connected, or -1 with errno. */
static int
attempt_connect(const struct address *address)
{
	int fd = socket(address->storage.ss_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;
	int error;

	if (fd == -1)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	if (connect(fd, (const struct sockaddr *)&address->storage,
		address->len) == 0 ||
	    errno == EINPROGRESS)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

/* Whether it is this machine, or this process, that lacks something. */
static bool
attempt_is_ours(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM ||
	       error == ENOBUFS || error == EADDRNOTAVAIL;
}

/* The outcome arrives as an event, even if it is immediate. */
static int
attempt_start(struct attempt *attempt)
{
	struct dial *dial = attempt->dial;

	attempt->fd = attempt_connect(&attempt->address);
	if (attempt->fd == -1) {
		dial->ours += attempt_is_ours(errno);
		attempt_explain(attempt, strerror(errno));
		return -1;
	}
	dial->open++;
	io_init(&attempt->connected, dial->dialer->loop, attempt->fd, IO_WRITE);
	io_hurry(&attempt->connected);
	io_start(&attempt->connected, dial_on_connected, attempt);
	return 0;
}

static int64_t
dial_stagger_us(const struct dial *dial)
{
	int64_t share_us = dial->options.timeout_us / TRIES_A_TIMEOUT;

	return share_us < STAGGER_MAX_US ? share_us : STAGGER_MAX_US;
}

/* Try the next address or, if that fails at once, the one after it.  If none is
 * left, wait: for open attempts, for the look-up if no address is known yet, or
 * a short while for more addresses. */
static void
dial_go_on(struct dial *dial)
{
	timer_stop(&dial->next);
	while (dial->tried < dial->known)
		if (attempt_start(&dial->attempts[dial->tried++]) == 0)
			break;
	if (dial->tried < dial->known ||
	    (dial->open == 0 && dial->known > 0 && dial_is_looking(dial)))
		timer_set(&dial->next, dial_stagger_us(dial));
	else if (dial->open == 0 && !dial_is_looking(dial))
		dial_fail(dial);
}

static void
dial_add(struct dial *dial, const struct address *address)
{
	struct attempt *attempt = &dial->attempts[dial->known++];
	in_port_t port = htons((in_port_t)dial->options.endpoint->port);

	attempt->dial = dial;
	attempt->address = *address;
	attempt->fd = -1;
	if (address->storage.ss_family == AF_INET)
		((struct sockaddr_in *)&attempt->address.storage)->sin_port =
		    port;
	else if (address->storage.ss_family == AF_INET6)
		((struct sockaddr_in6 *)&attempt->address.storage)->sin6_port =
		    port;
}

/* IPv6 addresses that are found first wait a little for IPv4. */
static void
dial_on_looked_up(const struct found *found, void *arg)
{
	struct question *question = arg;
	struct dial *dial = question->dial;
	bool is_first = question == &dial->questions[0];

	question->lookup = NULL;
	question->reason = found->reason;
	question->is_ours = found->is_ours;
	for (size_t i = 0; i < found->count; i++)
		dial_add(dial,
		    &found->addresses[(dial->options.turn + i) % found->count]);
	if (dial->open == 0 && (is_first || !dial->questions[0].lookup))
		dial_go_on(dial);
	else if (found->count > 0 && !timer_is_set(&dial->next))
		timer_set(&dial->next, dial_stagger_us(dial));
}

static void
dial_ask(struct dial *dial)
{
	const char *host = dial->options.endpoint->host;

	for (size_t i = 0; i < FAMILIES; i++) {
		struct question *question = &dial->questions[i];

		question->dial = dial;
		question->lookup = lookup_start(dial->dialer->resolver, host,
		    families[i], dial_on_looked_up, question);
		question->is_ours = !question->lookup;
		if (!question->lookup)
			question->reason = strerror(ENOMEM);
	}
}

/* A numeric address needs no look-up.  Return whether the host is one. */
static bool
dial_add_number(struct dial *dial)
{
	const struct addrinfo hints = {
	    .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
	struct addrinfo *list;
	struct address address = {0};

	if (getaddrinfo(dial->options.endpoint->host, NULL, &hints, &list))
		return false;
	memcpy(&address.storage, list->ai_addr, list->ai_addrlen);
	address.len = list->ai_addrlen;
	freeaddrinfo(list);
	dial->is_given = true;
	dial_add(dial, &address);
	return true;
}

static void
dial_add_unix(struct dial *dial)
{
	const char *path = dial->options.endpoint->unix_socket_path;
	struct address address = {.len = sizeof(struct sockaddr_un)};
	struct sockaddr_un *un = (struct sockaddr_un *)&address.storage;

	dial->is_given = true;
	un->sun_family = AF_UNIX;
	if (strlen(path) < sizeof(un->sun_path)) {
		strcpy(un->sun_path, path);
		dial_add(dial, &address);
	} else {
		snprintf(dial->reason, sizeof(dial->reason), "connect: %s",
		    strerror(ENAMETOOLONG));
	}
}

static void
dial_on_next(void *arg)
{
	struct dial *dial = arg;

	if (!dial->started) {
		dial->started = true;
		if (*dial->options.endpoint->unix_socket_path)
			dial_add_unix(dial);
		else if (!dial_add_number(dial))
			dial_ask(dial);
		dial_go_on(dial);
	} else if (dial->tried < dial->known) {
		dial_go_on(dial);
	} else {
		dial_fail(dial); /* more addresses would have come by now */
	}
}

static void
dial_on_timeout(void *arg)
{
	struct dial *dial = arg;

	for (size_t i = 0; i < dial->tried; i++)
		if (dial->attempts[i].fd != -1)
			attempt_explain(&dial->attempts[i], "no reply in time");
	dial_fail(dial);
}

struct dial *
dial_start(struct dialer *dialer, const struct dial_options *options,
    dial_done *done, void *arg)
{
	struct dial *dial = calloc(1, sizeof(*dial));

	if (!dial)
		return NULL;
	dial->dialer = dialer;
	dial->options = *options;
	dial->done = done;
	dial->arg = arg;
	timer_init(&dial->timeout, dialer->loop, dial_on_timeout, dial);
	timer_init(&dial->next, dialer->loop, dial_on_next, dial);
	timer_set(&dial->timeout, options->timeout_us);
	timer_set(&dial->next, 0);
	return dial;
}

void
dial_cancel(struct dial *dial)
{
	if (dial)
		dial_free(dial);
}
