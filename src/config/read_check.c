/*
 * read_check: whether the settings that were read go together.  It runs only if
 * each is right by itself.  The heart is reading_check().
 */
#include "base/host_port.h"
#include "config/internal.h"
#include "config/reading.h"
#include "config/value.h"
#include "redis/topology_record.h"
#include "store/redis/field.h"

#include <stdio.h>
#include <string.h>

bool
config_has_endpoint(const struct link_options *link)
{
	return *link->endpoint.host || *link->endpoint.unix_socket_path;
}

static bool
read_is_same_endpoint(const struct endpoint *a, const struct endpoint *b)
{
	char host[HOST_PORT_HOST_MAX], other[HOST_PORT_HOST_MAX];

	if (*a->unix_socket_path || *b->unix_socket_path)
		return strcmp(a->unix_socket_path, b->unix_socket_path) == 0;
	host_port_unify_host(a->host, host);
	host_port_unify_host(b->host, other);
	return strcmp(host, other) == 0 && a->port == b->port;
}

/* Drop a target without a server, as other programs do.  Return whether it was
 * dropped. */
static bool
read_drop_target(struct config_reading *reading, size_t i)
{
	struct distributor_options *options = &reading->config->distributor;
	struct target_options *target = &options->targets[i];
	size_t behind = options->target_count - i - 1;

	if (config_has_endpoint(&target->link))
		return false;
	reasons_add(&reading->config->warnings,
	    "%s:%u: [" SECTION_TARGET "%.*s]: ignored: host (or "
	    "unix_socket_path) is missing",
	    reading->name, reading->target_lines[i], READING_SHOWN_LEN,
	    target->name);
	memmove(target, target + 1, behind * sizeof(*target));
	memmove(&reading->target_lines[i], &reading->target_lines[i + 1],
	    behind * sizeof(*reading->target_lines));
	options->target_count--;
	return true;
}

static void
read_check_target(struct config_reading *reading, size_t i)
{
	const struct distributor_options *options =
	    &reading->config->distributor;
	const struct target_options *target = &options->targets[i];
	char section[READING_SHOWN_LEN + 1];

	/* Each message would be forwarded to where it came from. */
	if (!config_has_endpoint(&options->master) ||
	    !read_is_same_endpoint(
		&target->link.endpoint, &options->master.endpoint))
		return;
	snprintf(section, sizeof(section), SECTION_TARGET "%s", target->name);
	reading_blame(reading, reading->target_lines[i], section, NULL,
	    "is the master itself");
}

static void
read_check_distribution(struct config_reading *reading)
{
	const struct distributor_options *options =
	    &reading->config->distributor;
	size_t i = reading->first_target;

	if (!reading->has_master) {
		if (options->target_count > 0)
			reasons_add(reading->reasons,
			    "%s: [master] is missing, where there are slaves",
			    reading->name);
		return;
	}
	if (!config_has_endpoint(&options->master))
		reading_blame(reading, reading->master_line, "master", NULL,
		    "host (or unix_socket_path) is missing");
	while (i < options->target_count) {
		if (read_drop_target(reading, i))
			continue;
		read_check_target(reading, i++);
	}
	if (options->target_count == 0)
		reading_blame(reading, reading->master_line, "master", NULL,
		    "has no [slave:NAME] beside it, with a host");
}

/* Blame a setting of [redis], where it is given. */
static void
read_blame_redis(
    struct config_reading *reading, const char *name, const char *reason)
{
	reading_blame_value(reading, setting_find("redis", name), reason);
}

/* What each choice of topology needs, and its row in topology_kinds. */
static const struct {
	const char *kind;
	bool has_hosts;
	bool has_sentinels; /* the hosts are these */
	bool has_shards;    /* the hosts are servers, which share the keys */
	bool has_slots;     /* the hosts are nodes of a cluster */
} topologies[] = {
    [REDIS_SINGLE] = {.kind = "single"},
    [REDIS_SENTINEL] = {.kind = "single",
	.has_hosts = true,
	.has_sentinels = true},
    [REDIS_SHARDED] = {.kind = "sharded",
	.has_hosts = true,
	.has_shards = true},
    [REDIS_CLUSTER] = {.kind = "cluster", .has_hosts = true, .has_slots = true},
};

/* Blame a host or a port that would be ignored.  The default is none that was
 * meant; nor is what a dump has, the first of the hosts. */
static void
read_check_ignored(struct config_reading *reading, const char *name,
    const char *value, const char *first)
{
	const struct setting *setting = setting_find("redis", name);

	if (reading_source(reading, setting)->rank >=
		reading_source(reading, setting_find("redis", "hosts"))->rank &&
	    strcmp(value, setting->fallback) != 0 && strcmp(value, first) != 0)
		reading_blame_value(
		    reading, setting, "and hosts exclude each other");
}

static void
read_check_one_or_hosts(struct config_reading *reading)
{
	const struct endpoint *one = &reading->config->gate.redis.link.endpoint;
	const char *list = reading->config->redis_hosts;
	struct host_port first;
	char port[sizeof(first.port)];

	if (!host_port_read_next(&first, &list))
		return;
	snprintf(port, sizeof(port), "%d", (int)one->port);
	read_check_ignored(reading, "host", one->host, first.host);
	read_check_ignored(reading, "port", port, first.port);
	if (*one->unix_socket_path)
		read_blame_redis(reading, "unix_socket_path",
		    "and hosts exclude each other");
}

static void
read_check_hosts(struct config_reading *reading, bool has_hosts)
{
	const struct config *config = reading->config;

	if (has_hosts && !*config->redis_hosts)
		read_blame_redis(
		    reading, "topology", "needs hosts, which are missing");
	if (!has_hosts && *config->redis_hosts)
		read_blame_redis(reading, "hosts",
		    "needs topology = sentinel, sharded or cluster");
	if (has_hosts)
		read_check_one_or_hosts(reading);
}

