/**
 * outage_cost: what an outage of Redis cost: for how long, and how
 * many requests on_error decided, by limit.  A line in the log says so when it
 * is back.
 */
#ifndef GATE_OUTAGE_COST_H
#define GATE_OUTAGE_COST_H

#include "base/log.h"

#include <stdint.h>

struct gateway;

/** Under the lock of the gateway. */
struct outage_cost {
	int64_t since_us;  /* 0: there is none */
	uint64_t fallback; /* when last looked at */
	uint64_t settled;  /* what all limits' counts were settled at */
	struct log_limiter limiter; /* of lines on short outages */
};

/** Redis cannot be asked any more.  Any thread. */
void outage_cost_begin(struct gateway *gateway);

/** It can be asked again: log what it cost; but of outages that take less than
 * a second, one in ten seconds only.  Any thread. */
void outage_cost_end(struct gateway *gateway);

/** A second is over: what fell back before now and while Redis could be asked
 * is no part of an outage, unless it was just now. */
void outage_cost_tick(struct gateway *gateway);

#endif
