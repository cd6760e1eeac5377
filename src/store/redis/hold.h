/**
 * hold: keeps a shard of a cluster back, once its link is up, until its
 * topology was seen in Redis after that: else a daemon that was away, or whose
 * settings differ, would decide by a topology that is not in force.
 *
 * A field of its shard.
 */
#ifndef STORE_REDIS_HOLD_H
#define STORE_REDIS_HOLD_H

#include "net/timer.h"
#include "redis/topology_seen.h"

#include <stdbool.h>
#include <stdint.h>

struct hold_events {
	/** The topology was seen. */
	void (*over)(void *arg);

	/** It was not for a while; called once a hold. */
	void (*late)(void *arg);
};

struct hold {
	const struct topology_seen *seen; /* NULL: it is never needed */
	const struct hold_events *events;
	void *arg;
	int64_t patience_us; /* until it is late */

	struct timer timer; /* the next look; set: it holds */
	int64_t since_us;   /* the link that it is about came up */
	bool is_over;       /* for that link */
	unsigned looks;
	bool is_late;
};

/** ${hold} has all but what is behind the blank line. */
void hold_init(struct hold *hold, struct loop *loop);

/** A link came up at ${since_us}.  Return whether the shard is to wait: then
 * over is called later, unless there is another link.  Nothing is called from
 * within; the same link once more: no-op. */
bool hold_start(struct hold *hold, int64_t since_us);

/** The link that came up at ${since_us} needs not be held. */
void hold_skip(struct hold *hold, int64_t since_us);

/** The link is down; also if it does not hold. */
void hold_stop(struct hold *hold);

#endif
