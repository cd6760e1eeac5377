/*
 * Asks each server for its record of the topology, and uses the first record
 * that it finds.  Once that is another, all links are made again, from a timer:
 * no link may be freed by its own event.  The heart is
 * topology_follower_judge().
 */
#include "control/topology_follower.h"

#include "base/clock.h"
#include "base/host_port.h"
#include "base/log.h"
#include "base/random.h"
#include "net/timer.h"
#include "redis/reply.h"
#include "redis/topology_record.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* From one poll to the next, +-20 %. */
#define POLL_US INT64_C(1000000)

/* No client waits for a poll's reply. */
#define REPLY_US INT64_C(2000000)

/* What a server says. */
enum says {
	SAYS_NOTHING, /* it did not reply yet, or is not there */
	SAYS_UNKNOWN, /* it does not let us know */
	SAYS_SAME,
	SAYS_OTHER,
};

struct followed {
	struct topology_follower *follower;
	char name[HOST_PORT_NAME_MAX]; /* in a record; "": it has none */
	struct link_options options;
	struct link *link;
	struct command command;
	bool is_out;      /* a call */
	int64_t asked_us; /* when that was made */
	bool again;       /* make another one when its reply is there */
	bool writes;      /* that call does */
	bool may_write;   /* it has not been refused since the link came up */
	bool is_heard;    /* it has replied once, or was not there */
	enum says says;
};

struct topology_follower {
	struct loop *loop;
	struct dialer *dialer;
	const struct topology_follower_options *options;
	const struct topology_follower_events *events;
	void *arg;

	/* in use */
	struct topology_options where;
	struct topology_record record; /* that it is from; else all zero */
	struct host_port first;        /* room for its one host */
	struct topology topology;
	char *text;   /* as it is to stand in Redis */
	bool is_read; /* what stands there is known */

	struct followed *servers; /* in the order of the topology's */
	size_t server_count;      /* one on a cluster: who has the key */
	struct timer poll;
	struct timer restart; /* the links are to be made again */
	struct log_limiter limiter;
	_Atomic bool is_settled;
};

static void
topology_follower_close(struct topology_follower *follower)
{
	for (size_t i = 0; follower->servers && i < follower->server_count;
	     i++) {
		link_free(follower->servers[i].link);
		command_free(&follower->servers[i].command);
	}
	free(follower->servers);
	follower->servers = NULL;
	topology_close(&follower->topology);
}

/* Use what stands at a server. */
static void
topology_follower_take(struct topology_follower *follower,
    const struct followed *server, const redisReply *reply)
{
	const struct topology_options *settings = &follower->options->where;
	struct topology_record record;
	struct host_port first = {"", ""};
	struct topology_options where;
	char *text;

	if (topology_record_read(&record, reply->str, reply->len))
		return; /* it would not be another one */
	where = topology_record_apply(&record, settings, &first);
	text = topology_record_write(&where);
	if (!text || follower->events->changed(&where, follower->arg) == -1) {
		log_limited(&follower->limiter, LOG_LEVEL_ERROR,
		    "the topology that stands in redis %s is not used: %m",
		    link_name(server->link));
		free(text);
		topology_record_close(&record);
		return;
	}
	log_warning("topology: %s stands in redis %s and is used, instead of "
		    "%s%s",
	    text, link_name(server->link), follower->text,
	    follower->record.hosts ? "" : " of the settings");
	topology_record_close(&follower->record);
	follower->record = record;
	follower->first = first;
	follower->where = where;
	if (where.endpoint.host == first.host)
		follower->where.endpoint.host = follower->first.host;
	free(follower->text);
	follower->text = text;
	timer_set(&follower->restart, 0);
}

static void
topology_follower_settle(struct followed *server)
{
	struct topology_follower *follower = server->follower;

	server->is_heard = true;
	for (size_t i = 0; i < follower->server_count; i++)
		if (!follower->servers[i].is_heard)
			return;
	follower->is_settled = true;
}

static bool
topology_follower_tells(const struct followed *server)
{
	return server->says == SAYS_SAME || server->says == SAYS_OTHER;
}

/* The first server that says anything, if it is before this one; else NULL. */
static const struct followed *
topology_follower_first(const struct followed *server)
{
	for (const struct followed *each = server->follower->servers;
	     each < server; each++)
		if (topology_follower_tells(each))
			return each;
	return NULL;
}

