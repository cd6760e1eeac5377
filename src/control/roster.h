/**
 * roster: asks Redis which limits each daemon of the fleet runs, while somebody
 * looks at the status page.
 *
 * Puts these lines on a board, the daemons that run other limits first:
 *
 *    fleet count=3 current=2 lags=1 kept=0 gone=0 more=no
 *    member digest=f6d0ef83... limits=4 loaded=17 seen=3 state=lags node=web-1
 *
 * Times are seconds ago.  ${more}: there are more daemons than were counted.
 */
#ifndef CONTROL_ROSTER_H
#define CONTROL_ROSTER_H

#include "base/attr.h"
#include "net/loop.h"
#include "redis/link.h"
#include "stats/fleet_board.h"

#include <stdint.h>

/** Most daemons that have a line. */
#define ROSTER_LINES_MAX 50

struct roster_options {
	const char *key;    /* of the fleet's hash */
	const char *digest; /* of the limits, as last read; changes */
	int64_t timeout_us; /* of a call */
	struct fleet_board *board;
};

struct roster;

/** Start.  All is borrowed; ${link} is freed before the roster.  NULL: out of
 * memory. */
struct roster *roster_new(struct loop *loop, struct link *link,
    const struct roster_options *options) MUST_USE;

/** Stop and free; NULL: no-op. */
void roster_free(struct roster *roster);

#endif
