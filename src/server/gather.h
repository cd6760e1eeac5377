/**
 * gather: holds responses of a client back for a moment, to send them together
 * with those that follow.
 *
 * With several servers, the responses to what a client asked for at once become
 * known in parts, as the servers reply.  To send each part by itself costs
 * system calls here and at the client, which then asks in small parts, too.  So
 * while the next response is under way, a part waits for it: at most as long as
 * the client has waited already, and no longer than some 3 ms.  What is known
 * within a quarter of a millisecond is sent at once, and so is what a client
 * gets that sends its requests one by one.
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

/** How long a part may wait: see gather_times_us. */
#define GATHER_LISTS 8

/** Of all clients of a worker. */
struct gather {
	struct gather_list lists[GATHER_LISTS]; /* by how long they wait; each
						 * in the order of until_us */
	struct exact_timer timer;
	int64_t set_us; /* when the timer is due; 0: it is not set */
};

/** Of a client; all zero at first. */
struct gathered {
	TAILQ_ENTRY(conn) entry;
	struct gather_list *list; /* NULL: its responses do not wait */
	int64_t until_us;         /* when its time is up */
};

/** Return 0, or -1 with errno. */
int gather_open(struct gather *gather, struct loop *loop) MUST_USE;

/** As all zero: no-op.  No client may wait. */
void gather_close(struct gather *gather);

/** Look at a client that is due.  Return whether its responses wait now. */
bool gather_hold(struct conn *conn);

/** Its responses wait no more; no-op if they do not. */
void gather_end(struct conn *conn);

/** Make the clients due whose time is up; before the due ones are looked at. */
void gather_release(struct conns *conns);

/** After that: have the loop turn when the next client's time is up. */
void gather_set_timer(struct conns *conns);

#endif
