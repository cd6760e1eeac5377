/**
 * slave: one server that limits are copied to.
 *
 * Owns: its link, and what the server is to hold and to be told.
 * Never: knows the master, or other slaves: what one does delays no other.
 *
 * What the server has is looked at, never assumed: whenever the slave is given
 * members, and whenever it is back.  What differs is copied in a transaction
 * that watches the key and orders the reload, too: so no copy stays
 * unannounced.
 */
#ifndef CONTROL_SLAVE_H
#define CONTROL_SLAVE_H

#include "base/attr.h"
#include "control/members.h"
#include "redis/link.h"

#include <stddef.h>

/** Room for a message that orders a reload, with its NUL. */
#define SLAVE_RELOAD_MAX 64

struct slave_options {
	const char *name; /* for people */
	struct link_options link;
};

/** What all slaves have in common. */
struct slave_common {
	struct event_base *base;
	struct dialer *dialer;
	const char *channel; /* of control messages */
	const char *limits_key;
	const char *reload; /* announces what nobody ordered */
};

struct slave;

/** Start connecting.  All arguments are borrowed.  NULL: out of memory. */
struct slave *slave_new(const struct slave_common *common,
    const struct slave_options *options) MUST_USE;

/** Stop and free, or NULL. */
void slave_free(struct slave *slave);

/** Have it hold these ${members} from now on; takes a reference of its own.
 * ${reload}: the order that they came with, to be told if they are news there;
 * NULL: nobody ordered anything.  An order that it cannot be told now is told
 * once it is back, the last one of several. */
void slave_hold(
    struct slave *slave, struct members *members, const char *reload);

/** Publish a message there now; if that cannot be, it is lost. */
void slave_forward(struct slave *slave, const char *bytes, size_t len);

/** Log what was counted, if something happened since the last time. */
void slave_report(struct slave *slave);

#endif
