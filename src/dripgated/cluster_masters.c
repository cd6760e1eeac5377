/*
 * Asks one master for the slots of all, and looks up the partitions.  Whatever
 * happens, it is done once.  The heart is cluster_masters_on_reply().
 */
#include "dripgated/cluster_masters.h"

#include "base/clock.h"
#include "base/log.h"
#include "net/endpoint.h"
#include "redis/partition.h"

#include <stdlib.h>
#include <string.h>

/* A reply about 1000 nodes takes its time. */
#define REPLY_US INT64_C(5000000)

struct cluster_masters {
	const struct link_options *options;
	const struct topology *topology;
	const struct cluster_masters_events *events;
	void *arg;
	struct link *link; /* to the master that is asked */
	struct command command;
	struct cluster_server *seen; /* one a partition, at most */
	size_t count;                /* of these */
	unsigned unserved;           /* partitions without a master */
	bool is_done;
};

static void
cluster_masters_end(struct cluster_masters *masters, bool is_fine)
{
	if (masters->is_done)
		return;
	masters->is_done = true;
	masters->events->done(is_fine, masters->arg);
}

static bool
cluster_masters_is(
    const struct cluster_server *a, const char *host, int64_t port)
{
	return a->port == port && strcmp(a->host, host) == 0;
}

static void
cluster_masters_take(
    struct cluster_masters *masters, const struct cluster_server *at)
{
	const struct endpoint *asked = link_endpoint(masters->link);

	for (size_t i = 0; i < masters->count; i++)
		if (cluster_masters_is(&masters->seen[i], at->host, at->port))
			return;
	masters->seen[masters->count++] = *at;
	if (!cluster_masters_is(at, asked->host, asked->port))
		masters->events->found(at, masters->arg);
}

static void
cluster_masters_find(struct cluster_masters *masters, const redisReply *reply,
    unsigned partition)
{
	const char *tag =
	    partition_tag(&masters->topology->partitions, partition);
	const struct cluster_asked asked = {link_endpoint(masters->link)->host,
	    masters->options->tls_context != NULL};
	struct cluster_server at;

	if (cluster_map_find(reply, partition_slot(tag, strlen(tag)), &asked,
		&at) == CLUSTER_FOUND)
		cluster_masters_take(masters, &at);
	else
		masters->unserved++;
}

static void
cluster_masters_on_reply(const redisReply *reply, void *arg)
{
	struct cluster_masters *masters = arg;
	unsigned count = masters->topology->partitions.count;

	if (!reply)
		return; /* cluster_masters_on_down() follows */
	if (reply->type == REDIS_REPLY_ERROR) {
		log_warning(
		    "redis %s: %s", link_name(masters->link), reply->str);
		cluster_masters_end(masters, false);
		return;
	}
	for (unsigned i = 0; i < count; i++)
		cluster_masters_find(masters, reply, i);
	if (masters->unserved > 0)
		log_warning("redis %s: %u of %u partitions have no master: see "
			    "redis-cli --cluster check",
		    link_name(masters->link), masters->unserved, count);
	cluster_masters_end(masters, masters->unserved == 0);
}

/* Not SHARDS: SLOTS is in all versions, and names also masters that failed. */
static void
cluster_masters_on_up(void *arg)
{
	struct cluster_masters *masters = arg;

	command_start(&masters->command, 2);
	command_add_text(&masters->command, "CLUSTER");
	command_add_text(&masters->command, "SLOTS");
	if (link_call(masters->link, &masters->command, clock_us() + REPLY_US,
		cluster_masters_on_reply, masters) == 0)
		link_flush(masters->link);
	else
		cluster_masters_end(masters, false);
}

static void
cluster_masters_on_down(void *arg)
{
	cluster_masters_end(arg, false);
}

struct cluster_masters *
cluster_masters_new(struct loop *loop, struct dialer *dialer,
    const struct link_options *options, const struct topology *topology,
    const struct cluster_masters_events *events, void *arg)
{
	static const struct link_events link_events = {
	    .up = cluster_masters_on_up, .down = cluster_masters_on_down};
	struct cluster_masters *masters = calloc(1, sizeof(*masters));

	if (!masters)
		return NULL;
	*masters = (struct cluster_masters){.options = options,
	    .topology = topology,
	    .events = events,
	    .arg = arg};
	masters->seen =
	    calloc(topology->partitions.count, sizeof(*masters->seen));
	if (masters->seen)
		masters->link =
		    link_new(loop, dialer, options, &link_events, masters);
	if (masters->link)
		return masters;
	cluster_masters_free(masters);
	return NULL;
}

void
cluster_masters_free(struct cluster_masters *masters)
{
	if (!masters)
		return;
	masters->is_done = true;
	link_free(masters->link);
	command_free(&masters->command);
	free(masters->seen);
	free(masters);
}
