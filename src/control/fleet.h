/**
 * fleet: what a daemon says of itself on the server of its limits.
 *
 * In the hash KEY:fleet, field the node's name, what it runs: "DIGEST LOADED_AT
 * COUNT SEEN_AT", times in seconds since 1970.  In a set, and on a channel, why
 * it refused a set of limits: a fleet that refuses the same for the same reason
 * says so once.  On any channel, that it is there.
 *
 * Uses a link of somebody else's; what cannot be sent is not kept, but for the
 * complaint.
 */
#ifndef CONTROL_FLEET_H
#define CONTROL_FLEET_H

#include "base/attr.h"
#include "control/message.h"
#include "control/subscriber.h"

#include <stddef.h>

/** Longest reason that is reported. */
#define FLEET_REASON_MAX 1024

/** What a node runs. */
struct fleet_running {
	char digest[48];     /* of the key, when it was loaded; "-": limits that
			      * are not from there */
	int64_t loaded_at;   /* seconds since 1970 */
	size_t count;        /* limits */
};

struct fleet;

/** All is borrowed; ${link} is freed before the fleet.  NULL: out of memory. */
struct fleet *fleet_new(
    struct link *link, const struct subscriber_options *options) MUST_USE;

/** Free it, or NULL.  What was said stays. */
void fleet_free(struct fleet *fleet);

/** Say what is run, and that it was just now. */
void fleet_say(struct fleet *fleet, const struct fleet_running *running);

/** Have ${reason} (with ${again}, even if it was before), "" for none, be what
 * is reported from this node.  To be called now and then: what got no answer is
 * said again. */
void fleet_complain(struct fleet *fleet, const char *reason, bool again);

/** Answer a ping. */
void fleet_pong(struct fleet *fleet, const struct message *ping);

#endif
