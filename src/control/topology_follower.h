/**
 * topology_follower: sees to it that all daemons have one topology: what stands
 * in Redis (redis/topology_record.h).
 *
 * It reads the key of each server when it connects, and polls it.  The first
 * server of the topology that replies counts, unless a change left it out while
 * it was not there (topology_record_leaves_out()).  If nothing stands there,
 * the follower writes the topology in use, so that the first daemon's counts;
 * if something else does, that is in use from then on, whatever the settings
 * say.
 *
 * Owns: a link to each server.
 */
#ifndef CONTROL_TOPOLOGY_FOLLOWER_H
#define CONTROL_TOPOLOGY_FOLLOWER_H

#include "base/attr.h"
#include "redis/link.h"
#include "redis/topology.h"

#include <stdbool.h>

struct topology_follower_options {
	struct link_options link;      /* without its endpoint */
	struct topology_options where; /* as the settings say */
	const char *key;
};

struct topology_follower;

struct topology_follower_events {
	/** Another topology is in use from now on; it is borrowed.  Return 0,
	 * or -1 with errno: it is not. */
	int (*changed)(const struct topology_options *where, void *arg);

	/** The topology in use stood in Redis when it was asked for, at
	 * ${asked_us}, or it is not for us to know. */
	void (*seen)(int64_t asked_us, void *arg);
};

/** Start.  ${options} are borrowed.  Nothing is called from within.  NULL: out
 * of memory. */
struct topology_follower *topology_follower_new(struct loop *loop,
    struct dialer *dialer, const struct topology_follower_options *options,
    const struct topology_follower_events *events, void *arg) MUST_USE;

/** Ask now, and not only at the next poll. */
void topology_follower_read(struct topology_follower *follower);

/** Whether each server has replied once, or is not there.  Any thread. */
bool topology_follower_is_settled(const struct topology_follower *follower);

/** Stop and free; NULL: no-op. */
void topology_follower_free(struct topology_follower *follower);

#endif
