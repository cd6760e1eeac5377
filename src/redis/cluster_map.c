/*
 * Reads the two forms in which a node of a cluster says who has which slots:
 * names and values in turn (SHARDS), or lists by position (SLOTS).  Nothing in
 * a reply is taken for granted.  The heart is cluster_map_find().
 */
#include "redis/cluster_map.h"

#include "base/host_port.h"
#include "net/endpoint.h"

#include <stdio.h>
#include <string.h>

#define PORT_MAX 65535

static bool
cluster_map_is_array(const redisReply *reply)
{
	return reply && reply->type == REDIS_REPLY_ARRAY;
}

/* The value of a name; NULL: there is none. */
static const redisReply *
cluster_map_value(const redisReply *pairs, const char *name)
{
	for (size_t i = 0; i + 1 < pairs->elements; i += 2) {
		const redisReply *each = pairs->element[i];

		if (each->type == REDIS_REPLY_STRING &&
		    strcmp(each->str, name) == 0)
			return pairs->element[i + 1];
	}
	return NULL;
}

static bool
cluster_map_is_text(const redisReply *reply, const char *text)
{
	return reply && reply->type == REDIS_REPLY_STRING &&
	       strcmp(reply->str, text) == 0;
}

/* Whether a range, its first number at ${at}, has the slot. */
static bool
cluster_map_has(const redisReply *list, size_t at, unsigned slot)
{
	const redisReply *first, *last;

	if (at + 1 >= list->elements)
		return false;
	first = list->element[at];
	last = list->element[at + 1];
	return first->type == REDIS_REPLY_INTEGER &&
	       last->type == REDIS_REPLY_INTEGER && first->integer <= slot &&
	       last->integer >= slot;
}

/* Write where a server is.  Return whether it can be used. */
static bool
cluster_map_take(const redisReply *name, const redisReply *port,
    const struct cluster_asked *asked, struct cluster_server *to)
{
	const char *host = asked->host;

	if (!port || port->type != REDIS_REPLY_INTEGER || port->integer < 1 ||
	    port->integer > PORT_MAX)
		return false;
	if (name && name->type == REDIS_REPLY_STRING && *name->str &&
	    strcmp(name->str, "?") != 0)
		host = name->str;
	if (strlen(host) >= sizeof(to->host))
		return false;
	snprintf(to->host, sizeof(to->host), "%s", host);
	to->port = port->integer;
	return true;
}

/*
 * CLUSTER SHARDS: [slots [0 99 200 299], nodes [[id X, port 1, ...]]].
 */

static bool
cluster_map_shard_has(const redisReply *shard, unsigned slot)
{
	const redisReply *slots = cluster_map_value(shard, "slots");

	if (!cluster_map_is_array(slots))
		return false;
	for (size_t i = 0; i < slots->elements; i += 2)
		if (cluster_map_has(slots, i, slot))
			return true;
	return false;
}

/* After a failover both may be masters for a moment, and one of them dead.  If
 * both seem to be online, it is not said which of them has the slots. */
static enum cluster_found
cluster_map_find_in_shard(const redisReply *shard,
    const struct cluster_asked *asked, struct cluster_server *to)
{
	const redisReply *nodes = cluster_map_value(shard, "nodes");
	enum cluster_found found = CLUSTER_UNSERVED;
	struct cluster_server at;
	unsigned online = 0;

	if (!cluster_map_is_array(nodes))
		return CLUSTER_STRANGE;
	for (size_t i = 0; i < nodes->elements; i++) {
		const redisReply *node = nodes->element[i];
		bool is_online;

		if (!cluster_map_is_array(node) ||
		    !cluster_map_is_text(
			cluster_map_value(node, "role"), "master"))
			continue;
		is_online = cluster_map_is_text(
		    cluster_map_value(node, "health"), "online");
		online += is_online;
		if ((is_online || found != CLUSTER_FOUND) &&
		    cluster_map_take(cluster_map_value(node, "endpoint"),
			cluster_map_value(
			    node, asked->tls ? "tls-port" : "port"),
			asked, &at))
			found = CLUSTER_FOUND;
	}
	if (online > 1)
		return CLUSTER_UNSERVED;
	if (found == CLUSTER_FOUND)
		*to = at;
	return found;
}

