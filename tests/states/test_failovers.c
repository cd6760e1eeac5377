/*
 * Whatever became of the nodes of a cluster meanwhile, a link finds the master
 * of its slot once a node that lives names it: nodes die and come back, hang,
 * close connections, take over, and know of it late or never, all at random.
 */
#include "base/attr.h"
#include "base/clock.h"
#include "fake/fake.h"
#include "fake/peer.h"
#include "redis/link.h"
#include "suites.h"

#include <stdio.h>
#include <string.h>

#define MS         INT64_C(1000)
#define SECOND     (1000 * MS)
#define CONNECT_US (300 * MS)
#define STEP_US    (10 * MS)
#define ROUNDS     10
#define ROUND_US   (10 * SECOND)

/* Each node may be asked first, and a back-off be between any two. */
#define FOUND_US (20 * SECOND)

#define HELLO(role) "*4\r\n$4\r\nmode\r\n$7\r\ncluster\r\n$4\r\nrole\r\n" role

#define NODES 6
#define PEERS 4 /* of a node; the link and what it asks have one each */

static struct node {
	char name[6];
	struct peer *peers[PEERS];
	bool is_dead, hangs;
	size_t master;       /* as it says */
	size_t order[NODES]; /* in which it lists all */
} nodes[NODES];

static size_t master; /* in truth, and it knows */

static const struct loop_events no_events;
static struct link_options options;
static struct loop *loop;
static struct dialer *dialer;
static struct link *link;
static bool is_out; /* a call */
static uint64_t seed;

/* From 0 to below ${bound}: an LCG, of which the high bits are good. */
static size_t
below(size_t bound)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
	return (size_t)((seed >> 33) % bound);
}

static void
on_event(void *arg)
{
	(void)arg;
}

static const struct link_events events = {.up = on_event, .down = on_event};

static void
shuffle(size_t *order)
{
	for (size_t i = 0; i < NODES; i++) {
		size_t at = below(i + 1);

		order[i] = order[at];
		order[at] = i;
	}
}

static void
set_up(void)
{
	fake_start();
	master = 0;
	for (size_t i = 0; i < NODES; i++) {
		nodes[i] = (struct node){0};
		snprintf(nodes[i].name, sizeof(nodes[i].name), "m%zu:%zu",
		    i + 1, i + 1);
	}
	options = (struct link_options){
	    .endpoint = {.unix_socket_path = "", .host = "unused", .port = 1},
	    .password = "",
	    .connect_timeout_us = CONNECT_US,
	    .socket_timeout_us = 100 * MS,
	    .kind = LINK_TO_MASTER,
	    .sentinel = {.hosts = "m1:1 m2:2", .cluster_key = "{0}:"},
	};
	loop = loop_new(&no_events, NULL);
	dialer = dialer_new(loop);
	link = link_new(loop, dialer, &options, &events, NULL);
	ck_assert_ptr_nonnull(link);
	is_out = false;
}

static void
leave(struct node *node)
{
	for (size_t i = 0; i < PEERS; i++) {
		if (node->peers[i])
			peer_close(node->peers[i]);
		peer_free(node->peers[i]);
		node->peers[i] = NULL;
	}
}

static void
tear_down(void)
{
	link_free(link);
	for (size_t i = 0; i < NODES; i++)
		leave(&nodes[i]);
	dialer_free(dialer);
	loop_free(loop);
	fake_end();
}

/* To one that may have left. */
static void
say(struct peer *peer, const char *text)
{
	peer_try_write(peer, text, strlen(text));
	fake_run();
}

static void
say_shards(struct peer *peer, const struct node *node)
{
	char shard[2000];
	int len = snprintf(shard, sizeof(shard),
	    "*1\r\n*4\r\n$5\r\nslots\r\n*2\r\n:0\r\n:16383\r\n$5\r\nnodes\r\n"
	    "*%d\r\n",
	    NODES);

	for (size_t i = 0; i < NODES; i++) {
		size_t each = node->order[i];

		len += snprintf(shard + len, sizeof(shard) - (size_t)len,
		    "*8\r\n$8\r\nendpoint\r\n$2\r\nm%zu\r\n"
		    "$4\r\nport\r\n:%zu\r\n$4\r\nrole\r\n%s"
		    "$6\r\nhealth\r\n$6\r\nonline\r\n",
		    each + 1, each + 1,
		    each == node->master ? "$6\r\nmaster\r\n"
					 : "$7\r\nreplica\r\n");
	}
	say(peer, shard);
}

