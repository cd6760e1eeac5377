/**
 * distributor: copies the limits and the overrides of one server, the master,
 * to others, the targets, and forwards control messages.
 *
 * Subscribes to the master's control channel.  After a reload message it copies
 * the keys of both to every target, in a transaction that watches them, and
 * publishes the reload message there, with its spread.  It copies at once even
 * if the reload has a spread, which is for the daemons that follow the target.
 * It forwards any other message.  The meaning of the members does not matter
 * here.  A target that is down does not delay the others; it gets the current
 * set when it is back.
 *
 * Limits that are empty or missing are not copied, and then no overrides are:
 * an accident on one server must not spread to all.  Overrides that cannot be
 * read keep no limits back.  Those that are copied end by the clock of their
 * server.
 */
#ifndef CONTROL_DISTRIBUTOR_H
#define CONTROL_DISTRIBUTOR_H

#include "base/attr.h"
#include "control/target.h"
#include "redis/link.h"

#include <stddef.h>
#include <stdint.h>

struct distributor_options {
	struct link_options master;
	const char *channel;      /* of control messages, on all servers */
	const char *limits_key;   /* a sorted set, on all servers */
	int64_t reload_spread_us; /* of a plain "reload"; 0: none */
	int64_t poll_us;          /* from one poll of the master to the next */
	struct target_options *targets;
	size_t target_count; /* 0: nothing is distributed */
};

struct distributor;

/** Start.  ${options} are borrowed.  NULL: out of memory. */
struct distributor *distributor_new(struct loop *loop, struct dialer *dialer,
    const struct distributor_options *options) MUST_USE;

/** Read the master now, and bring the targets up to date. */
void distributor_reload(struct distributor *distributor);

/** Stop and free; NULL: no-op. */
void distributor_free(struct distributor *distributor);

#endif
