#include "store/redis/presence.h"

#include "base/clock.h"

static struct servers *
presence_servers(const struct presence *presence)
{
	return presence->common->options->servers;
}

static void
presence_settle(struct presence *presence)
{
	const struct shard_common *common = presence->common;

	if (presence->settled)
		return;
	presence->settled = true;
	common->events->settled(common->arg);
}

/* The server can be asked.  It is another one than before if the link followed
 * a slot, or asked who is the master. */
static void
presence_come(struct presence *presence)
{
	const struct shard_common *common = presence->common;
	struct servers *servers = presence_servers(presence);
	int64_t now_us = clock_us();

	if (presence->is_here) {
		servers_detach(servers, presence->server, true);
		presence->server = NULL;
	}
	presence->is_here = true;
	presence->server = servers_attach(
	    servers, presence->server, link_name(presence->link), now_us);
	if (presence->was_here)
		server_count(&presence->server->reconnects);
	presence->was_here = true;
	if (servers_note_up(servers, presence->server, now_us))
		common->events->outage(common->arg, true);
	presence_settle(presence);
}

static void
presence_on_over(void *arg)
{
	struct presence *presence = arg;

	if (!presence->is_here)
		presence_come(presence);
}

static void
presence_on_late(void *arg)
{
	struct presence *presence = arg;

	log_limited(&presence->limiter, LOG_LEVEL_WARNING,
	    "redis %s: not used until it is known which topology stands in "
	    "the cluster",
	    link_name(presence->link));
	presence_settle(presence);
}

void
presence_start(struct presence *presence, const struct shard_common *common,
    struct link *link)
{
	static const struct hold_events events = {
	    presence_on_over, presence_on_late};
	const struct shard_options *options = common->options;

	*presence = (struct presence){.common = common, .link = link};
	presence->server =
	    servers_attach(options->servers, NULL, link_name(link), clock_us());
	presence->hold = (struct hold){.seen = options->seen,
	    .events = &events,
	    .arg = presence,
	    .patience_us = options->link.connect_timeout_us};
	hold_init(&presence->hold, common->loop);
}

void
presence_up(struct presence *presence)
{
	int64_t since_us = link_up_since_us(presence->link);

	if (presence->is_here)
		hold_skip(&presence->hold, since_us);
	else if (hold_start(&presence->hold, since_us))
		return;
	presence_come(presence);
}

void
presence_down(struct presence *presence)
{
	const struct shard_common *common = presence->common;

	hold_stop(&presence->hold);
	if (servers_note_down(presence_servers(presence), presence->server,
		presence->is_here, clock_us()))
		common->events->outage(common->arg, false);
	presence->is_here = false;
	presence_settle(presence);
}

/* The server may have closed a link that was idle. */
bool
presence_may_send(struct presence *presence)
{
	if (!presence->hold.seen)
		return true;
	link_look(presence->link);
	return link_is_up(presence->link) &&
	       !hold_start(&presence->hold, link_up_since_us(presence->link));
}

void
presence_end(struct presence *presence)
{
	hold_stop(&presence->hold);
	servers_detach(
	    presence_servers(presence), presence->server, presence->is_here);
}
