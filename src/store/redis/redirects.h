/**
 * redirects: the batches of one slot that a node of a cluster sent elsewhere,
 * and so has not run.  Each goes there, once.
 *
 * MOVED: it waits, before all others, for the link to follow the slot, and so
 * do those that are not sent yet.  ASK: the other server gets it, and the rest
 * of the slot stays where it is.
 */
#ifndef STORE_REDIS_REDIRECTS_H
#define STORE_REDIS_REDIRECTS_H

#include "base/attr.h"
#include "redis/asking.h"
#include "redis/cluster_map.h"
#include "store/redis/batches.h"

#include <stdbool.h>

/** A field of its shard. */
struct redirects {
	struct loop *loop;
	struct dialer *dialer;
	const struct link_options *options; /* of the shard's link */
	struct cluster_server moved_to;     /* without a port: nowhere */
	struct asking *asking;              /* NULL: not needed yet */
};

/** Whether the link is to follow the slot to ${moved_to}. */
static inline bool
redirects_wait(const struct redirects *redirects)
{
	return redirects->moved_to.port != 0;
}

/** Look at a reply of the server at ${host} to a batch.  Return whether it is
 * sent once more: it is in ${batches} again, or its ${done} is called. */
bool redirects_take(struct redirects *redirects, struct batches *batches,
    struct batch *batch, const redisReply *reply, const char *host) MUST_USE;

/** Give up the calls of a server that the slot is on its way to. */
void redirects_close(struct redirects *redirects);

#endif
