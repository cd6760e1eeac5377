/**
 * control: the thread that keeps the limits up to date.
 *
 * Owns: its loop, and on it a subscriber, which loads the limits from Redis, a
 * distributor, which copies limits to other servers, a follower of the
 * topology; some of these.
 * Never: knows clients, stores or buckets.
 */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include "base/attr.h"
#include "control/distributor.h"
#include "control/subscriber.h"
#include "control/topology_follower.h"

#include <stdbool.h>

struct control;

/** What the thread runs; NULL: not that. */
struct control_options {
	const struct subscriber_options *subscriber;
	const struct distributor_options *distributor;
	const struct topology_follower_options *topology;
	const struct topology_follower_events *topology_events; /* there */
};

/** Start the thread.  ${options} are borrowed.  The thread calls ${set_rules}
 * with each set that it loads, and with NULL for one that it rejects; the
 * callee takes the reference.  NULL with errno. */
struct control *control_start(const struct control_options *options,
    subscriber_set_rules *set_rules, void *arg) MUST_USE;

/** Whether the first attempts to load limits and to read the topology have
 * succeeded or failed. */
bool control_is_settled(const struct control *control);

/** The state of the limits in Redis; SUBSCRIBER_CURRENT without a
 * subscriber. */
enum subscriber_state control_state(const struct control *control);

/** Whether the thread's loop has turned lately.  Any thread. */
bool control_is_alive(const struct control *control);

/** Load the limits now, and bring the distributor's targets up to date.  Any
 * thread. */
void control_reload(struct control *control);

/** Have the follower, which must be one, read the topology now.  Any thread. */
void control_read_topology(struct control *control);

/** Say that this node stops; it goes on until control_stop().  Any thread. */
void control_leave(struct control *control);

/** End the thread and free everything, or NULL.  Waits at most a second from
 * the first of control_leave() and this call for the server to know. */
void control_stop(struct control *control);

#endif
