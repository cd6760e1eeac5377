/*
 * Tries out each server that the settings name, all at once; of a cluster the
 * other masters, too, once one has named them.  What has started is open until
 * it is done.  The heart: connect_check_on_done(), connect_check_on_master().
 */
#include "dripgated/connect_check.h"

#include "base/log.h"
#include "config/rights.h"
#include "dripgated/cluster_masters.h"
#include "net/dial.h"
#include "net/loop.h"
#include "redis/server_check.h"
#include "redis/topology_record.h"

#include <stdio.h>
#include <stdlib.h>

struct connect_check {
	struct loop *loop;
	struct dialer *dialer;
	const struct rights *rights;
	struct tried *tried;
	struct link_record record;       /* of the settings */
	struct cluster_masters *masters; /* NULL: it is no cluster */
	struct tried_node *nodes;        /* of that */
	size_t open;                     /* of these, not done yet */
	bool is_fine;
};

/* A server, with a user. */
struct tried {
	struct connect_check *check;
	const struct rights_user *user;
	const char *name; /* of the server */
	struct server_check_options options;
	struct server_check *server;
};

/* Another master of a cluster than the first. */
struct tried_node {
	struct tried_node *next;
	struct tried tried;
	struct cluster_server at;
	char name[ENDPOINT_NAME_MAX];
};

static void connect_check_find_masters(struct tried *first);

static void
connect_check_end_one(struct connect_check *check, bool is_fine)
{
	check->is_fine = check->is_fine && is_fine;
	if (--check->open == 0)
		loop_stop(check->loop);
}

static void
connect_check_on_done(bool is_fine, const char *found, void *arg)
{
	struct tried *tried = arg;

	if (is_fine)
		printf("redis %s: %s\n", tried->name, found);
	if (is_fine && tried->user->has_buckets &&
	    tried->options.link.sentinel.hosts &&
	    tried->options.link.sentinel.cluster_key)
		connect_check_find_masters(tried);
	connect_check_end_one(tried->check, is_fine);
}

static void
connect_check_prepare(struct tried *tried, struct connect_check *check,
    const struct rights_user *user)
{
	const struct server_check_options options = {user->link,
	    user->has_buckets, user->replicas, &check->record,
	    rights_eval(user), user->calls, user->call_count};

	*tried =
	    (struct tried){.check = check, .user = user, .name = user->server};
	tried->options = options;
}

static int
connect_check_start(struct tried *tried)
{
	tried->server =
	    server_check_new(tried->check->loop, tried->check->dialer,
		&tried->options, connect_check_on_done, tried);
	tried->check->open += tried->server != NULL;
	return tried->server ? 0 : -1;
}

/*
 * The other masters of a cluster, once the first one is fine.
 */

static void
connect_check_on_master(const struct cluster_server *at, void *arg)
{
	const struct tried *first = arg;
	struct connect_check *check = first->check;
	struct tried_node *node = calloc(1, sizeof(*node));
	struct link_options *link;

	if (!node) {
		log_error("out of memory");
		check->is_fine = false;
		return;
	}
	node->next = check->nodes;
	check->nodes = node;
	node->at = *at;
	connect_check_prepare(&node->tried, check, first->user);
	link = &node->tried.options.link;
	link->endpoint = (struct endpoint){"", node->at.host, node->at.port};
	link->sentinel.hosts = NULL;
	link->kind = LINK_TO_CLUSTER;
	endpoint_name(&link->endpoint, node->name);
	node->tried.name = node->name;
	if (connect_check_start(&node->tried) == -1)
		check->is_fine = false;
}

static void
connect_check_on_masters(bool is_fine, void *arg)
{
	const struct tried *first = arg;

	connect_check_end_one(first->check, is_fine);
}

static void
connect_check_find_masters(struct tried *first)
{
	static const struct cluster_masters_events events = {
	    connect_check_on_master, connect_check_on_masters};
	struct connect_check *check = first->check;

	if (check->masters)
		return;
	check->masters = cluster_masters_new(check->loop, check->dialer,
	    &first->options.link, &check->rights->topology, &events, first);
	check->open += check->masters != NULL;
	check->is_fine = check->is_fine && check->masters;
}

static void
connect_check_free_nodes(struct connect_check *check)
{
	struct tried_node *node;

	while ((node = check->nodes)) {
		check->nodes = node->next;
		server_check_free(node->tried.server);
		free(node);
	}
}

static int
connect_check_start_all(
    struct connect_check *check, const struct rights *rights)
{
	static const struct loop_events no_events;

	check->loop = loop_new(&no_events, NULL);
	check->dialer = check->loop ? dialer_new(check->loop) : NULL;
	check->tried = calloc(rights->count + 1, sizeof(*check->tried));
	if (!check->dialer || !check->tried)
		return -1;
	for (size_t i = 0; i < rights->count; i++) {
		struct tried *tried = &check->tried[i];

		connect_check_prepare(tried, check, &rights->users[i]);
		if (!tried->user->is_operator &&
		    connect_check_start(tried) == -1)
			return -1;
	}
	return 0;
}

static void
connect_check_run(struct connect_check *check, const struct rights *rights)
{
	check->is_fine = true;
	check->rights = rights;
	if (connect_check_start_all(check, rights) == -1) {
		log_error("cannot connect: %m");
		check->is_fine = false;
	} else if (check->open > 0) {
		loop_run(check->loop);
	} else {
		puts("no server is used");
	}
	/* They have borrowed from the tried. */
	cluster_masters_free(check->masters);
	connect_check_free_nodes(check);
	for (size_t i = 0; check->tried && i < rights->count; i++)
		server_check_free(check->tried[i].server);
	free(check->tried);
	dialer_free(check->dialer);
	loop_free(check->loop);
}

bool
connect_check(const struct config *config)
{
	const struct topology_follower_options topology =
	    config_topology(config);
	char *text = topology_record_write(&topology.where);
	struct connect_check check = {.record = {topology.key, text}};
	struct rights rights;

	log_set_level(LOG_LEVEL_WARNING);
	if (rights_open(&rights, config) == 0 && text)
		connect_check_run(&check, &rights);
	else
		log_error("out of memory");
	rights_close(&rights);
	free(text);
	return check.is_fine;
}