static void
reply(struct peer *peer, const struct node *node)
{
	bool is_master = node == &nodes[node->master];
	const char *command;

	while ((command = peer_command(peer))) {
		if (strcmp(command, "PING") == 0)
			say(peer, "+PONG\r\n");
		else if (strcmp(command, "HELLO 2") == 0)
			say(peer, is_master ? HELLO("$6\r\nmaster\r\n")
					    : HELLO("$7\r\nreplica\r\n"));
		else if (strcmp(command, "CLUSTER SHARDS") == 0)
			say_shards(peer, node);
		else
			say(peer,
			    is_master ? ":1\r\n" : "-MOVED 1 elsewhere:1\r\n");
	}
}

static void
hear(struct node *node)
{
	for (size_t i = 0; i < PEERS; i++) {
		struct peer **peer = &node->peers[i];

		if (!*peer)
			continue;
		reply(*peer, node);
		if (peer_is_left(*peer)) {
			peer_free(*peer);
			*peer = NULL;
		}
	}
}

static void
accept_one(struct node *node)
{
	size_t i = 0;

	while (i < PEERS && node->peers[i])
		i++;
	ck_assert_uint_lt(i, PEERS);
	node->peers[i] = peer_accept(node->name);
}

static void
serve(struct node *node)
{
	if (node->hangs)
		return;
	hear(node);
	while (fake_dials(node->name) > 0) {
		if (node->is_dead)
			fake_dial_fail(node->name, "refused");
		else
			accept_one(node);
		fake_run();
	}
}

static void
on_reply(const redisReply *result, void *arg)
{
	(void)arg;
	is_out = false;
	if (result && result->type == REDIS_REPLY_ERROR)
		link_drop(link, result->str);
	else if (result)
		link_proven(link);
}

static void
call(void)
{
	struct command command = {0};

	command_start(&command, 1);
	command_add_text(&command, "WORK");
	if (!is_out &&
	    link_call(link, &command, clock_us() + options.socket_timeout_us,
		on_reply, NULL) == 0)
		is_out = true;
	link_flush(link);
	command_free(&command);
}

static void
step(void)
{
	fake_chance((double)below(1000) / 1000);
	for (size_t i = 0; i < NODES; i++)
		serve(&nodes[i]);
	call();
	fake_pass(STEP_US);
}

/* A node that lives takes over; the others but the old master do not know yet.
 */
static void
promote(struct node *node)
{
	struct node *old = &nodes[master];

	if (node->is_dead)
		return;
	node->master = master = (size_t)(node - nodes);
	if (!old->is_dead)
		old->master = master;
}

static void
kill_or_revive(struct node *node)
{
	node->is_dead = !node->is_dead && node != &nodes[master];
	leave(node);
	node->hangs = false;
	if (node->master == (size_t)(node - nodes))
		node->master = master;
}

static void
happen(struct node *node)
{
	switch (below(6)) {
	case 0:
		promote(node);
		break;
	case 1:
		kill_or_revive(node);
		break;
	case 2:
		node->hangs = !node->hangs;
		break;
	case 3:
		leave(node);
		break;
	default:
		node->master = master;
	}
}

/* At its end another master may just have taken over from one that died. */
static void
go_through_a_round(void)
{
	int64_t end_us = clock_us() + ROUND_US;
	struct node *old;

	while (clock_us() < end_us) {
		step();
		if (below(20) == 0)
			happen(&nodes[below(NODES)]);
	}
	old = &nodes[master];
	promote(&nodes[below(NODES)]);
	if (below(2) == 0)
		kill_or_revive(old);
	for (size_t i = 0; i < NODES; i++)
		nodes[i].hangs = false;
}

static bool
is_found(void)
{
	return link_is_up(link) &&
	       link_endpoint(link)->port == (int64_t)master + 1;
}

START_TEST(master_that_a_node_names_is_found)
{
	seed = (uint64_t)_i;
	for (size_t i = 0; i < NODES; i++)
		shuffle(nodes[i].order);
	for (int i = 0; i < ROUNDS; i++) {
		int64_t end_us;

		go_through_a_round();
		end_us = clock_us() + FOUND_US;
		while (!is_found()) {
			ck_assert_msg(clock_us() < end_us,
			    "seed %d, round %d: %s is not found", _i, i,
			    nodes[master].name);
			step();
		}
	}
}
END_TEST

Suite *
failovers_suite(void)
{
	Suite *suite = suite_create("failovers");
	TCase *tcase = tcase_create("failovers");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase, master_that_a_node_names_is_found, 0, 30);
	suite_add_tcase(suite, tcase);
	return suite;
}
