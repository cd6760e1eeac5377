/**
 * shares: how many buckets in memory each limit has.
 *
 * A limit has a share of its own from when it is first seen, and for good, as
 * long as there are no more than some thousands; of those beyond, several have
 * one together.  Any thread may call any of these.
 */
#ifndef STORE_SHARES_H
#define STORE_SHARES_H

#include "base/siphash.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/** The number of a share has so many bits. */
#define SHARES_BITS  14
#define SHARES_COUNT (1U << SHARES_BITS)

/** All zero at first. */
struct shares {
	atomic_uint limits;                      /* that were seen */
	atomic_uint_fast64_t tags[SHARES_COUNT]; /* of a limit; 0: of none */
	atomic_uint_fast64_t held[SHARES_COUNT]; /* buckets */
	atomic_int_fast64_t memory_us[SHARES_COUNT]; /* see shares_remember() */
};

/** The share of the limit with this identity, which is seen now. */
unsigned shares_find(struct shares *shares, struct hash128 id);

/** Whether more than one limit was seen. */
bool shares_are_several(struct shares *shares);

/** Count one bucket more, unless the share holds ${most} already. */
bool shares_take(struct shares *shares, unsigned share, uint64_t most);

/** The buckets of the share's limit matter for ${memory_us} after a block; of
 * several limits, the longest counts. */
void shares_remember(struct shares *shares, unsigned share, int64_t memory_us);

/** Count one less. */
void shares_give(struct shares *shares, unsigned share);

#endif
