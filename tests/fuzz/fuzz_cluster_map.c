/*
 * Any reply to CLUSTER SHARDS or SLOTS: a slot has a server with a name and a
 * port, or none, and then nothing is written; the nodes are a list.  The same
 * of an error that may say where a slot is.
 */
#include "base/host_port.h"
#include "fuzz.h"
#include "redis/cluster_map.h"
#include "redis/partition.h"
#include "redis/redirect.h"
#include "redis/reply_reader.h"

static void
find(const redisReply *reply, unsigned slot, bool tls)
{
	const struct cluster_asked asked = {"asked", tls};
	struct cluster_server server = {"", 0};

	if (cluster_map_find(reply, slot, &asked, &server) == CLUSTER_FOUND)
		check(*server.host && server.port >= 1 && server.port <= 65535);
	else
		check(!*server.host && server.port == 0);
}

static void
list(const redisReply *reply, bool tls)
{
	const struct cluster_asked asked = {"asked", tls};
	struct host_port each;
	struct buf nodes = {0};
	const char *at;

	check(cluster_map_list(reply, &asked, &nodes) == 0);
	check(buf_add(&nodes, "", 1) == 0);
	at = buf_data(&nodes);
	while (host_port_read_next(&each, &at))
		;
	check(at == buf_data(&nodes) + buf_len(&nodes) - 1);
	buf_free(&nodes);
}

static void
redirect(const redisReply *reply)
{
	struct cluster_server server = {"", 0};

	if (redirect_read(reply, "asked", &server) == REDIRECT_NONE)
		check(!*server.host && server.port == 0);
	else
		check(*server.host && server.port >= 1 && server.port <= 65535);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reply_reader reader = {0};
	const redisReply *reply;
	const char *reason = NULL;

	check(reply_reader_open(&reader, 0) == 0);
	if (size > 0 && !reply_reader_feed(&reader, (const char *)data, size)) {
		while ((reply = reply_reader_next(&reader, &reason))) {
			find(reply, 0, false);
			find(reply, 99, true);
			find(reply, PARTITION_SLOTS - 1, false);
			list(reply, false);
			list(reply, true);
			redirect(reply);
		}
	}
	reply_reader_free(&reader);
	return 0;
}
