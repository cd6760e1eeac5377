/**
 * partition: a share of all keys that is always on one server.  Pure.
 *
 * The slot of a key is that of Redis Cluster: the CRC16 (XMODEM) of the key, or
 * of what stands between its first "{" and the next "}" unless that is nothing,
 * modulo 16384.  Partition p of P has the p-th of P equal ranges of slots.
 *
 * The hashes of a partition have the tag "{T}:" in their names, where T is the
 * smallest decimal number whose slot is in that range: so the partitions are as
 * even as the slots of a cluster are.  A single partition has no tag, except on
 * a cluster.
 */
#ifndef REDIS_PARTITION_H
#define REDIS_PARTITION_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>

#define PARTITIONS_MAX    1024
#define PARTITION_SLOTS   16384
#define PARTITION_TAG_MAX 8 /* "{12345}:" */

struct partitions {
	unsigned count;                      /* 1 to PARTITIONS_MAX */
	char (*tags)[PARTITION_TAG_MAX + 1]; /* one a partition; NULL: none */
};

/** Make ${count} of them; with ${tagged}, a single one has a tag, too.  Return
 * 0, or -1 (out of memory). */
int partitions_open(
    struct partitions *partitions, unsigned count, bool tagged) MUST_USE;

/** Free what it holds; also if all zero. */
void partitions_close(struct partitions *partitions);

/** The slot of a key. */
unsigned partition_slot(const char *key, size_t len);

/** The partition of a key, from 0. */
static inline unsigned
partition_of(const struct partitions *partitions, const char *key, size_t len)
{
	if (partitions->count == 1)
		return 0;
	return partition_slot(key, len) * partitions->count / PARTITION_SLOTS;
}

/** What follows the prefix in the names of its hashes. */
static inline const char *
partition_tag(const struct partitions *partitions, unsigned partition)
{
	return partitions->tags ? partitions->tags[partition] : "";
}

#endif
