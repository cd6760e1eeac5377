/**
 * relay: requests that are passed on to upstreams, as a worker serves them.
 *
 * A slot waits until something of the response has come, and is written in
 * pieces, as the client takes them.
 */
#ifndef SERVER_RELAY_H
#define SERVER_RELAY_H

#include "server/queue.h"

/** Use the upstreams of the settings in force from now on. */
void relay_update(struct slot_cache *cache);

/** Begin to ask the upstream that the request names. */
int relay_begin(struct slot *slot, const struct request *request);

/** Have the upstream thread bring what slot->cache->wanted says, of ${request};
 * what is ${stored}, or NULL, may be of use yet. */
void relay_ask(struct slot *slot, struct upstream *upstream,
    const struct ask_request *request, struct stored_response *stored);

/** Write what has come; the last piece sets slot->written. */
slot_write relay_write;

/** The slot's client is gone: make it ready, if it waits. */
void relay_forget(struct slot *slot);

/** Free what the slot holds. */
void relay_end(struct slot *slot);

#endif
