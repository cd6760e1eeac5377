/**
 * subscription: follows one channel of one server, for as long as it exists.
 *
 * Owns: a link that does nothing else, and PINGs the server regularly: that
 * finds a connection that died silently.  What was published meanwhile is lost;
 * ${subscribed} is called after each such gap.
 */
#ifndef REDIS_SUBSCRIPTION_H
#define REDIS_SUBSCRIPTION_H

#include "base/attr.h"
#include "redis/link.h"

#include <stddef.h>

struct subscription_events {
	/** The server has acknowledged: from now on no message is missed.
	 * Called again after each reconnect. */
	void (*subscribed)(void *arg);

	/** The subscription was lost or refused, or the server cannot be
	 * reached. */
	void (*lost)(void *arg);

	/** A message was published; its bytes are borrowed. */
	void (*message)(const char *bytes, size_t len, void *arg);
};

struct subscription_options {
	const struct link_options *link;
	const char *channel;
};

struct subscription;

/** Start.  What ${options} point to is borrowed.  Nothing is called from
 * within.  NULL: out of memory. */
struct subscription *subscription_new(struct loop *loop, struct dialer *dialer,
    const struct subscription_options *options,
    const struct subscription_events *events, void *arg) MUST_USE;

/** Stop and free; NULL: no-op.  Calls no event.  Do not call it from one. */
void subscription_free(struct subscription *subscription);

#endif
