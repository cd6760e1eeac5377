/**
 * subscription: one channel of one server, subscribed to for ever.
 *
 * Owns: a link that does nothing else.  It is tried now and then with a PING,
 * so that a connection that died in silence is found out; what was published
 * meanwhile is lost, and ${subscribed} says that it may have been.
 */
#ifndef CONTROL_SUBSCRIPTION_H
#define CONTROL_SUBSCRIPTION_H

#include "base/attr.h"
#include "redis/link.h"

#include <stddef.h>

struct subscription_events {
	/** The server has acknowledged: from now on nothing is missed.  Again
	 * after each reconnect. */
	void (*subscribed)(void *arg);

	/** It was lost, or refused, or the server cannot be reached. */
	void (*lost)(void *arg);

	/** What was published; the bytes are borrowed. */
	void (*message)(const char *bytes, size_t len, void *arg);
};

struct subscription_options {
	const struct link_options *link;
	const char *channel;
};

struct subscription;

/** Start.  What ${options} point to is borrowed.  Nothing is called from
 * within.  NULL: out of memory. */
struct subscription *subscription_new(struct event_base *base,
    struct dialer *dialer, const struct subscription_options *options,
    const struct subscription_events *events, void *arg) MUST_USE;

/** Stop and free, or NULL.  Calls no event.  Not from within one. */
void subscription_free(struct subscription *subscription);

#endif
