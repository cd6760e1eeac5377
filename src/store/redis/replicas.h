/**
 * replicas: has a batch wait until replicas have what its server decided.
 *
 * After the reply to the batch's call goes WAIT, on the same link: the server
 * replies once so many replicas have all that was written over that connection
 * before, or the time is up (https://redis.io/docs/latest/commands/wait/).
 */
#ifndef STORE_REDIS_REPLICAS_H
#define STORE_REDIS_REPLICAS_H

#include "base/attr.h"
#include "redis/link.h"
#include "store/redis/batch.h"

#include <stdbool.h>
#include <stdint.h>

/** The server looks at time-outs of WAIT ten times a second, and to no other
 * command on that connection meanwhile. */
#define REPLICAS_GRACE_US INT64_C(1000000)

#define REPLICAS_REASON_MAX 100

/** How much longer than else a server that is there may take, where batches
 * wait for ${count} replicas. */
static inline int64_t
replicas_grace_us(int64_t count)
{
	return count > 0 ? REPLICAS_GRACE_US : 0;
}

/** Keep a copy of the ${reply} in ${batch}, and ask for ${count} replicas until
 * its deadline; ${done} gets the batch.  Return 0; or -1, out of memory or not
 * connected, and ${done} is not called. */
int replicas_wait(struct batch *batch, const redisReply *reply, int64_t count,
    link_done *done) MUST_USE;

/** Whether the reply to WAIT says that ${count} replicas have it; or write to
 * ${why} what it says. */
bool replicas_have(
    const redisReply *reply, int64_t count, char why[REPLICAS_REASON_MAX]);

#endif
