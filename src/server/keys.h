/**
 * keys: requests with several keys, of which all are charged, or none.
 */
#ifndef SERVER_KEYS_H
#define SERVER_KEYS_H

#include "server/queue.h"

/** As handler->begin: the keys that the request names. */
int keys_begin(struct slot *slot, const struct request *request) MUST_USE;

/** The same: those of the routes that it takes. */
int keys_begin_routed(
    struct slot *slot, const struct request *request) MUST_USE;

#endif
