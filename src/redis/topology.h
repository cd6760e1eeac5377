/**
 * topology: which Redis server holds which buckets.
 *
 * A key belongs to a partition (partition.h), which is always on one server.
 * The kinds of topology differ in how they find the servers and place the
 * partitions on them.  Each is a row of topology_kinds; nothing outside its row
 * asks which kind it is.
 *
 * A topology is made once, and does not change: any thread may read it.
 *
 * cluster: a server is the master of one partition's slot, wherever that is. It
 * has a link of its own, which follows the slot (sentinel.h): so trouble with a
 * slot touches only its partition, and no call is about two slots.
 *
 * sharded: partition p is on the server that scores highest, where the score is
 * the first half of SipHash-2-4 with 128 bits of "P HOST:PORT" (p in decimal,
 * the rest by host_port_name()) under the key zero, as a number.  So a server
 * that is added takes its share of the others, about 1/n of the partitions, and
 * no partition moves between those.
 */
#ifndef REDIS_TOPOLOGY_H
#define REDIS_TOPOLOGY_H

#include "base/attr.h"
#include "net/endpoint.h"
#include "redis/partition.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct host_port;
struct topology;

struct topology_options {
	const char *kind;         /* a name in topology_kinds */
	struct endpoint endpoint; /* of the server, if there is one */
	const char *hosts;        /* of the others: a list (host_port.h) */
	int64_t partitions;       /* 1 to PARTITIONS_MAX */
};

struct topology_kind {
	const char *name;

	/** Whether the hosts are the servers, which share the keys: then all
	 * daemons must have the same. */
	bool shares_hosts;

	/** Whether each partition has a server of its own, the master of its
	 * slot, which the hosts name. */
	bool follows_slots;

	/** Fill in the servers.  Return 0, or -1 with errno. */
	int (*open)(struct topology *, const struct topology_options *);

	/** The place, among the servers, of the one that has a partition. */
	size_t (*place)(const struct topology *, unsigned partition);
};

struct topology {
	const struct topology_kind *kind;
	struct partitions partitions;
	struct endpoint *servers; /* owned; the strings are ${hosts}' */
	size_t server_count;      /* at least 1 */
	struct host_port *hosts;  /* owned, in the order of servers, or NULL */
	uint16_t *places;         /* partition -> server */
};

extern const struct topology_kind topology_kinds[];
extern const size_t topology_kind_count;

/** Whether a kind shares the keys among the hosts. */
bool topology_shares_hosts(const char *kind);

/** Set up.  ${options} are borrowed.  Return 0, or -1 with errno: ENOMEM,
 * EINVAL (no such kind, or no such list of hosts). */
int topology_open(
    struct topology *topology, const struct topology_options *options) MUST_USE;

/** Free what it holds; also if all zero. */
void topology_close(struct topology *topology);

/** The partition that a key belongs to. */
static inline unsigned
topology_partition_of(
    const struct topology *topology, const char *key, size_t len)
{
	return partition_of(&topology->partitions, key, len);
}

/** The place, among the servers, of the one that has a partition. */
static inline size_t
topology_server_of(const struct topology *topology, unsigned partition)
{
	return topology->places[partition];
}

/** A key in the slot whose master the server is; NULL: it is not found so. */
const char *topology_slot_key(const struct topology *topology, size_t server);

/** The longest back-off of each of ${links} to servers: dialing hundreds that
 * are gone must leave time for all else.  0: the usual one (link.h). */
int64_t topology_backoff_us(size_t links);

/** How many partitions a server has. */
unsigned topology_count_partitions(
    const struct topology *topology, size_t server);

#endif
