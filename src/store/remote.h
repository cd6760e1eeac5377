/**
 * remote: buckets in Redis, decided there in batches.
 *
 * Owns: one link, and the batches on their way.
 *
 * What a worker asks in one loop turn becomes one call of a script, which
 * decides many buckets; while ${inflight} calls are out, the next batch fills
 * up.  Questions about one bucket are one entry of the batch, whatever they
 * ask, in the order they came.  The script replies with what each bucket was
 * before; the decisions are repeated here from that (limit/decide.h), so that
 * each question gets its own exact answer.
 *
 * A question is answered ANSWER_UNAVAILABLE at once while the link is down, and
 * otherwise once it is as old as socket_timeout.  That is not held against the
 * server, which has as long to answer a call from when it was sent: many
 * questions at once do not bring the link down.
 */
#ifndef STORE_REMOTE_H
#define STORE_REMOTE_H

#include "base/attr.h"
#include "redis/link.h"
#include "store/store.h"

struct remote_options {
	struct link_options link;
	const char *prefix;   /* of the names of all hashes */
	int64_t inflight;     /* calls out at a time, 1..64 */
};

/** What it counts, for its worker's metrics. */
struct remote_events {
	/** The first attempt to connect is over, one way or the other. */
	void (*settled)(void *arg);

	/** A batch of ${entries} buckets went out. */
	void (*sent)(void *arg, unsigned entries);

	/** ${buckets} held what is not ours, or their hash is no hash. */
	void (*foreign)(void *arg, unsigned buckets);
};

/** Return a store that keeps its buckets in Redis, or NULL (out of memory).
 * ${options} are borrowed. */
struct store *remote_store_new(struct event_base *base, struct dialer *dialer,
    const struct remote_options *options, const struct remote_events *events,
    void *arg) MUST_USE;

/** Whether it can be asked now. */
bool remote_is_ready(const struct store *store);

#endif
