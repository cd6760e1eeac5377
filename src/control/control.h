/**
 * control: the thread that keeps the limits up to date.
 *
 * Owns: an event base of its own, and on it a subscriber, which follows the key
 * of limits in Redis, a distributor, which copies one to others, or both.
 * Never: knows clients, stores or buckets.
 */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include "base/attr.h"
#include "control/distributor.h"
#include "control/subscriber.h"

#include <stdbool.h>

struct control;

/** What runs on the thread; NULL: does not. */
struct control_options {
	const struct subscriber_options *subscriber;
	const struct distributor_options *distributor;
};

/** Start the thread.  ${options} are borrowed.  ${set_rules} is called from it
 * with each set that was read, and takes its reference.  NULL with errno. */
struct control *control_start(const struct control_options *options,
    subscriber_set_rules *set_rules, void *arg) MUST_USE;

/** Whether the first attempt to load limits is over, one way or the other; at
 * once so without a subscriber. */
bool control_is_settled(const struct control *control);

/** What became of the limits in Redis; SUBSCRIBER_CURRENT if they are not. */
enum subscriber_state control_state(const struct control *control);

/** Whether the thread's loop has turned lately.  Any thread. */
bool control_is_alive(const struct control *control);

/** Load the limits anew, and look at the servers that get them, at once.  Any
 * thread. */
void control_reload(struct control *control);

/** End the thread and free everything, or NULL. */
void control_stop(struct control *control);

#endif