/* The tag of a partition must be the only one in the names of its hashes. */
static void
read_check_partitions(struct config_reading *reading)
{
	const struct shard_options *redis = &reading->config->gate.redis;

	if (redis->where.partitions > 1 && strchr(redis->prefix, '{'))
		read_blame_redis(reading, "partitions",
		    "above 1 needs a [store] prefix without {");
}

/* Each host needs a partition; and the first one has what is not a bucket: the
 * limits, the channel. */
static void
read_take_shards(struct config_reading *reading)
{
	struct config *config = reading->config;
	struct endpoint *first = &config->gate.redis.link.endpoint;
	const char *list = config->redis_hosts;
	struct host_port host;
	int64_t count = 0;

	while (host_port_read_next(&host, &list))
		if (count++ == 0 &&
		    (value_set(&config->texts, setting_find("redis", "host"),
			 &first->host, host.host) == -1 ||
			value_set(&config->texts, setting_find("redis", "port"),
			    &first->port, host.port) == -1))
			read_blame_redis(reading, "hosts", "out of memory");
	if (config->gate.redis.where.partitions < count)
		read_blame_redis(reading, "hosts",
		    "needs partitions, some 16 for each host and the same in "
		    "the whole fleet");
}

/* Its names have a tag for their slot, and all that the limits need must be in
 * one slot. */
static void
read_check_cluster(struct config_reading *reading)
{
	struct config *config = reading->config;
	struct shard_options *redis = &config->gate.redis;
	const char *limits = config->control.limits_key;
	const char *errors = config->control.errors_key;

	redis->link.sentinel.cluster_key = config->topology_key;
	if (redis->link.db != 0)
		read_blame_redis(reading, "db", "is always 0 on a cluster");
	if (strchr(redis->prefix, '{'))
		read_blame_redis(reading, "topology",
		    "cluster needs a [store] prefix without {");
	if (config->limits_source == LIMITS_REDIS &&
	    partition_slot(limits, strlen(limits)) !=
		partition_slot(errors, strlen(errors)))
		read_blame_redis(reading, "topology",
		    "cluster needs a [control] limits_key and errors_key "
		    "with the same {tag}");
}

static void
read_check_topology(struct config_reading *reading)
{
	struct config *config = reading->config;
	struct shard_options *redis = &config->gate.redis;
	enum redis_topology chosen = config->redis_topology;
	char key[FIELD_PREFIX_MAX + sizeof(TOPOLOGY_RECORD_KEY)];

	read_check_hosts(reading, topologies[chosen].has_hosts);
	read_check_partitions(reading);
	if (redis->link.sentinel.tls && !redis->link.tls.on)
		read_blame_redis(reading, "sentinel_tls", "needs tls = yes");
	if (topologies[chosen].has_shards && reading->reasons->count == 0)
		read_take_shards(reading);
	snprintf(key, sizeof(key), "%s" TOPOLOGY_RECORD_KEY, redis->prefix);
	config->topology_key = config_texts_add(&config->texts, key);
	if (!config->topology_key)
		read_blame_redis(reading, "topology", "out of memory");
	redis->where.kind = topologies[chosen].kind;
	redis->where.hosts = config->redis_hosts;
	redis->link.sentinel.hosts =
	    topologies[chosen].has_sentinels || topologies[chosen].has_slots
		? config->redis_hosts
		: NULL;
	if (topologies[chosen].has_slots)
		read_check_cluster(reading);
}

static void
read_check_password(struct config_reading *reading, unsigned line,
    const char *section, const struct link_options *link)
{
	if (*link->password && *link->password_file)
		reading_blame(reading, line, section, "password_file",
		    "and password exclude each other");
}

static void
read_check_passwords(struct config_reading *reading)
{
	const struct config *config = reading->config;
	const struct {
		const char *section;
		const struct link_options *link;
	} servers[] = {{"redis", &config->gate.redis.link},
	    {"control", &config->control.link},
	    {"master", &config->distributor.master}};

	for (size_t i = 0; i < COUNT(servers); i++)
		read_check_password(reading,
		    reading->given[setting_find(
				       servers[i].section, "password_file") -
				   settings],
		    servers[i].section, servers[i].link);
	for (size_t i = 0; i < config->distributor.target_count; i++) {
		char section[READING_SHOWN_LEN + 1];

		snprintf(section, sizeof(section), SECTION_TARGET "%s",
		    config->distributor.targets[i].name);
		read_check_password(reading, reading->target_lines[i], section,
		    &config->distributor.targets[i].link);
	}
}

static void
read_check_hidden(struct config_reading *reading)
{
	const struct shard_options *redis = &reading->config->gate.redis;

	if (redis->hide_limits && !*redis->key_secrets)
		reading_blame_value(reading,
		    setting_find("store", "hide_limits"),
		    "needs key_secrets, which hide the names");
}

/* There is no Redis for it. */
static void
read_warn_of_caches(struct config_reading *reading)
{
	struct config *config = reading->config;

	for (size_t i = 0; i < config->upstream_count; i++)
		if (config->upstreams[i].cache == UPSTREAM_CACHE_REDIS &&
		    config->gate.store == STORE_MEMORY)
			reasons_add(&config->warnings,
			    "[" SECTION_UPSTREAM "%.*s] cache: redis needs "
			    "[store] type = redis: responses are in memory "
			    "alone",
			    READING_SHOWN_LEN, config->upstreams[i].name);
}

void
reading_check(struct config_reading *reading)
{
	read_warn_of_caches(reading);
	read_check_hidden(reading);
	read_check_passwords(reading);
	read_check_topology(reading);
	read_check_distribution(reading);
}
