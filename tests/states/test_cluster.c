/*
 * A link that asks nodes of a cluster where the master of its slot is.
 */
#include "base/clock.h"
#include "fake/fake.h"
#include "fake/note.h"
#include "fake/peer.h"
#include "redis/link.h"
#include "suites.h"

#include "base/attr.h"

#define CONNECT_US INT64_C(300000)
#define POLL_US    INT64_C(60000000)
#define RETRY_US   INT64_C(100000)
#define SEEK_US    INT64_C(240000) /* the longest */

#define HELLO(mode, role)                                                      \
	"*6\r\n$5\r\nproto\r\n:2\r\n$4\r\nmode\r\n" mode "$4\r\nrole\r\n" role

static const struct loop_events no_events;
static struct link_options options;
static struct loop *loop;
static struct dialer *dialer;
static struct link *link;
static struct peer *node, *server;

static void
on_up(void *arg)
{
	(void)arg;
	note("up");
}

static void
on_down(void *arg)
{
	(void)arg;
	note("down");
}

static void
on_reply(const redisReply *reply, void *arg)
{
	(void)arg;
	note(reply ? "reply" : "lost");
}

static const struct link_events events = {.up = on_up, .down = on_down};

static void
set_up(void)
{
	fake_start();
	noted();
	options = (struct link_options){
	    .endpoint = {.unix_socket_path = "", .host = "unused", .port = 1},
	    .password = "",
	    .connect_timeout_us = CONNECT_US,
	    .socket_timeout_us = 100000,
	    .kind = LINK_TO_MASTER,
	    .sentinel = {.hosts = "one:1 two:2", .cluster_key = "{0}:"},
	};
	loop = loop_new(&no_events, NULL);
	dialer = dialer_new(loop);
	node = server = NULL;
	link = link_new(loop, dialer, &options, &events, NULL);
	ck_assert_ptr_nonnull(link);
}

static void
tear_down(void)
{
	link_free(link);
	peer_free(node);
	peer_free(server);
	dialer_free(dialer);
	loop_free(loop);
	fake_end();
}

/* The slot of {0}: is 13907. */
#define SHARDS                                                                 \
	"*1\r\n*4\r\n$5\r\nslots\r\n*2\r\n:0\r\n:16383\r\n$5\r\nnodes\r\n"     \
	"*1\r\n*8\r\n$8\r\nendpoint\r\n$2\r\nm%s\r\n$4\r\nport\r\n:%s\r\n"     \
	"$4\r\nrole\r\n$6\r\nmaster\r\n$6\r\nhealth\r\n$6\r\nonline\r\n"

/* A node is connected to. */
static void
node_comes(const char *name)
{
	peer_free(node);
	node = peer_accept(name);
	ck_assert_str_eq(peer_commands(node), "PING, HELLO 2");
	peer_say(node, "+PONG\r\n%s",
	    HELLO("$7\r\ncluster\r\n", "$6\r\nmaster\r\n"));
}

/* It was asked, and names the master at a port. */
static void
node_says_to(const char *asked, const char *port)
{
	ck_assert_ptr_nonnull(asked);
	ck_assert_str_eq(asked, "CLUSTER SHARDS");
	peer_say(node, SHARDS, port, port);
}

static void
node_says(const char *port)
{
	node_says_to(peer_command(node), port);
}

/* The same at the next poll, whenever that is. */
static void
poll_says(const char *port)
{
	const char *asked = NULL;

	for (int64_t us = 0; !asked && us < 2 * POLL_US; us += RETRY_US) {
		fake_pass(RETRY_US);
		asked = peer_command(node);
	}
	node_says_to(asked, port);
}

static void
greet(const char *name, const char *mode)
{
	peer_free(server);
	server = peer_accept(name);
	ck_assert_str_eq(peer_commands(server), "PING, HELLO 2");
	peer_say(server, "+PONG\r\n*4\r\n$4\r\nmode\r\n%s$4\r\nrole\r\n%s",
	    mode, "$6\r\nmaster\r\n");
}

static void
master_comes(const char *name)
{
	greet(name, "$7\r\ncluster\r\n");
	ck_assert_str_eq(noted(), "up");
}

START_TEST(server_is_the_master_of_the_slot)
{
	ck_assert_str_eq(link_name(link), "cluster");
	node_comes("one:1");
	node_says("3");
	master_comes("m3:3");
	ck_assert_str_eq(link_name(link), "m3:3");
}
END_TEST

START_TEST(node_without_shards_is_asked_for_slots)
{
	node_comes("one:1");
	ck_assert_str_eq(peer_command(node), "CLUSTER SHARDS");
	peer_say(node, "-ERR unknown subcommand 'SHARDS'\r\n");
	ck_assert_str_eq(peer_command(node), "CLUSTER SLOTS");
	peer_say(node, "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$2\r\nm3\r\n:3\r\n");
	master_comes("m3:3");
}
END_TEST

