/**
 * shard: one Redis server and the batches on their way to it.
 *
 * Owns: one link, the batches that are filled, wait, or are in flight.
 * Never: knows other servers: what happens to one delays no other.
 *
 * The queries of one loop turn become one call of a script, which decides many
 * buckets; while ${inflight} calls are out, the next batch fills up.  Queries
 * about one bucket are one entry of the batch, in the order they came.  The
 * script replies with what each bucket was before; the shard repeats the
 * decisions from that (limit/algorithm.h), so that each query gets its own
 * exact result.
 *
 * A query gets RESULT_UNAVAILABLE at once while the link is down, or it is not
 * known whether the topology is in force (hold.h), and otherwise
 * when it is as old as socket_timeout.  The link stays up then: the server has
 * that long to reply from when the call was sent, so that many queries at once
 * do not bring the link down.
 */
#ifndef STORE_REDIS_SHARD_H
#define STORE_REDIS_SHARD_H

#include "base/attr.h"
#include "redis/link.h"
#include "redis/topology.h"
#include "redis/topology_seen.h"
#include "stats/servers.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

struct key_secrets;
struct key_names;

/** How servers are used. */
struct shard_options {
	struct link_options link;
	const char *prefix;          /* of the names of all hashes */
	const char *key_secrets;     /* a file; "": fields are keys */
	bool hide_limits;            /* they hide the names of limits, too */
	struct key_secrets *secrets; /* of that, or NULL */
	int64_t inflight;            /* calls out at a time, 1..64 */
	int64_t wait_replicas;       /* that must have what was decided */
	struct servers *servers; /* where what becomes of calls is counted */
	struct topology_options where;    /* without its endpoint */
	const struct topology *topology;  /* of that, of the whole process */
	const struct link_record *record; /* of it; NULL: none is needed */
	const struct topology_seen *seen; /* instead of that, on a cluster */
};

/** How to connect to the server at ${place} in the topology, for ${role}. */
static inline struct link_options
shard_link_options(
    const struct shard_options *options, size_t place, const char *role)
{
	struct link_options link = options->link;

	link.role = role;
	link.endpoint = options->topology->servers[place];
	link.sentinel.cluster_key = topology_slot_key(options->topology, place);
	link.kind = LINK_TO_MASTER;
	link.backoff_max_us =
	    topology_backoff_us(options->topology->server_count);
	if (!link.sentinel.cluster_key) /* there it is on one master only */
		link.record = options->record;
	return link;
}

struct shard_events {
	/** The first attempt to connect succeeded or failed. */
	void (*settled)(void *arg);

	/** Some server cannot be asked, and all could before, or the process
	 * has just started; called before a query falls back for that.  Or all
	 * can be asked again. */
	void (*outage)(void *arg, bool is_over);

	/** A batch of ${entries} buckets went out. */
	void (*sent)(void *arg, unsigned entries);

	/** ${buckets} fields held a text that is not a bucket's, or their key
	 * in Redis is not a hash. */
	void (*foreign)(void *arg, unsigned buckets);

	/** The clock of the server at ${place} in the topology was set back by
	 * ${back_us}, some time after ${since_us} of ours. */
	void (*set_back)(
	    void *arg, size_t place, int64_t back_us, int64_t since_us);
};

/** What all shards of a store have in common. */
struct shard_common {
	struct loop *loop;
	struct dialer *dialer;
	const struct shard_options *options; /* borrowed */
	const struct shard_events *events;
	void *arg;               /* of the events */
	struct key_names *names; /* of fields; NULL: the keys */
	const char *role;        /* of the links */
};

struct shard;

/** Start connecting to the server at ${place} in the topology of the options.
 * Everything is borrowed.  NULL: out of memory. */
struct shard *shard_new(
    const struct shard_common *common, size_t place) MUST_USE;

/** Free it; NULL: no-op.  Open queries get RESULT_UNAVAILABLE first. */
void shard_free(struct shard *shard);

/** As store_query(). */
bool shard_query(struct shard *shard, struct query *query);

/** As store_flush(). */
void shard_flush(struct shard *shard);

/** As store_trim(). */
size_t shard_trim(struct shard *shard);

/** Whether it can take more queries and give them results in time, judging by
 * how fast the server has been. */
bool shard_has_room(const struct shard *shard);

/** Whether it takes queries now. */
bool shard_is_ready(const struct shard *shard);

#endif
