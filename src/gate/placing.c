#include "gate/placing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Copy what is borrowed.  Return 0, or -1. */
static int
placing_copy(struct placing *placing, struct topology_options *where)
{
	placing->host = strdup(where->endpoint.host);
	placing->hosts = strdup(where->hosts ? where->hosts : "");
	if (!placing->host || !placing->hosts)
		return -1;
	where->endpoint.host = placing->host;
	where->hosts = placing->hosts;
	placing->text = topology_record_write(where);
	return placing->text ? 0 : -1;
}

static int
placing_open(struct placing *placing, const struct topology_options *where)
{
	struct shard_options *redis = &placing->redis;

	if (placing_copy(placing, &redis->where) == -1 ||
	    topology_open(&placing->topology, &redis->where) == -1)
		return -1;
	snprintf(placing->key, sizeof(placing->key), "%s" TOPOLOGY_RECORD_KEY,
	    redis->prefix);
	placing->record = (struct link_record){placing->key, placing->text};
	redis->record = &placing->record;
	if (topology_slot_key(&placing->topology, 0))
		redis->seen = &placing->seen;
	redis->topology = &placing->topology;
	redis->link.endpoint = placing->topology.servers[0];
	if (topology_shares_hosts(where->kind))
		redis->link.sentinel.hosts = NULL;
	placing->set_backs = set_backs_new(placing->topology.server_count);
	return placing->set_backs ? 0 : -1;
}

struct placing *
placing_new(const struct shard_options *settings,
    const struct topology_options *where, struct topology_reader *reader)
{
	struct placing *placing = calloc(1, sizeof(*placing));
	int error;

	if (!placing)
		return NULL;
	placing->redis = *settings;
	placing->redis.where = *where;
	placing->seen.reader = reader;
	if (placing_open(placing, where) == 0)
		return placing;
	error = errno;
	placing_free(placing);
	errno = error;
	return NULL;
}

void
placing_free(struct placing *placing)
{
	while (placing) {
		struct placing *older = placing->older;

		set_backs_free(placing->set_backs);
		topology_close(&placing->topology);
		free(placing->text);
		free(placing->host);
		free(placing->hosts);
		free(placing);
		placing = older;
	}
}
