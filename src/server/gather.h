/**
 * gather: has responses of a client wait a moment for those that follow.
 *
 * Where keys are on several servers, the responses to what a client asked for
 * at once become known in parts, as the servers reply.  To send each part by
 * itself costs system calls here and at the client, which then asks in small
 * parts, too.  So while more is to come, a part waits for it: at most as long
 * as the client has waited already, and no longer than some 2 ms.  What comes
 * within a quarter of a millisecond is sent at once: only where much is under
 * way does it take longer.
 */
#ifndef SERVER_GATHER_H
#define SERVER_GATHER_H

#include "base/attr.h"
#include "base/list.h"
#include "net/exact_timer.h"

#include <stdbool.h>
#include <stdint.h>

struct conn;
struct conns;
TAILQ_HEAD(gather_list, conn);

/** A part waits for 256, 512, 1024 or 2048 us. */
#define GATHER_FIRST_US INT64_C(256)
#define GATHER_LISTS    4

/** Of all clients of a worker. */
struct gather {
	struct gather_list lists[GATHER_LISTS]; /* by how long: in the order in
						 * which their time is up */
	struct exact_timer timer;
	int64_t set_us; /* the timer is set to that; 0: it is not */
};

/** Of a client; all zero at first. */
struct gathered {
	TAILQ_ENTRY(conn) entry;
	struct gather_list *list; /* NULL: it does not wait */
	int64_t until_us;
};

/** Return 0, or -1 with errno. */
int gather_open(struct gather *gather, struct loop *loop) MUST_USE;

/** As all zero: no-op.  No client may wait. */
void gather_close(struct gather *gather);

/** A client is due: whether its responses wait, or go on waiting. */
bool gather_hold(struct conn *conn);

/** It waits no more; no-op if it does not. */
void gather_end(struct conn *conn);

/** Have those be due whose time is up; before the due ones are looked at. */
void gather_release(struct conns *conns);

/** After that: see to it that the loop turns when the time of the first that
 * waits is up. */
void gather_set_timer(struct conns *conns);

#endif
