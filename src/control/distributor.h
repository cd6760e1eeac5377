/**
 * distributor: copies the limits of one server, the master, to others, the
 * slaves, and forwards control messages.
 *
 * Listens on the master's control channel.  A reload copies the key of limits
 * to every slave, in a transaction that watches it, and then orders the reload
 * there, with its spread; any other message is forwarded as it is.  Members are
 * bytes: what they say does not matter here.  A slave that is down delays
 * nobody; it gets the current set once it is back.  Copies are made at once,
 * also for a reload with a spread: that is for the daemons behind the slaves.
 *
 * A key that is empty or missing is not copied: an accident on one server must
 * not become one on all.
 *
 * Lives on whatever event base it is given.
 */
#ifndef CONTROL_DISTRIBUTOR_H
#define CONTROL_DISTRIBUTOR_H

#include "base/attr.h"
#include "control/slave.h"
#include "redis/link.h"

#include <stddef.h>
#include <stdint.h>

struct distributor_options {
	struct link_options master;
	const char *channel;          /* of control messages, on all servers */
	const char *limits_key;       /* a sorted set, on all servers */
	int64_t reload_spread_us;     /* of a plain "reload"; 0: none */
	int64_t poll_us;              /* between two looks at the master */
	struct slave_options *slaves;
	size_t slave_count;           /* 0: nothing is distributed */
};

struct distributor;

/** Start.  ${options} are borrowed.  NULL: out of memory. */
struct distributor *distributor_new(struct event_base *base,
    struct dialer *dialer, const struct distributor_options *options) MUST_USE;

/** Look at the master, and through it at the slaves, now. */
void distributor_reload(struct distributor *distributor);

/** Stop and free, or NULL. */
void distributor_free(struct distributor *distributor);

#endif
