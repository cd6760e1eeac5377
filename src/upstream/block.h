/**
 * block: has the limits of an upstream deny for a while, at all daemons.
 *
 * The bucket of each key is filled, and then as many drops are charged as leak
 * in that time: as far as the debt of its limit goes.  A limit without debt
 * stays as it is.
 */
#ifndef UPSTREAM_BLOCK_H
#define UPSTREAM_BLOCK_H

#include "upstream/flight.h"

#include <stdint.h>

/** Block the keys of ${upstream} for ${block_us}. */
void block_start(
    struct flights *flights, struct upstream *upstream, int64_t block_us);

#endif
