#include "store/shares.h"

/* So many places are tried for a limit. */
#define SHARES_PROBES 16

unsigned
shares_find(struct shares *shares, struct hash128 id)
{
	const uint64_t tag = (id.lo ^ id.hi) | 1;
	const unsigned home = (unsigned)(tag >> (64 - SHARES_BITS));

	for (unsigned i = 0; i < SHARES_PROBES; i++) {
		unsigned share = (home + i) % SHARES_COUNT;
		uint_fast64_t seen = atomic_load_explicit(
		    &shares->tags[share], memory_order_relaxed);

		if (seen == 0 &&
		    atomic_compare_exchange_strong_explicit(
			&shares->tags[share], &seen, tag, memory_order_relaxed,
			memory_order_relaxed)) {
			atomic_fetch_add_explicit(
			    &shares->limits, 1, memory_order_relaxed);
			return share;
		}
		if (seen == tag)
			return share;
	}
	return home;
}

bool
shares_are_several(struct shares *shares)
{
	return atomic_load_explicit(&shares->limits, memory_order_relaxed) > 1;
}

bool
shares_take(struct shares *shares, unsigned share, uint64_t most)
{
	uint_fast64_t held =
	    atomic_load_explicit(&shares->held[share], memory_order_relaxed);

	do {
		if (held >= most)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&shares->held[share],
	    &held, held + 1, memory_order_relaxed, memory_order_relaxed));
	return true;
}

void
shares_give(struct shares *shares, unsigned share)
{
	atomic_fetch_sub_explicit(
	    &shares->held[share], 1, memory_order_relaxed);
}

void
shares_remember(struct shares *shares, unsigned share, int64_t memory_us)
{
	int_fast64_t held = atomic_load_explicit(
	    &shares->memory_us[share], memory_order_relaxed);

	while (
	    held < memory_us &&
	    !atomic_compare_exchange_weak_explicit(&shares->memory_us[share],
		&held, memory_us, memory_order_relaxed, memory_order_relaxed))
		;
}
