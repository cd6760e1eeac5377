/**
 * joint: one decision about several keys: all are charged, or none is.
 *
 * The keys but the first are peeked at; if each of them has room, they are
 * charged, one after another, up to the first that denies.  That one is charged
 * alone if a peek found it, so that its block starts.  No key is ever charged
 * beyond its limit.  If another request takes the room between the peek and
 * the charge, keys before it stay charged.
 */
#ifndef SERVER_JOINT_H
#define SERVER_JOINT_H

#include "server/queue.h"

/** Begin it: handler.begin, of a request with keys of a route. */
int joint_begin(struct slot *slot, const struct request *request) MUST_USE;

/** Go on with it: handler.next. */
bool joint_next(struct slot *slot);

#endif
