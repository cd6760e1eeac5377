/**
 * fleet: reports on the server of the limits what this daemon runs.
 *
 * The hash KEY:fleet has a field a daemon, "NODE#ID", with "DIGEST LOADED_AT
 * COUNT SEEN_AT", times in seconds since 1970.  A daemon that stops removes its
 * field.  All remove the fields of daemons that were not seen for an hour: each
 * looks at some fields whenever it writes its own.
 *
 * A set and a channel have the reason why a set of limits was rejected: of the
 * daemons that reject the same set for the same reason, one publishes it.
 *
 * Borrows a link.  What cannot be sent is lost, except for the reason.
 */
#ifndef CONTROL_FLEET_H
#define CONTROL_FLEET_H

#include "base/attr.h"
#include "control/subscriber.h"

#include <stddef.h>

/** A daemon that was not seen for this long, in seconds, is forgotten. */
#define FLEET_FORGOTTEN_S 3600

/** Longest reason that is reported. */
#define FLEET_REASON_MAX 1024

/** What a node runs. */
struct fleet_running {
	char digest[48];   /* of the key, when it was loaded; "-": the limits
			    * are not from the key */
	int64_t loaded_at; /* seconds since 1970 */
	size_t count;      /* limits */
};

struct fleet;

/** All is borrowed; ${link} is freed before the fleet.  NULL: out of memory. */
struct fleet *fleet_new(
    struct link *link, const struct subscriber_options *options) MUST_USE;

/** Free it; NULL: no-op.  What was reported stays on the server. */
void fleet_free(struct fleet *fleet);

/** The name of this node; "": it has none. */
const char *fleet_node(const struct fleet *fleet);

/** The key of the hash. */
const char *fleet_key(const struct fleet *fleet);

/** Write the daemon's field, as seen now. */
void fleet_report(struct fleet *fleet, const struct fleet_running *running);

/** Remove the daemon's field, and report no more.  ${left} is called once, when
 * the server has replied or the link is down, maybe from within. */
void fleet_leave(struct fleet *fleet, void (*left)(void *arg), void *arg);

/** Make ${reason} the one that this node reports; "": none.  ${repeat}: write
 * it even if the server has it.  Call this regularly: what the server did not
 * acknowledge is sent again. */
void fleet_report_reason(struct fleet *fleet, const char *reason, bool repeat);

#endif
