/**
 * dial: connect to a server by name, without blocking.
 *
 * Looks the name up (evdns: /etc/hosts, then DNS) and tries its addresses one
 * after the other.  Has no deadline of its own: whoever dials sets one, and
 * cancels.
 */
#ifndef NET_DIAL_H
#define NET_DIAL_H

#include "base/attr.h"

#include <event2/event.h>
#include <stdint.h>

/** Where a server is.  The strings are borrowed while it is dialled. */
struct endpoint {
	const char *unix_socket_path; /* not empty: the rest means nothing */
	const char *host;
	int64_t port;
};

/** Room for the longest name of an endpoint. */
#define ENDPOINT_NAME_MAX 300

/** What to call it, for people: the path, or HOST:PORT. */
void endpoint_name(
    const struct endpoint *endpoint, char to[ENDPOINT_NAME_MAX]);

/** Looks names up, for one event base. */
struct dialer;

/** NULL: out of memory. */
struct dialer *dialer_new(struct event_base *base) MUST_USE;

/** Free it, or NULL.  No dial may be open. */
void dialer_free(struct dialer *dialer);

/** An attempt under way. */
struct dial;

/** ${fd} is a connected non-blocking socket, the callee's; or -1, and ${reason}
 * says why.  The dial is gone by now. */
typedef void dial_done(int fd, const char *reason, void *arg);

/** Start connecting.  ${done} is called once, later, never from within.
 * NULL: out of memory. */
struct dial *dial_start(struct dialer *dialer, const struct endpoint *endpoint,
    dial_done *done, void *arg) MUST_USE;

/** Give up an attempt, or NULL; ${done} is not called. */
void dial_cancel(struct dial *dial);

#endif