START_TEST(server_that_is_no_node_is_passed_over)
{
	peer_free(node);
	node = peer_accept("one:1");
	ck_assert_str_eq(peer_commands(node), "PING, HELLO 2");
	peer_say(node, "+PONG\r\n%s",
	    HELLO("$10\r\nstandalone\r\n", "$6\r\nmaster\r\n"));
	ck_assert(peer_is_left(node));
	fake_pass(RETRY_US);
	node_comes("two:2");
	node_says("3");
	master_comes("m3:3");
}
END_TEST

START_TEST(link_is_down_while_the_slot_has_no_master)
{
	node_comes("one:1");
	ck_assert_str_eq(peer_command(node), "CLUSTER SHARDS");
	peer_say(node, "*0\r\n");
	ck_assert_str_eq(noted(), "");
	ck_assert_str_eq(peer_command(node), "CLUSTER SLOTS");
	peer_say(node, "*0\r\n");
	ck_assert_str_eq(noted(), "down");
	ck_assert(peer_is_left(node));
}
END_TEST

/* The node did not know better, and nor may the master that it named: that is
 * passed over. */
START_TEST(slot_that_moved_is_looked_up_again_at_another_node)
{
	node_comes("one:1");
	node_says("3");
	master_comes("m3:3");
	link_drop(link, "CLUSTERDOWN The cluster is down");
	ck_assert_str_eq(noted(), "down");
	ck_assert(peer_is_left(node));
	fake_pass(RETRY_US);
	node_comes("one:1");
	peer_close(node);
	fake_pass(RETRY_US);
	node_comes("two:2");
	node_says("4");
	master_comes("m4:4");
}
END_TEST

/* A master that hands over may not reply for seconds. */
START_TEST(another_node_is_asked_once_a_call_was_in_vain)
{
	struct command command = {0};

	node_comes("one:1");
	node_says("3");
	master_comes("m3:3");
	command_start(&command, 1);
	command_add_text(&command, "PING");
	ck_assert_int_eq(
	    link_call(link, &command, clock_us() + RETRY_US, on_reply, NULL),
	    0);
	command_free(&command);
	fake_pass(2 * RETRY_US);
	ck_assert_str_eq(noted(), "lost down");
	ck_assert(peer_is_left(node));
}
END_TEST

START_TEST(node_is_asked_each_minute)
{
	node_comes("one:1");
	node_says("3");
	master_comes("m3:3");
	fake_pass(POLL_US * 3 / 4);
	ck_assert_ptr_null(peer_command(node));
	poll_says("3");
	ck_assert_str_eq(noted(), "");
	poll_says("4");
	ck_assert_str_eq(noted(), "down");
	ck_assert(peer_is_left(server));
}
END_TEST

/* Start again, so that a master has a while to reply. */
static void
start_patiently(void)
{
	options.connect_timeout_us = POLL_US;
	link_free(link);
	link = link_new(loop, dialer, &options, &events, NULL);
	node_comes("one:1");
}

/* It hangs, and the others have another one meanwhile. */
START_TEST(master_that_does_not_reply_is_not_waited_for)
{
	start_patiently();
	node_says("3");
	server = peer_accept("m3:3");
	for (int i = 0; i < 3; i++) {
		fake_pass(SEEK_US);
		node_says("3");
		ck_assert_str_eq(noted(), "");
	}
	fake_pass(SEEK_US);
	node_says("4");
	ck_assert_str_eq(noted(), "down");
	master_comes("m4:4");
	fake_pass(POLL_US * 3 / 4);
	ck_assert_ptr_null(peer_command(node));
}
END_TEST

/* The same with one that takes the place of another. */
START_TEST(new_master_that_does_not_reply_is_not_waited_for)
{
	start_patiently();
	node_says("3");
	master_comes("m3:3");
	fake_pass(POLL_US * 6 / 5);
	node_says("4");
	ck_assert_str_eq(noted(), "down");
	peer_free(server);
	server = peer_accept("m4:4");
	fake_pass(SEEK_US);
	node_says("5");
	ck_assert_str_eq(noted(), "down");
	master_comes("m5:5");
}
END_TEST

/* Each of many links asks less often. */
START_TEST(master_that_does_not_reply_is_sought_at_the_pace_of_the_back_off)
{
	options.connect_timeout_us = POLL_US;
	options.backoff_max_us = 8 * 1000000;
	link_free(link);
	link = link_new(loop, dialer, &options, &events, NULL);
	node_comes("one:1");
	node_says("3");
	server = peer_accept("m3:3");
	fake_pass(3 * SEEK_US);
	ck_assert_ptr_null(peer_command(node));
	fake_pass(2 * SEEK_US);
	node_says("3");
}
END_TEST

START_TEST(node_that_replies_late_is_believed_at_once)
{
	fake_chance(1);
	fake_pass(CONNECT_US / 2);
	node_comes("one:1");
	fake_pass(CONNECT_US / 2);
	ck_assert_str_eq(noted(), "down");
	node_says("3");
	master_comes("m3:3");
}
END_TEST

