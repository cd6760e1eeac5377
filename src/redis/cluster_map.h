/**
 * cluster_map: which server of a Redis Cluster has a slot, as a node of it says
 * in its reply to CLUSTER SHARDS, or CLUSTER SLOTS before Redis 7.  Pure.
 *
 * A node that does not know what others are called ("?", an empty name or none)
 * means itself, or a server at its own address: see ${asked}.
 */
#ifndef REDIS_CLUSTER_MAP_H
#define REDIS_CLUSTER_MAP_H

#include "base/attr.h"
#include "base/buf.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdint.h>

enum cluster_found {
	CLUSTER_FOUND,
	CLUSTER_UNSERVED, /* no master has the slot, or one of several */
	CLUSTER_STRANGE,  /* it is no such reply */
};

/** Where the reply came from. */
struct cluster_asked {
	const char *host;
	bool tls; /* the ports for TLS are wanted */
};

struct cluster_server {
	char host[256]; /* IPv6 without brackets */
	int64_t port;
};

/** Find the master of ${slot}, the one that is online if there are several.  If
 * it is found, write where it is to ${to}, else leave that alone. */
enum cluster_found cluster_map_find(const redisReply *reply, unsigned slot,
    const struct cluster_asked *asked, struct cluster_server *to) MUST_USE;

/** Append a list (host_port.h) of the nodes that the reply names, but for those
 * that it says are not online.  Return 0, or -1 (out of memory). */
int cluster_map_list(const redisReply *reply, const struct cluster_asked *asked,
    struct buf *to) MUST_USE;

#endif
