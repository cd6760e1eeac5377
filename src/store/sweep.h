/**
 * sweep: removes drained buckets from Redis.
 *
 * The fields of a hash do not expire by themselves in Redis 7.  So each hash is
 * walked about once in the longest life of its buckets, some hundred fields a
 * call, by one daemon at a time (a lock key that expires), and with pauses that
 * leave Redis most of its time.  Drained means the same as absent, so it does
 * not matter when, or whether, this happens.
 *
 * Owns a link of its own, so that no decision waits for it; and since it is the
 * one that keeps house, it also looks at the server's version and settings.
 */
#ifndef STORE_SWEEP_H
#define STORE_SWEEP_H

#include "base/attr.h"
#include "limit/rules.h"
#include "store/remote.h"

struct sweep;

struct sweep_events {
	/** A call removed ${removed} buckets. */
	void (*swept)(void *arg, unsigned removed);
};

/** Start.  ${options} are borrowed.  NULL: out of memory. */
struct sweep *sweep_new(struct event_base *base, struct dialer *dialer,
    const struct remote_options *options, const struct sweep_events *events,
    void *arg) MUST_USE;

/** Sweep also for the limits that come with requests: before the next call. */
void sweep_include_inline(struct sweep *sweep);

/** Sweep for these limits from now on; takes a reference of its own. */
void sweep_set_rules(struct sweep *sweep, struct rules *rules);

/** Stop and free, or NULL. */
void sweep_free(struct sweep *sweep);

#endif
