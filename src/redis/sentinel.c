/*
 * Asks sentinels for the address of the master, or nodes of a cluster.
 * At most one call is under way; a poll is one that nothing waits for.
 * The heart is sentinel_take().
 */
#include "redis/sentinel.h"

#include "base/clock.h"
#include "base/host_port.h"
#include "base/random.h"
#include "net/timer.h"
#include "redis/cluster_map.h"
#include "redis/partition.h"
#include "redis/sentinel_news.h"

#include <stdlib.h>
#include <string.h>

/* From one poll to the next, +-20 %.  A sentinel may name another master while
 * the old one still replies; in a cluster that one says so itself. */
#define POLL_US         INT64_C(1000000)
#define CLUSTER_POLL_US INT64_C(60000000)

/* The same while the master is not reached: another one may take its place.
 * Where there are many links, it is this part of their longest back-off. */
#define SEEK_POLL_US   INT64_C(200000)
#define SEEK_POLL_PART 8

/* A kind of hosts: what they are asked, and what they say. */
struct sentinel_kind {
	int64_t poll_us;
	const char *unknown, *silent; /* why there is no master */
	void (*write)(const struct sentinel *, struct command *);

	/* Read a reply.  Return NULL if it says where the master is, or why it
	 * does not. */
	const char *(*take)(const struct sentinel *, const redisReply *,
	    struct cluster_server *);

	/* Keep which hosts a reply names, or NULL. */
	void (*learn)(struct sentinel *, const redisReply *);
};

struct sentinel {
	const struct link_options *options;
	const struct sentinel_events *events;
	void *arg;
	const struct sentinel_kind *kind;
	struct link_options link_options; /* to the sentinel in use */
	struct host_port at;              /* where it is */
	const char *next;                 /* of the settings: those after it */
	struct buf learned;               /* a list of others, or empty */
	bool is_learned;                  /* that is in use */
	struct host_port last;            /* of those; "": none yet */
	struct link *link;
	struct command command; /* reused, for its memory */
	struct timer timer;     /* the next poll */
	struct loop *loop;
	struct dialer *dialer;
	struct sentinel_news *news; /* NULL: none, or the master was not reached
				     * yet */

	bool is_asked;       /* sentinel_ask() has had no event yet */
	bool is_reached;     /* the master, since then */
	bool is_passed_over; /* it was, as a node to ask, since then */
	bool is_out;         /* a call is under way */
	bool has_no_shards;  /* the node did not know CLUSTER SHARDS */

	char host[sizeof(((struct cluster_server *)0)->host)]; /* its */
	struct endpoint master; /* without a port: none was found */
};

/* Start with the other list, if there is one. */
static void
sentinel_turn_list(struct sentinel *sentinel)
{
	sentinel->is_learned =
	    !sentinel->is_learned && buf_len(&sentinel->learned) > 0;
	sentinel->next = sentinel->options->sentinel.hosts;
	sentinel->last = (struct host_port){"", ""};
}

/* Each reply brings another list, in that node's own order.  By those orders,
 * and not by one that all have in common, two nodes that know only a dead
 * master could send us to each other for ever.
 */
static bool
sentinel_read_learned(struct sentinel *sentinel)
{
	const char *list = buf_data(&sentinel->learned);
	struct host_port each, next = {"", ""};

	while (host_port_read_next(&each, &list))
		if (host_port_compare(&each, &sentinel->last) > 0 &&
		    (!*next.host || host_port_compare(&each, &next) < 0))
			next = each;
	if (*next.host)
		sentinel->at = sentinel->last = next;
	return *next.host;
}

/* Return whether the list has one more. */
static bool
sentinel_read_next(struct sentinel *sentinel)
{
	return sentinel->is_learned
		   ? sentinel_read_learned(sentinel)
		   : host_port_read_next(&sentinel->at, &sentinel->next);
}

/* Have the link connect to the next sentinel of the list, or to the first of
 * the other. */