static bool
topology_follower_name_tells(const char *name, const void *arg)
{
	const struct topology_follower *follower = arg;

	for (size_t i = 0; i < follower->server_count; i++)
		if (topology_follower_tells(&follower->servers[i]) &&
		    strcmp(name, follower->servers[i].name) == 0)
			return true;
	return false;
}

/* Whether what stands at a server counts though ${first} says something, too.
 */
static bool
topology_follower_leaves_out(const struct followed *first,
    const struct followed *server, const redisReply *text)
{
	struct topology_record record;
	bool result;

	if (server->says != SAYS_OTHER ||
	    topology_record_read(&record, text->str, text->len))
		return false;
	result = topology_record_leaves_out(&record, first->name, server->name,
	    topology_follower_name_tells, server->follower);
	topology_record_close(&record);
	return result;
}

static enum says
topology_follower_compare(const struct followed *server, const redisReply *text)
{
	struct topology_follower *follower = server->follower;
	struct topology_record record;
	const char *reason =
	    topology_record_read(&record, text->str, text->len);

	if (reason) {
		log_limited(&follower->limiter, LOG_LEVEL_WARNING,
		    "redis %s: key '%s' is no topology, and ignored: %s",
		    link_name(server->link), follower->options->key, reason);
		return SAYS_SAME;
	}
	topology_record_close(&record);
	return topology_record_agrees(follower->text, text->str, text->len)
		   ? SAYS_SAME
		   : SAYS_OTHER;
}

static enum says
topology_follower_hear(struct followed *server, const redisReply *reply)
{
	struct topology_follower *follower = server->follower;
	char text[REPLY_EXPLAIN_MAX];

	if (reply->type == REDIS_REPLY_ERROR) {
		if (server->says == SAYS_UNKNOWN)
			return SAYS_UNKNOWN;
		log_limited(&follower->limiter, LOG_LEVEL_WARNING,
		    "redis %s: the topology that stands there is not known: %s",
		    link_name(server->link),
		    reply_explain(reply->str, reply->len, NULL, text));
		return SAYS_UNKNOWN;
	}
	if (reply->type != REDIS_REPLY_STRING)
		return SAYS_SAME; /* ours, from now on */
	return topology_follower_compare(server, reply);
}

static void
topology_follower_judge(struct followed *server, const redisReply *reply)
{
	struct topology_follower *follower = server->follower;
	const struct followed *first = topology_follower_first(server);

	server->says = topology_follower_hear(server, reply);
	link_proven(server->link);
	if (first && !topology_follower_leaves_out(first, server, reply))
		return;
	follower->is_read = follower->is_read || server->says == SAYS_SAME;
	if (server->says != SAYS_OTHER)
		follower->events->seen(server->asked_us, follower->arg);
	else if (!timer_is_set(&follower->restart))
		topology_follower_take(follower, server, reply);
}

static void topology_follower_on_reply(const redisReply *reply, void *arg);

/* Ours is written where nothing stands: on the first server, and on the others
 * once it is known what stands on that one. */
static void
topology_follower_ask(struct followed *server)
{
	struct topology_follower *follower = server->follower;
	struct command *command = &server->command;

	if (server->is_out || !link_is_up(server->link))
		return;
	server->writes = server->may_write &&
			 (follower->is_read || server == follower->servers);
	command_start(command, server->writes ? 5 : 2);
	command_add_text(command, server->writes ? "SET" : "GET");
	command_add_text(command, follower->options->key);
	if (server->writes) {
		command_add_text(command, follower->text);
		command_add_text(command, "NX");
		command_add_text(command, "GET");
	}
	server->asked_us = clock_us();
	if (link_call(server->link, command, server->asked_us + REPLY_US,
		topology_follower_on_reply, server) == -1)
		return;
	server->is_out = true;
	link_flush(server->link);
}

/* Whether the reply says nothing of the record: the slot is on its way to
 * another node, and the key may be there; or a script runs for too long. */
static bool
topology_follower_must_ask_later(const redisReply *reply)
{
	return reply_is_error(reply, "ASK") ||
	       reply_is_error(reply, "TRYAGAIN") ||
	       reply_is_error(reply, "BUSY");
}

static void
topology_follower_take_reply(struct followed *server, const redisReply *reply)
{
	if (reply_is_wrong_server(reply)) {
		link_drop(server->link, reply->str);
	} else if (topology_follower_must_ask_later(reply)) {
		return;
	} else if (reply->type == REDIS_REPLY_ERROR && server->writes) {
		server->may_write = false;
		topology_follower_ask(server);
	} else {
		topology_follower_judge(server, reply);
		topology_follower_settle(server);
	}
}

