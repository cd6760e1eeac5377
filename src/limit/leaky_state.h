/**
 * leaky_state: a leaky bucket by its parts, and as the numbers of a bucket.
 *
 * Behind the two times, a bucket has one number, by its last bit and its size:
 *
 *   recharge << 1                       in microseconds
 *   (recharge * 1000 + ticks) << 1 | 1  in thousandths of them; below 2^31
 *   strikes << 47 | ... << 1 | 1        ... is one of those, below 2^46
 */
#ifndef LIMIT_LEAKY_STATE_H
#define LIMIT_LEAKY_STATE_H

#include "limit/bucket.h"

#include <stdint.h>

#define TICKS_FINE 1000

#define STRIKES_MAX   63
#define STRIKES_SHIFT 47

/* With strikes, a recharge is below this. */
#define STRIKES_RECHARGE_BELOW (INT64_C(1) << (STRIKES_SHIFT - 2))

struct leaky_state {
	int64_t empty_at_us;
	int64_t empty_ticks; /* to be added to that */
	int64_t blocked_until_us;
	int64_t strikes;  /* blocks in a row, where they grow; else 0 */
	int64_t recharge; /* under which it was written; 0: not known */
	int64_t ticks;    /* in a microsecond then: 1, or TICKS_FINE */
};

static inline struct leaky_state
leaky_state_open(const struct bucket *bucket)
{
	int64_t third = bucket->leaky.recharge;
	struct leaky_state state = {
	    .empty_at_us = bucket->leaky.empty_at_us,
	    .blocked_until_us = bucket->leaky.blocked_until_us,
	    .recharge = third >> 1,
	    .ticks = 1,
	};

	if (!(third & 1))
		return state;
	if (third >> STRIKES_SHIFT > 0) {
		state.strikes = third >> STRIKES_SHIFT;
		third = (third & ((INT64_C(1) << STRIKES_SHIFT) - 1)) >> 1;
		state.recharge = third >> 1;
	}
	if (third & 1) {
		state.ticks = TICKS_FINE;
		state.empty_ticks = state.recharge % TICKS_FINE;
		state.recharge /= TICKS_FINE;
	}
	return state;
}

static inline struct bucket
leaky_state_close(const struct leaky_state *state)
{
	int64_t third = state->recharge << 1;

	if (state->ticks != 1)
		third = (state->recharge * TICKS_FINE + state->empty_ticks)
			    << 1 |
			1;
	if (state->strikes > 0)
		third = state->strikes << STRIKES_SHIFT | third << 1 | 1;
	return (struct bucket){
	    .leaky = {state->empty_at_us, state->blocked_until_us, third}};
}

#endif