static void
sentinel_choose_next(struct sentinel *sentinel)
{
	const struct host_port *at = &sentinel->at;

	if (!sentinel_read_next(sentinel)) {
		sentinel_turn_list(sentinel);
		if (!sentinel_read_next(sentinel))
			return; /* config and cluster_map have checked it */
	}
	sentinel->link_options.endpoint =
	    (struct endpoint){"", at->host, strtol(at->port, NULL, 10)};
}

static bool
sentinel_is_same(const struct sentinel *sentinel, const struct endpoint *master)
{
	return sentinel->master.port == master->port &&
	       strcmp(sentinel->host, master->host) == 0;
}

/* A node that was the master, and is not reached, may hang: ask another one who
 * took its place.  But each second time ask it, too: it may be back, and the
 * others dead. */
static void
sentinel_choose(struct sentinel *sentinel)
{
	sentinel_choose_next(sentinel);
	if (!sentinel->is_reached &&
	    sentinel_is_same(sentinel, &sentinel->link_options.endpoint)) {
		sentinel->is_passed_over = !sentinel->is_passed_over;
		if (sentinel->is_passed_over)
			sentinel_choose_next(sentinel);
	}
}

static void
sentinel_keep(struct sentinel *sentinel, const struct endpoint *master)
{
	snprintf(sentinel->host, sizeof(sentinel->host), "%s", master->host);
	sentinel->master = (struct endpoint){"", sentinel->host, master->port};
}

static int64_t
sentinel_poll_us(const struct sentinel *sentinel)
{
	int64_t part_us = sentinel->options->backoff_max_us / SEEK_POLL_PART;

	if (sentinel->is_reached)
		return sentinel->kind->poll_us;
	return part_us > SEEK_POLL_US ? part_us : SEEK_POLL_US;
}

static void
sentinel_set_timer(struct sentinel *sentinel)
{
	timer_set(&sentinel->timer, random_near(sentinel_poll_us(sentinel)));
}

/* Poll at the pace of that from now on. */
static void
sentinel_set_reached(struct sentinel *sentinel, bool is_reached)
{
	sentinel->is_reached = is_reached;
	sentinel->is_passed_over = false;
	if (timer_is_set(&sentinel->timer))
		sentinel_set_timer(sentinel);
}

/* Report the master to the owner that waits for it, or, if it is another one
 * than before, to one that does not wait. */
static void
sentinel_take(struct sentinel *sentinel, const struct endpoint *master)
{
	bool is_same = sentinel_is_same(sentinel, master);

	if (!is_same)
		sentinel_keep(sentinel, master);
	if (sentinel->is_asked) {
		sentinel->is_asked = false;
		sentinel->events->found(&sentinel->master, sentinel->arg);
	} else if (!is_same) {
		sentinel_set_reached(sentinel, false);
		sentinel->events->moved(&sentinel->master, sentinel->arg);
	}
}

/* Another sentinel may know better: the link, once it is down, connects to the
 * next one. */
static void
sentinel_fail(struct sentinel *sentinel, const char *reason)
{
	bool is_asked = sentinel->is_asked;

	sentinel->is_asked = false;
	if (is_asked)
		sentinel->events->unknown(sentinel->arg);
	link_drop(sentinel->link, reason);
}

static void
sentinel_write_name(const struct sentinel *sentinel, struct command *command)
{
	command_start(command, 3);
	command_add_text(command, "SENTINEL");
	command_add_text(command, "GET-MASTER-ADDR-BY-NAME");
	command_add_text(command, sentinel->options->sentinel.master_name);
}

static const char *
sentinel_take_address(const struct sentinel *sentinel, const redisReply *reply,
    struct cluster_server *to)
{
	(void)sentinel;
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
	    reply->element[0]->type != REDIS_REPLY_STRING ||
	    reply->element[1]->type != REDIS_REPLY_STRING ||
	    !*reply->element[0]->str)
		return "does not know this master_name";
	snprintf(to->host, sizeof(to->host), "%s", reply->element[0]->str);
	to->port = strtol(reply->element[1]->str, NULL, 10);
	return NULL;
}

static void
sentinel_write_slots(const struct sentinel *sentinel, struct command *command)
{
	command_start(command, 2);
	command_add_text(command, "CLUSTER");
	command_add_text(command, sentinel->has_no_shards ? "SLOTS" : "SHARDS");
}

