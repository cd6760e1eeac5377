/**
 * placing: where the buckets in Redis are: a topology, and all that goes with
 * it.
 *
 * It does not change.  If the topology does, there is a new placing; each
 * worker moves to it, and the ones before stay until the process ends, since
 * they are few.
 */
#ifndef GATE_PLACING_H
#define GATE_PLACING_H

#include "base/attr.h"
#include "redis/topology_record.h"
#include "store/redis/field.h"
#include "store/redis/set_backs.h"
#include "store/redis/shard.h"

struct placing {
	struct topology topology;
	struct shard_options redis;  /* those of the settings, with this one */
	struct set_backs *set_backs; /* what sweeps_trim() is to be told */
	struct placing *older;       /* those before, owned */

	/* what stands in Redis for it */
	char key[FIELD_PREFIX_MAX + sizeof(TOPOLOGY_RECORD_KEY)];
	char *text;
	struct link_record record; /* these two */
	struct topology_seen seen; /* what is known of it on a cluster */

	char *host, *hosts; /* of the topology; owned */
};

/** Make one of ${where}, whose strings it copies, with settings that are
 * borrowed.  The record is read by ${reader}, borrowed.  NULL with errno:
 * ENOMEM, EINVAL (no such topology). */
struct placing *placing_new(const struct shard_options *settings,
    const struct topology_options *where,
    struct topology_reader *reader) MUST_USE;

/** Free it, and those before it; NULL: no-op. */
void placing_free(struct placing *placing);

#endif
