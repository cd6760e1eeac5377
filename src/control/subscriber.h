/**
 * subscriber: keeps a set of limits like the key that it stands in.
 *
 * Loads the sorted set of limits, as bytes, one line a member; reloads when
 * told to on the control channel, after a random part of a spread; and looks
 * now and then whether the key has another digest than what it loaded.  No
 * reload is lost: it loads once the subscription is acknowledged, after every
 * reconnect, and, ordered while loading, again.  A set that is wrong leaves the
 * one before in force; the reason goes to the log, a set and a channel of the
 * server.
 *
 * Owns: two links, one that listens and one that asks.  Lives on whatever event
 * base it is given; many may share one.
 */
#ifndef CONTROL_SUBSCRIBER_H
#define CONTROL_SUBSCRIBER_H

#include "base/attr.h"
#include "limit/rules.h"
#include "redis/link.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Most limits in a set that comes from Redis, and most bytes of them. */
#define SUBSCRIBER_LIMITS_MAX 10000
#define SUBSCRIBER_BYTES_MAX  (INT64_C(4) << 20)

struct subscriber_options {
	struct link_options link;
	const char *channel;          /* of control messages */
	const char *limits_key;       /* a sorted set, score = order */
	int64_t reload_spread_us;     /* of a plain "reload"; 0: at once */
	const char *node_name;        /* "": the host's name */
	const char *errors_key;       /* a set */
	const char *errors_channel;
	int64_t poll_us;              /* between two looks at the digest */
	int allow_empty;              /* a key without limits is a set, too */
	const char *state_dir;        /* keeps the last good set; "": none */
	size_t start_count;           /* limits in force until the first load */
};

/** What became of the limits in the key. */
enum subscriber_state {
	SUBSCRIBER_WAITING, /* none were read yet */
	SUBSCRIBER_CURRENT, /* they are in force, as of the last look */
	SUBSCRIBER_REFUSED, /* they were wrong; those before are in force */
};

struct subscriber;

/** A set that was read and is in force from now on; takes its reference. */
typedef void subscriber_set_rules(struct rules *rules, void *arg);

/** Start.  ${options} are borrowed.  Nothing is called from within.  NULL: out
 * of memory. */
struct subscriber *subscriber_new(struct event_base *base,
    struct dialer *dialer, const struct subscriber_options *options,
    subscriber_set_rules *set_rules, void *arg) MUST_USE;

/** Whether the first attempt to load is over, one way or the other.  Any
 * thread. */
bool subscriber_is_settled(const struct subscriber *subscriber);

/** Any thread. */
enum subscriber_state subscriber_state(const struct subscriber *subscriber);

/** Load at once, or, if a load is under way, again after it. */
void subscriber_reload(struct subscriber *subscriber);

/** Stop and free, or NULL. */
void subscriber_free(struct subscriber *subscriber);

#endif
