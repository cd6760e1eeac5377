/**
 * asking: calls of scripts about slots that are on their way to another server
 * of the cluster (redirect.h): each goes there once, behind ASKING.
 *
 * Owns: a link to that server, as long as it is of use.
 * Never: knows what a script does.
 *
 * One call is out at a time, so that all keep their order.
 */
#ifndef REDIS_ASKING_H
#define REDIS_ASKING_H

#include "base/attr.h"
#include "redis/cluster_map.h"
#include "redis/script_call.h"

struct asking;

/** How to connect: as ${options}, but for the server.  These are borrowed.
 * NULL: out of memory. */
struct asking *asking_new(struct loop *loop, struct dialer *dialer,
    const struct link_options *options) MUST_USE;

/** Each call gets its end first.  NULL: no-op.  Not from within a ${done}. */
void asking_free(struct asking *asking);

/** Have a call, whose first part is filled in, sent to the server at ${to}.
 * Return 0, and call its ${done} exactly once, later; or return -1 (out of
 * memory), and never.  Calls that wait for another server get NULL from
 * within.  Not from within a ${done} of these calls. */
int asking_call(struct asking *asking, const struct cluster_server *to,
    struct script_call *call) MUST_USE;

#endif
