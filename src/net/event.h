/**
 * event: what the files of net/ share of libevent.  For them only.
 */
#ifndef NET_EVENT_H
#define NET_EVENT_H

#include "net/loop.h"

struct event_base;

/** The order within a turn of the loop: what is first is called until none of
 * it is due any more. */
enum event_order {
	EVENT_FIRST, /* timers, signals, wake-ups, servers */
	EVENT_LAST,  /* clients, and those that connect */
	EVENT_ORDERS
};

/** The base of ${loop}. */
struct event_base *loop_base(struct loop *loop);

#endif