static void
topology_follower_on_reply(const redisReply *reply, void *arg)
{
	struct followed *server = arg;
	bool again = server->again;

	server->is_out = server->again = false;
	if (!reply)
		return; /* topology_follower_on_down() follows */
	topology_follower_take_reply(server, reply);
	if (again)
		topology_follower_ask(server);
}

/* Clients wait: a server that takes longer than one may that is connected to
 * hangs, and another one may be in its place. */
void
topology_follower_read(struct topology_follower *follower)
{
	for (size_t i = 0; follower->servers && i < follower->server_count;
	     i++) {
		struct followed *server = &follower->servers[i];

		server->again = server->is_out;
		if (server->is_out && clock_us() - server->asked_us >=
					  server->options.connect_timeout_us)
			link_drop(server->link, "did not reply in time");
		else
			topology_follower_ask(server);
	}
}

static void
topology_follower_on_poll(void *arg)
{
	struct topology_follower *follower = arg;

	for (size_t i = 0; i < follower->server_count; i++)
		topology_follower_ask(&follower->servers[i]);
	timer_set(&follower->poll, random_near(POLL_US));
}

static void
topology_follower_on_up(void *arg)
{
	struct followed *server = arg;

	server->may_write = true;
	topology_follower_ask(server);
}

static void
topology_follower_on_down(void *arg)
{
	struct followed *server = arg;

	server->says = SAYS_NOTHING;
	server->is_out = false;
	topology_follower_settle(server);
}

/* Make the links to the servers of the topology in use.  Return 0, or -1 with
 * errno. */
static int
topology_follower_open(struct topology_follower *follower)
{
	static const struct link_events events = {
	    .up = topology_follower_on_up, .down = topology_follower_on_down};

	if (topology_open(&follower->topology, &follower->where) == -1)
		return -1;
	follower->server_count = topology_slot_key(&follower->topology, 0)
				     ? 1
				     : follower->topology.server_count;
	follower->servers =
	    calloc(follower->server_count, sizeof(*follower->servers));
	if (!follower->servers)
		return -1;
	for (size_t i = 0; i < follower->server_count; i++) {
		struct followed *server = &follower->servers[i];

		server->follower = follower;
		server->options = follower->options->link;
		server->options.kind = LINK_TO_MASTER;
		server->options.role = "topology";
		server->options.backoff_max_us =
		    topology_backoff_us(follower->server_count);
		server->options.endpoint = follower->topology.servers[i];
		if (topology_slot_key(&follower->topology, i))
			server->options.sentinel.cluster_key =
			    follower->options->key;
		if (topology_shares_hosts(follower->where.kind)) {
			server->options.sentinel.hosts = NULL;
			host_port_name(
			    &follower->topology.hosts[i], server->name);
		}
		server->link = link_new(follower->loop, follower->dialer,
		    &server->options, &events, server);
		if (!server->link)
			return -1;
	}
	timer_set(&follower->poll, random_near(POLL_US));
	return 0;
}

static void
topology_follower_on_restart(void *arg)
{
	struct topology_follower *follower = arg;

	topology_follower_close(follower);
	follower->is_read = false;
	if (topology_follower_open(follower) == 0)
		return;
	topology_follower_close(follower);
	timer_set(&follower->restart, POLL_US);
}

struct topology_follower *
topology_follower_new(struct loop *loop, struct dialer *dialer,
    const struct topology_follower_options *options,
    const struct topology_follower_events *events, void *arg)
{
	struct topology_follower *follower = calloc(1, sizeof(*follower));

	if (!follower)
		return NULL;
	follower->loop = loop;
	follower->dialer = dialer;
	follower->options = options;
	follower->events = events;
	follower->arg = arg;
	follower->where = options->where;
	timer_init(&follower->poll, loop, topology_follower_on_poll, follower);
	timer_init(
	    &follower->restart, loop, topology_follower_on_restart, follower);
	follower->text = topology_record_write(&options->where);
	if (follower->text && topology_follower_open(follower) == 0)
		return follower;
	topology_follower_free(follower);
	return NULL;
}

bool
topology_follower_is_settled(const struct topology_follower *follower)
{
	return follower->is_settled;
}

void
topology_follower_free(struct topology_follower *follower)
{
	if (!follower)
		return;
	timer_stop(&follower->poll);
	timer_stop(&follower->restart);
	topology_follower_close(follower);
	topology_record_close(&follower->record);
	free(follower->text);
	free(follower);
}
