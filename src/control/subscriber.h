/**
 * subscriber: loads the limits from a key of a server whenever they change.
 *
 * The key is a sorted set, one limit a member.  The subscriber loads it when a
 * message on the control channel says so, after a random part of the message's
 * spread, and polls the digest of the key for changes without a message.  No
 * reload is lost: it loads after each (re)connect, once the server has
 * acknowledged the subscription, and once more for a message that comes during
 * a load.  If a set is wrong, the previous one stays in force; the reason goes
 * to the log, and to a set and a channel of the server.
 *
 * Owns: two links, one subscribed, one for calls.  Several subscribers may
 * share a loop.
 */
#ifndef CONTROL_SUBSCRIBER_H
#define CONTROL_SUBSCRIBER_H

#include "base/attr.h"
#include "limit/rules.h"
#include "limit/rules_changes.h"
#include "redis/link.h"
#include "stats/fleet_board.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Most limits in a set from Redis, and most bytes of all. */
#define SUBSCRIBER_LIMITS_MAX 10000
#define SUBSCRIBER_BYTES_MAX  (INT64_C(4) << 20)

struct subscriber_options {
	struct link_options link;
	const char *channel;      /* of control messages */
	const char *limits_key;   /* a sorted set, score = order */
	int64_t reload_spread_us; /* of a plain "reload"; 0: at once */
	const char *node_name;    /* "": the host's name */
	const char *node_id;    /* tells apart daemons of one name; "": none */
	const char *errors_key; /* a set */
	const char *errors_channel;
	int64_t poll_us;       /* from one poll of the digest to the next */
	bool allow_empty;      /* an empty or missing key is a valid set */
	const char *state_dir; /* where the last good set is saved; "": not */
	size_t start_count;    /* limits in force until the first load */
	struct fleet_board *board; /* for the status page; NULL: none */
};

/*
 *   WAITING --> CURRENT <--> REJECTED
 *      |________________________^
 */
#define SUBSCRIBER_STATES(X)                                                   \
	X(WAITING)  /* the key was not read yet */                             \
	X(CURRENT)  /* its limits are in force, as of the last poll */         \
	X(REJECTED) /* its limits are wrong; the previous ones are in force */

/** How the limits in force relate to those in the key. */
enum subscriber_state {
#define X(name) SUBSCRIBER_##name,
	SUBSCRIBER_STATES(X)
#undef X
};

struct subscriber;

/** A set was loaded, to be in force from now on; takes its reference, and sets
 * ${changes} to what changes by that.  NULL: one was rejected, and ${changes}
 * says why. */
typedef void subscriber_set_rules(
    struct rules *rules, struct rules_changes *changes, void *arg);

/** Start.  ${options} are borrowed.  Nothing is called from within.  NULL: out
 * of memory. */
struct subscriber *subscriber_new(struct loop *loop, struct dialer *dialer,
    const struct subscriber_options *options, subscriber_set_rules *set_rules,
    void *arg) MUST_USE;

/** Whether the first attempt to load has succeeded or failed.  Any thread. */
bool subscriber_is_settled(const struct subscriber *subscriber);

/** Any thread. */
enum subscriber_state subscriber_state(const struct subscriber *subscriber);

/** Load now; if a load is running, once more after it. */
void subscriber_reload(struct subscriber *subscriber);

/** Say that this node stops.  ${left} is called once, maybe from within, when
 * the server knows or is not there. */
void subscriber_leave(
    struct subscriber *subscriber, void (*left)(void *arg), void *arg);

/** Stop and free; NULL: no-op. */
void subscriber_free(struct subscriber *subscriber);

#endif
