/**
 * dial: connect to a server by name, without blocking.
 *
 * Looks the name up (resolver.h), IPv4 and IPv6 apart, and connects to its
 * addresses in turn.  If one does not reply within a quarter of the time-out,
 * at most 250 ms, the next is tried beside it (RFC 8305, but IPv4 first, like
 * the dripgate tool).  The first to connect wins.
 */
#ifndef NET_DIAL_H
#define NET_DIAL_H

#include "base/attr.h"
#include "net/endpoint.h"
#include "net/loop.h"

#include <stdbool.h>
#include <stdint.h>

/** Dials from one loop. */
struct dialer;

/** NULL with errno. */
struct dialer *dialer_new(struct loop *loop) MUST_USE;

/** Free it; NULL: no-op.  No dial may be open. */
void dialer_free(struct dialer *dialer);

struct dial_options {
	const struct endpoint *endpoint; /* borrowed while it is dialled */
	int64_t timeout_us;              /* for all of it */
	unsigned
	    turn; /* number of the attempt: each starts at another address */
};

enum dial_step {
	DIAL_LOOKUP,
	DIAL_CONNECT,
};

/** Which step failed, and why: "look-up: Name or service not known", "connect
 * to 10.0.0.1: Connection refused".  Valid during the callback. */
struct dial_failure {
	enum dial_step step;
	const char *reason;
	bool is_ours; /* no descriptor, memory, port here: no address failed */
};

/** An attempt under way. */
struct dial;

/** Either ${fd} is a connected non-blocking socket, which the callee owns, and
 * ${failure} is NULL; or ${fd} is -1 and ${failure} says why.  The dial is
 * already freed. */
typedef void dial_done(int fd, const struct dial_failure *failure, void *arg);

/** Start connecting.  ${done} is called once, later, never from within.
 * NULL: out of memory. */
struct dial *dial_start(struct dialer *dialer,
    const struct dial_options *options, dial_done *done, void *arg) MUST_USE;

/** Give up an attempt; NULL: no-op.  ${done} is not called. */
void dial_cancel(struct dial *dial);

#endif