static enum cluster_found
sentinel_find_slot(const struct sentinel *sentinel, const redisReply *reply,
    struct cluster_server *to)
{
	const struct cluster_asked asked = {
	    sentinel->at.host, sentinel->link_options.tls_context != NULL};
	const char *key = sentinel->options->sentinel.cluster_key;

	return cluster_map_find(
	    reply, partition_slot(key, strlen(key)), &asked, to);
}

static const char *
sentinel_take_slots(const struct sentinel *sentinel, const redisReply *reply,
    struct cluster_server *to)
{
	switch (sentinel_find_slot(sentinel, reply, to)) {
	case CLUSTER_FOUND:
		return NULL;
	case CLUSTER_UNSERVED:
		return "knows no master of a slot: see redis-cli --cluster "
		       "check";
	case CLUSTER_STRANGE:
		break;
	}
	return "sent a reply that is not to CLUSTER SHARDS";
}

/* After a host of the settings, start with the nodes that it names; after one
 * of those, go on with the next. */
static void
sentinel_learn_nodes(struct sentinel *sentinel, const redisReply *reply)
{
	const struct cluster_asked asked = {
	    sentinel->at.host, sentinel->link_options.tls_context != NULL};
	struct buf *learned = &sentinel->learned;

	buf_consume(learned, buf_len(learned));
	if (cluster_map_list(reply, &asked, learned) == -1 ||
	    (buf_len(learned) > 0 && buf_add(learned, "", 1) == -1))
		buf_consume(learned, buf_len(learned));
	if (sentinel->is_learned == (buf_len(learned) == 0))
		sentinel_turn_list(sentinel);
}

static const struct sentinel_kind sentinel_kind = {POLL_US,
    "no sentinel knows the master", "no sentinel replies", sentinel_write_name,
    sentinel_take_address, NULL};
static const struct sentinel_kind cluster_kind = {CLUSTER_POLL_US,
    "no node of the cluster knows the master of a slot",
    "no node of the cluster replies", sentinel_write_slots, sentinel_take_slots,
    sentinel_learn_nodes};

/* Whether the node is of a version that has only CLUSTER SLOTS, or knows more
 * by it: where a replica took over from a master that is dead, CLUSTER SHARDS
 * of Redis 8 has their slots nowhere, and that of Valkey names both. */
static bool
sentinel_must_ask_slots(struct sentinel *sentinel, const redisReply *reply)
{
	struct cluster_server at = {0};

	if (sentinel->kind != &cluster_kind || sentinel->has_no_shards)
		return false;
	if (reply->type != REDIS_REPLY_ERROR &&
	    sentinel_find_slot(sentinel, reply, &at) != CLUSTER_UNSERVED)
		return false;
	sentinel->has_no_shards = true;
	return true;
}

static void sentinel_send(struct sentinel *sentinel);

static void
sentinel_judge(struct sentinel *sentinel, const redisReply *reply)
{
	struct cluster_server at = {0};
	const char *reason = reply->type == REDIS_REPLY_ERROR
				 ? reply->str
				 : sentinel->kind->take(sentinel, reply, &at);
	const struct endpoint master = {"", at.host, at.port};

	if (reason) {
		sentinel_fail(sentinel, reason);
		return;
	}
	link_proven(sentinel->link);
	if (sentinel->kind->learn)
		sentinel->kind->learn(sentinel, reply);
	sentinel_take(sentinel, &master);
}

static void
sentinel_on_reply(const redisReply *reply, void *arg)
{
	struct sentinel *sentinel = arg;

	sentinel->is_out = false;
	if (!reply)
		return; /* sentinel_on_down() follows */
	sentinel_set_timer(sentinel);
	if (sentinel_must_ask_slots(sentinel, reply))
		sentinel_send(sentinel);
	else
		sentinel_judge(sentinel, reply);
}

