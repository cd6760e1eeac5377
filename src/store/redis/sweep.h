/**
 * sweep: removes drained buckets from Redis.
 *
 * The fields of a hash do not expire by themselves in Redis 7.  So each hash is
 * walked about once in the longest life of its buckets, some hundred fields a
 * call, by one daemon at a time (a lock key that expires), and with pauses that
 * leave Redis most of its time.  A drained bucket is the same as an absent one,
 * so it does not matter when, or whether, this happens.  If the server's clock
 * was set back, a pass also removes what no bucket under its limit can hold:
 * otherwise the bucket would stay full until the clock is where it was.  A key
 * holds the time at which the last pass began, so that a clock that was set
 * back is noticed even if no daemon ran at the time.
 *
 * Owns a link of its own, so that no decision waits for it.  When that is up,
 * it also checks the server's version and settings (server_info.h).
 */
#ifndef STORE_REDIS_SWEEP_H
#define STORE_REDIS_SWEEP_H

#include "base/attr.h"
#include "limit/rules.h"
#include "store/redis/shard.h"

struct sweep;

struct sweep_events {
	/** A call removed ${removed} buckets. */
	void (*swept)(void *arg, unsigned removed);

	/** Redis refused a call. */
	void (*failed)(void *arg);
};

/** What all sweeps of a topology have in common. */
struct sweep_common {
	struct loop *loop;
	struct dialer *dialer;
	const struct shard_options *options; /* borrowed */
	const struct sweep_events *events;
	void *arg; /* of the events */
};

/** Start on the server at ${place} in the topology of the options.  NULL: out
 * of memory. */
struct sweep *sweep_new(
    const struct sweep_common *common, size_t place) MUST_USE;

/** Sweep also for the limits that come with requests.  Call this before
 * sweep_set_rules(). */
void sweep_include_inline(struct sweep *sweep);

/** The server's clock was set back by ${back_us}, some time after ${since_us}
 * of ours: trim what buckets hold too much because of that, if this is not
 * under way already.  The sweep also notices it by itself after a while. */
void sweep_trim(struct sweep *sweep, int64_t back_us, int64_t since_us);

/** Sweep for these limits from now on; takes a reference of its own. */
void sweep_set_rules(struct sweep *sweep, struct rules *rules);

/** Stop and free; NULL: no-op. */
void sweep_free(struct sweep *sweep);

#endif
