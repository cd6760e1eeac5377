/**
 * upstreams: the thread that passes requests on to upstreams, by libcurl.
 *
 * Owns: its loop, the flights and connections on it, a gate of its own, by
 * which it charges the limits of upstreams.
 * Never: knows clients, or HTTP as they speak it.
 */
#ifndef UPSTREAM_UPSTREAMS_H
#define UPSTREAM_UPSTREAMS_H

#include "base/attr.h"
#include "gate/gateway.h"
#include "upstream/ask.h"
#include "upstream/upstream.h"

#include <stdbool.h>

struct upstreams;

/** Start the thread.  The gateway outlives it.  NULL with errno. */
struct upstreams *upstreams_start(struct gateway *gateway) MUST_USE;

/** Have requests go to those of ${set} from now on, whose reference it takes
 * over, and which takes over what is as it was.  One thread. */
void upstreams_set(struct upstreams *upstreams, struct upstream_set *set);

/** The set in force; a reference is the caller's.  Any thread. */
struct upstream_set *upstreams_get(struct upstreams *upstreams) MUST_USE;

/** Whether ${set}, to which the caller has a reference, is the one in force.
 * Any thread. */
bool upstreams_use(
    const struct upstreams *upstreams, const struct upstream_set *set);

/** Have Redis, and all daemons, forget what matches ${glob} of an upstream.
 * Any thread.  Return 0, or -1 (out of memory). */
int upstreams_purge(
    struct upstreams *upstreams, const char *name, const char *glob) MUST_USE;

/** Where its orders come in. */
struct inbox *upstreams_inbox(struct upstreams *upstreams);

/** Whether its store is connected, or is known to be unavailable.  Any thread.
 */
bool upstreams_are_settled(const struct upstreams *upstreams);

/** Whether its loop has turned lately.  Any thread. */
bool upstreams_are_alive(const struct upstreams *upstreams);

/** End the thread; NULL: no-op.  What is on its way is dropped. */
void upstreams_stop(struct upstreams *upstreams);

/** Free what the stopped thread had; NULL: no-op.  All asks must have ended. */
void upstreams_free(struct upstreams *upstreams);

#endif
