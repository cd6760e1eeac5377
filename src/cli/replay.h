/**
 * replay: what a set of limits makes of demand, in virtual time, with the
 * arithmetic of the daemon.
 */
#ifndef CLI_REPLAY_H
#define CLI_REPLAY_H

#include "base/attr.h"
#include "cli/recording.h"
#include "limit/rules.h"

#include <stdbool.h>

struct replay;

struct replay_decision {
	const struct limit *limit; /* the one that denies, or else the one that
				    * applies; NULL: none does */
	bool allowed;              /* so is what no limit is for */
};

/** All buckets are empty.  The rules outlive it.  NULL: out of memory. */
struct replay *replay_new(const struct rules *rules) MUST_USE;

/** Decide.  Return 0, or -1: out of memory. */
int replay_decide(struct replay *replay, const struct demand *demand,
    struct replay_decision *decision) MUST_USE;

/** Free it, or NULL. */
void replay_free(struct replay *replay);

#endif