/* Those of the settings come after them. */
START_TEST(nodes_that_others_named_are_asked_too)
{
	node_comes("one:1");
	node_says("3");
	master_comes("m3:3");
	peer_close(node);
	fake_pass(RETRY_US);
	node_comes("m3:3");
	peer_close(node);
	fake_pass(RETRY_US);
	node_comes("one:1");
	peer_close(node);
	fake_pass(2 * RETRY_US);
	node_comes("two:2");
	node_says("4");
	ck_assert(peer_is_left(server));
	ck_assert_str_eq(noted(), "down");
}
END_TEST

/* The first host is the master, the others are its replicas, each at the port
 * of its number. */
static void
node_lists(const char *hosts)
{
	char shard[2000];
	int len = snprintf(shard, sizeof(shard),
	    "*1\r\n*4\r\n$5\r\nslots\r\n*2\r\n:0\r\n:16383\r\n$5\r\nnodes"
	    "\r\n*%zu\r\n",
	    strlen(hosts));

	for (const char *each = hosts; *each; each++)
		len += snprintf(shard + len, sizeof(shard) - (size_t)len,
		    "*8\r\n$8\r\nendpoint\r\n$2\r\nm%c\r\n"
		    "$4\r\nport\r\n:%c\r\n$4\r\nrole\r\n%s"
		    "$6\r\nhealth\r\n$6\r\nonline\r\n",
		    *each, *each,
		    each == hosts ? "$6\r\nmaster\r\n" : "$7\r\nreplica\r\n");
	peer_say(node, "%s", shard);
}

/* Each has an order of its own: by theirs, two that know only the dead master
 * would name each other next, for ever. */
START_TEST(all_nodes_that_others_named_are_asked_while_the_master_is_dead)
{
	static const struct {
		const char *name, *hosts;
	} nodes[] = {{"one:1", "3567"}, {"m5:5", "3576"}, {"m7:7", "3756"},
	    {"m6:6", "4567"}};
	const char *hosts = NULL;

	for (int i = 0; i < 100 && fake_dials("m4:4") == 0; i++) {
		for (size_t j = 0; j < COUNT(nodes); j++) {
			if (fake_dials(nodes[j].name) == 0)
				continue;
			node_comes(nodes[j].name);
			hosts = nodes[j].hosts;
		}
		while (peer_command(node))
			node_lists(hosts);
		if (fake_dials("m3:3") > 0)
			fake_dial_fail("m3:3", "refused");
		fake_pass(RETRY_US);
	}
	noted();
	master_comes("m4:4");
}
END_TEST

/* It has started again, say.  It is passed over only at first. */
START_TEST(node_that_was_the_master_is_asked_too_where_all_others_are_dead)
{
	node_comes("one:1");
	node_says("3");
	master_comes("m3:3");
	peer_close(server);
	fake_pass(RETRY_US);
	ck_assert_ptr_nonnull(peer_command(node));
	peer_close(node);
	for (int i = 0; i < 100 && fake_dials("m3:3") == 0; i++) {
		if (fake_dials(NULL) > 0)
			fake_dial_fail(NULL, "refused");
		fake_pass(RETRY_US);
	}
	node_comes("m3:3");
	noted();
	node_says("3");
	master_comes("m3:3");
}
END_TEST

START_TEST(server_must_be_a_node_too)
{
	node_comes("one:1");
	node_says("3");
	greet("m3:3", "$10\r\nstandalone\r\n");
	ck_assert_str_eq(noted(), "down");
}
END_TEST

Suite *
cluster_suite(void)
{
	Suite *suite = suite_create("cluster");
	TCase *tcase = tcase_create("link");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, server_is_the_master_of_the_slot);
	tcase_add_test(tcase, node_without_shards_is_asked_for_slots);
	tcase_add_test(tcase, server_that_is_no_node_is_passed_over);
	tcase_add_test(tcase, link_is_down_while_the_slot_has_no_master);
	tcase_add_test(
	    tcase, slot_that_moved_is_looked_up_again_at_another_node);
	tcase_add_test(tcase, another_node_is_asked_once_a_call_was_in_vain);
	tcase_add_test(tcase, node_is_asked_each_minute);
	tcase_add_test(tcase, master_that_does_not_reply_is_not_waited_for);
	tcase_add_test(tcase, new_master_that_does_not_reply_is_not_waited_for);
	tcase_add_test(tcase,
	    master_that_does_not_reply_is_sought_at_the_pace_of_the_back_off);
	tcase_add_test(tcase, node_that_replies_late_is_believed_at_once);
	tcase_add_test(tcase, nodes_that_others_named_are_asked_too);
	tcase_add_test(tcase,
	    all_nodes_that_others_named_are_asked_while_the_master_is_dead);
	tcase_add_test(tcase,
	    node_that_was_the_master_is_asked_too_where_all_others_are_dead);
	tcase_add_test(tcase, server_must_be_a_node_too);
	suite_add_tcase(suite, tcase);
	return suite;
}
