/**
 * sentinel: which server is the master now, by Redis Sentinel; or which has a
 * slot, by a node of a Redis Cluster.
 *
 * Keeps a link to one of the sentinels, the next one if that is lost or was
 * wrong; of a cluster, also to nodes that others have named.  Asks it at
 * sentinel_ask(), then five times a second until sentinel_reached(), and then
 * once a second (a cluster: a minute), and when a sentinel publishes
 * +switch-master, since a master may be replaced while the old one still
 * replies (https://redis.io/docs/latest/develop/reference/sentinel-clients/).
 */
#ifndef REDIS_SENTINEL_H
#define REDIS_SENTINEL_H

#include "base/attr.h"
#include "redis/link.h"

struct sentinel_events {
	/** The reply to sentinel_ask(); the endpoint is valid until the next
	 * event. */
	void (*found)(const struct endpoint *master, void *arg);

	/** A sentinel was asked and does not know; the log says why. */
	void (*unknown)(void *arg);

	/** Not asked for: another one than was found is the master. */
	void (*moved)(const struct endpoint *master, void *arg);
};

struct sentinel;

/** Start connecting to the sentinels of ${options}, which are borrowed. Nothing
 * is called from within.  NULL: out of memory. */
struct sentinel *sentinel_new(struct loop *loop, struct dialer *dialer,
    const struct link_options *options, const struct sentinel_events *events,
    void *arg) MUST_USE;

/** Free it, or NULL. */
void sentinel_free(struct sentinel *sentinel);

/** Ask, as soon as a sentinel can be asked; found or unknown is called once,
 * later. */
void sentinel_ask(struct sentinel *sentinel);

/** The master that was found is connected to.  NULL: no-op. */
void sentinel_reached(struct sentinel *sentinel);

/** ${master} is the master, as the one that was found says itself.  Return it,
 * valid until the next event. */
const struct endpoint *sentinel_correct(
    struct sentinel *sentinel, const struct endpoint *master);

/** What to call the server before it is found. */
const char *sentinel_sought(const struct sentinel_options *options);

/** Why it is not known which server it is; ${replied}: one of the hosts did
 * reply. */
const char *sentinel_blame(const struct sentinel *sentinel, bool replied);

/** The server that was found is no master, or has failed: ask another sentinel
 * from now on. */
void sentinel_distrust(struct sentinel *sentinel);

#endif
