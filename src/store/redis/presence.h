/**
 * presence: whether a shard takes queries: its link is up and, on a cluster,
 * its topology is in force (hold.h).
 *
 * Counts it, and reports it to the owner of the shards.  A field of its shard.
 */
#ifndef STORE_REDIS_PRESENCE_H
#define STORE_REDIS_PRESENCE_H

#include "base/log.h"
#include "redis/link.h"
#include "stats/servers.h"
#include "store/redis/hold.h"
#include "store/redis/shard.h"

#include <stdbool.h>

struct presence {
	const struct shard_common *common; /* borrowed, as the next one */
	struct link *link;
	struct server *server; /* what is counted of it */
	bool is_here;          /* the shard takes queries */
	bool was_here;
	bool settled;
	struct hold hold;
	struct log_limiter limiter;
};

/** The link is new, and so not up.  presence_end() is due. */
void presence_start(struct presence *presence,
    const struct shard_common *common, struct link *link);

/** The link is up. */
void presence_up(struct presence *presence);

/** The link is down, or the attempt to connect failed. */
void presence_down(struct presence *presence);

/** Whether what came while the shard took queries may be sent now.  If not, a
 * turn of the loop follows when it may. */
bool presence_may_send(struct presence *presence);

/** The link is free. */
void presence_end(struct presence *presence);

#endif
