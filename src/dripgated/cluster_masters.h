/**
 * cluster_masters: which masters of a cluster have the partitions, as the one
 * that has the topology's record says.
 *
 * Owns: one link.
 */
#ifndef DRIPGATED_CLUSTER_MASTERS_H
#define DRIPGATED_CLUSTER_MASTERS_H

#include "base/attr.h"
#include "redis/cluster_map.h"
#include "redis/link.h"
#include "redis/topology.h"

#include <stdbool.h>
#include <stddef.h>

struct cluster_masters_events {
	/** A master has a partition.  Called once for each of them, but for the
	 * one that was asked. */
	void (*found)(const struct cluster_server *master, void *arg);

	/** Those were all; ${is_fine}: each partition has one.  If not, the log
	 * says what is wrong. */
	void (*done)(bool is_fine, void *arg);
};

struct cluster_masters;

/** Start.  All that is given is borrowed.  Nothing is called from within; done
 * comes once, later.  NULL: out of memory. */
struct cluster_masters *cluster_masters_new(struct loop *loop,
    struct dialer *dialer, const struct link_options *options,
    const struct topology *topology,
    const struct cluster_masters_events *events, void *arg) MUST_USE;

/** Free it; NULL: no-op.  Not from within an event. */
void cluster_masters_free(struct cluster_masters *masters);

#endif
