/**
 * flight_hold: the leases that a flight has, of those limits of its upstream
 * that are about so many at a time.
 *
 * Owns: the name under which it has them, which no other flight of any daemon
 * has; the check that asks for them.  It renews them while its flight is under
 * way, and outlives it until they are given back, also to a Redis that is away
 * for a while.  A daemon that dies loses them by time.  Lives on the upstream
 * thread.
 *
 * Such a limit has no queue that all daemons share.  Those that found it full
 * are in the line of their upstream: the first asks again when another one of
 * this daemon gives back, and else after a pause.
 */
#ifndef UPSTREAM_FLIGHT_HOLD_H
#define UPSTREAM_FLIGHT_HOLD_H

#include "base/attr.h"
#include "gate/gate.h"
#include "upstream/upstream.h"

struct flight;
struct flight_hold;
struct flights;

/** The keys of ${upstream} whose limits have leases, a bit for each. */
unsigned flight_hold_find_keys(
    struct gate *gate, const struct upstream *upstream);

/** Have ${flight} hold a lease of each of ${keys}: flight_on_held() or
 * flight_on_full() is called once, perhaps from within, unless the flight ends
 * before.  Return 0, or -1 (out of memory) and neither is. */
int flight_hold_start(struct flight *flight, unsigned keys) MUST_USE;

/** The keys that it holds; NULL: none. */
unsigned flight_hold_keys(const struct flight_hold *hold);

/** Whether the store is being asked for it. */
bool flight_hold_is_asking(const struct flight_hold *hold);

/** Its flight is over: give all back.  It frees itself.  NULL: no-op. */
void flight_hold_end(struct flight_hold *hold);

/** Free those whose flights are over and that are not asked about, at the end.
 */
void flight_hold_clear(struct flights *flights);

#endif