/*
 * CLUSTER SLOTS: [0, 99, [HOST, PORT, ID, ...], replicas...].
 */

static enum cluster_found
cluster_map_find_in_range(const redisReply *range,
    const struct cluster_asked *asked, struct cluster_server *to)
{
	const redisReply *master =
	    range->elements > 2 ? range->element[2] : NULL;

	if (!cluster_map_is_array(master) || master->elements < 2)
		return CLUSTER_STRANGE;
	return cluster_map_take(
		   master->element[0], master->element[1], asked, to)
		   ? CLUSTER_FOUND
		   : CLUSTER_UNSERVED;
}

static bool
cluster_map_is_shard(const redisReply *entry)
{
	return cluster_map_value(entry, "slots") != NULL;
}

enum cluster_found
cluster_map_find(const redisReply *reply, unsigned slot,
    const struct cluster_asked *asked, struct cluster_server *to)
{
	if (!cluster_map_is_array(reply))
		return CLUSTER_STRANGE;
	for (size_t i = 0; i < reply->elements; i++) {
		const redisReply *entry = reply->element[i];

		if (!cluster_map_is_array(entry))
			return CLUSTER_STRANGE;
		if (cluster_map_is_shard(entry)) {
			if (cluster_map_shard_has(entry, slot))
				return cluster_map_find_in_shard(
				    entry, asked, to);
		} else if (cluster_map_has(entry, 0, slot)) {
			return cluster_map_find_in_range(entry, asked, to);
		}
	}
	return CLUSTER_UNSERVED;
}

/*
 * All nodes.
 */

static int
cluster_map_add(const redisReply *name, const redisReply *port,
    const struct cluster_asked *asked, struct buf *to)
{
	struct cluster_server at;
	struct host_port read;
	char text[ENDPOINT_NAME_MAX];

	if (!cluster_map_take(name, port, asked, &at))
		return 0;
	endpoint_name(&(struct endpoint){"", at.host, at.port}, text);
	if (!host_port_read(&read, text) || strchr(text, ' '))
		return 0;
	return buf_printf(to, "%s%s", buf_len(to) > 0 ? " " : "", text);
}

static int
cluster_map_list_shard(
    const redisReply *shard, const struct cluster_asked *asked, struct buf *to)
{
	const redisReply *nodes = cluster_map_value(shard, "nodes");

	for (size_t i = 0; cluster_map_is_array(nodes) && i < nodes->elements;
	     i++) {
		const redisReply *node = nodes->element[i];

		if (cluster_map_is_array(node) &&
		    cluster_map_is_text(
			cluster_map_value(node, "health"), "online") &&
		    cluster_map_add(cluster_map_value(node, "endpoint"),
			cluster_map_value(
			    node, asked->tls ? "tls-port" : "port"),
			asked, to) == -1)
			return -1;
	}
	return 0;
}

static int
cluster_map_list_range(
    const redisReply *range, const struct cluster_asked *asked, struct buf *to)
{
	for (size_t i = 2; i < range->elements; i++) {
		const redisReply *node = range->element[i];

		if (cluster_map_is_array(node) && node->elements >= 2 &&
		    cluster_map_add(
			node->element[0], node->element[1], asked, to) == -1)
			return -1;
	}
	return 0;
}

int
cluster_map_list(
    const redisReply *reply, const struct cluster_asked *asked, struct buf *to)
{
	for (size_t i = 0; cluster_map_is_array(reply) && i < reply->elements;
	     i++) {
		const redisReply *entry = reply->element[i];
		int error = 0;

		if (cluster_map_is_array(entry))
			error = cluster_map_is_shard(entry)
				    ? cluster_map_list_shard(entry, asked, to)
				    : cluster_map_list_range(entry, asked, to);
		if (error == -1)
			return -1;
	}
	return 0;
}