static void
sentinel_send(struct sentinel *sentinel)
{
	struct command *command = &sentinel->command;
	int64_t deadline_us =
	    clock_us() + sentinel->options->connect_timeout_us;

	if (sentinel->is_out)
		return;
	sentinel->kind->write(sentinel, command);
	if (link_call(sentinel->link, command, deadline_us, sentinel_on_reply,
		sentinel) == -1)
		return; /* it is not there: sentinel_on_up() asks */
	sentinel->is_out = true;
	link_flush(sentinel->link);
}

static void
sentinel_poll(void *arg)
{
	sentinel_send(arg);
}

static void
sentinel_on_down(void *arg)
{
	struct sentinel *sentinel = arg;

	timer_stop(&sentinel->timer);
	sentinel->has_no_shards = false;
	sentinel_choose(sentinel);
}

/* Nodes of a cluster are logged in to as its masters are. */
static void
sentinel_set_login(struct sentinel *sentinel)
{
	const struct link_options *options = sentinel->options;
	const struct sentinel_options *own = &options->sentinel;
	struct link_options *link = &sentinel->link_options;

	if (own->cluster_key) {
		sentinel->kind = &cluster_kind;
		*link = *options;
		link->sentinel = (struct sentinel_options){0};
		link->record = NULL;
		link->kind = LINK_TO_CLUSTER;
		return;
	}
	sentinel->kind = &sentinel_kind;
	*link = (struct link_options){.username = own->username,
	    .password = own->password,
	    .connect_timeout_us = options->connect_timeout_us,
	    .socket_timeout_us = options->socket_timeout_us,
	    .tls_context = own->tls ? options->tls_context : NULL,
	    .kind = LINK_TO_SENTINEL};
}

struct sentinel *
sentinel_new(struct loop *loop, struct dialer *dialer,
    const struct link_options *options, const struct sentinel_events *events,
    void *arg)
{
	static const struct link_events link_events = {
	    .up = sentinel_poll, .down = sentinel_on_down};
	struct sentinel *sentinel = calloc(1, sizeof(*sentinel));

	if (!sentinel)
		return NULL;
	sentinel->options = options;
	sentinel->events = events;
	sentinel->arg = arg;
	sentinel->loop = loop;
	sentinel->dialer = dialer;
	sentinel_set_login(sentinel);
	sentinel->next = options->sentinel.hosts;
	timer_init(&sentinel->timer, loop, sentinel_poll, sentinel);
	sentinel_choose(sentinel);
	sentinel->link = link_new(
	    loop, dialer, &sentinel->link_options, &link_events, sentinel);
	if (sentinel->link)
		return sentinel;
	sentinel_free(sentinel);
	return NULL;
}

void
sentinel_free(struct sentinel *sentinel)
{
	if (!sentinel)
		return;
	timer_stop(&sentinel->timer);
	sentinel_news_free(sentinel->news);
	link_free(sentinel->link);
	command_free(&sentinel->command);
	buf_free(&sentinel->learned);
	free(sentinel);
}

void
sentinel_ask(struct sentinel *sentinel)
{
	sentinel->is_asked = true;
	sentinel->is_reached = false;
	sentinel_send(sentinel);
}

void
sentinel_reached(struct sentinel *sentinel)
{
	if (!sentinel)
		return;
	sentinel_set_reached(sentinel, true);
	/* Without the memory for it, the next poll finds a move. */
	if (sentinel->kind == &sentinel_kind && !sentinel->news)
		sentinel->news = sentinel_news_new(sentinel->loop,
		    sentinel->dialer, &sentinel->link_options,
		    sentinel->options->sentinel.master_name, sentinel_poll,
		    sentinel);
}

void
sentinel_distrust(struct sentinel *sentinel)
{
	sentinel->is_reached = false;
	link_drop(sentinel->link, "named a server that will not do");
}

const struct endpoint *
sentinel_correct(struct sentinel *sentinel, const struct endpoint *master)
{
	sentinel_keep(sentinel, master);
	return &sentinel->master;
}

const char *
sentinel_sought(const struct sentinel_options *options)
{
	return options->cluster_key ? "cluster" : options->master_name;
}

const char *
sentinel_blame(const struct sentinel *sentinel, bool replied)
{
	return replied ? sentinel->kind->unknown : sentinel->kind->silent;
}
