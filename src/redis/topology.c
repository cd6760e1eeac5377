/*
 * topology: finds the servers of a topology, and places the partitions on them,
 * once.  Every partition has a place.  The heart is the table topology_kinds.
 */
#include "redis/topology.h"

#include "base/host_port.h"
#include "base/siphash.h"
#include "redis/link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What each link adds to the back-off of all, where they are many. */
#define LINK_SHARE_US INT64_C(4000)

/*
 * single: one server has all partitions; which one it is, sentinels may say.
 */

static int
topology_open_single(
    struct topology *topology, const struct topology_options *options)
{
	topology->servers = malloc(sizeof(*topology->servers));
	if (!topology->servers)
		return -1;
	topology->servers[0] = options->endpoint;
	topology->server_count = 1;
	return 0;
}

static size_t
topology_place_single(const struct topology *topology, unsigned partition)
{
	(void)topology;
	(void)partition;
	return 0;
}

/*
 * sharded: hosts that know nothing of each other.
 */

static size_t
topology_count_hosts(const char *list)
{
	struct host_port each;
	size_t count = 0;

	while (host_port_read_next(&each, &list))
		count++;
	return count;
}

static int
topology_open_sharded(
    struct topology *topology, const struct topology_options *options)
{
	const char *list = options->hosts;
	size_t count = topology_count_hosts(list);

	if (count == 0) {
		errno = EINVAL;
		return -1;
	}
	topology->hosts = calloc(count, sizeof(*topology->hosts));
	topology->servers = calloc(count, sizeof(*topology->servers));
	if (!topology->hosts || !topology->servers)
		return -1;
	while (topology->server_count < count) {
		size_t i = topology->server_count++;
		struct host_port *host = &topology->hosts[i];

		if (!host_port_read_next(host, &list))
			return -1; /* they were counted */
		topology->servers[i] = (struct endpoint){
		    "", host->host, strtol(host->port, NULL, 10)};
	}
	return 0;
}

static uint64_t
topology_score(const struct host_port *host, unsigned partition)
{
	static const struct siphash_seed zero;
	char name[HOST_PORT_NAME_MAX];
	char text[HOST_PORT_NAME_MAX + 12];
	int len;

	host_port_name(host, name);
	len = snprintf(text, sizeof(text), "%u %s", partition, name);
	return siphash128(&zero, text, (size_t)len).lo;
}

static size_t
topology_place_sharded(const struct topology *topology, unsigned partition)
{
	uint64_t best = topology_score(&topology->hosts[0], partition);
	size_t place = 0;

	for (size_t i = 1; i < topology->server_count; i++) {
		uint64_t score = topology_score(&topology->hosts[i], partition);

		if (score > best) {
			best = score;
			place = i;
		}
	}
	return place;
}

/*
 * cluster: the hosts are seeds, and a server is the node that has a
 * partition's slot.
 */

static int
topology_open_cluster(
    struct topology *topology, const struct topology_options *options)
{
	/* It is never connected to: the nodes say where the slot is. */
	static const struct endpoint named = {"cluster", "", 0};
	size_t count = (size_t)options->partitions;

	topology->servers = calloc(count, sizeof(*topology->servers));
	if (!topology->servers)
		return -1;
	topology->server_count = count;
	for (size_t i = 0; i < count; i++)
		topology->servers[i] = named;
	return 0;
}

static size_t
topology_place_cluster(const struct topology *topology, unsigned partition)
{
	(void)topology;
	return partition;
}

const struct topology_kind topology_kinds[] = {
    {"single", false, false, topology_open_single, topology_place_single},
    {"sharded", true, false, topology_open_sharded, topology_place_sharded},
    {"cluster", false, true, topology_open_cluster, topology_place_cluster},
};

const size_t topology_kind_count = COUNT(topology_kinds);

static const struct topology_kind *
topology_find_kind(const char *name)
{
	for (size_t i = 0; i < topology_kind_count; i++)
		if (strcmp(topology_kinds[i].name, name) == 0)
			return &topology_kinds[i];
	errno = EINVAL;
	return NULL;
}

bool
topology_shares_hosts(const char *kind)
{
	const struct topology_kind *found = topology_find_kind(kind);

	return found && found->shares_hosts;
}

static int
topology_open_partitions(struct topology *topology, unsigned count)
{
	topology->places = calloc(count, sizeof(*topology->places));
	if (!topology->places || partitions_open(&topology->partitions, count,
				     topology->kind->follows_slots) == -1)
		return -1;
	for (unsigned i = 0; i < count; i++)
		topology->places[i] =
		    (uint16_t)topology->kind->place(topology, i);
	return 0;
}

int
topology_open(struct topology *topology, const struct topology_options *options)
{
	int error;

	*topology =
	    (struct topology){.kind = topology_find_kind(options->kind)};
	if (topology->kind && topology->kind->open(topology, options) == 0 &&
	    topology_open_partitions(topology, (unsigned)options->partitions) ==
		0)
		return 0;
	error = errno;
	topology_close(topology);
	errno = error;
	return -1;
}

void
topology_close(struct topology *topology)
{
	partitions_close(&topology->partitions);
	free(topology->places);
	free(topology->servers);
	free(topology->hosts);
	*topology = (struct topology){0};
}

const char *
topology_slot_key(const struct topology *topology, size_t server)
{
	return topology->kind->follows_slots
		   ? partition_tag(&topology->partitions, (unsigned)server)
		   : NULL;
}

int64_t
topology_backoff_us(size_t links)
{
	int64_t backoff_us = (int64_t)links * LINK_SHARE_US;

	return backoff_us > LINK_BACKOFF_MAX_US ? backoff_us : 0;
}

unsigned
topology_count_partitions(const struct topology *topology, size_t server)
{
	unsigned count = 0;

	for (unsigned i = 0; i < topology->partitions.count; i++)
		count += topology->places[i] == server;
	return count;
}
