#include "base/attr.h"
#include "base/clock.h"
#include "control/topology_follower.h"
#include "fake/fake.h"
#include "fake/note.h"
#include "fake/peer.h"
#include "net/loop.h"
#include "redis/topology_record.h"
#include "suites.h"

#include <stdlib.h>
#include <string.h>

#define A "a.example:1"
#define B "b.example:2"
#define C "c.example:3"

#define SECOND INT64_C(1000000)
#define POLL   (SECOND * 6 / 5) /* the longest */

#define BOTH    "hosts=" A "," B
#define WRITES  "SET drip:topology "
#define NOTHING "$-1\r\n"

static const struct loop_events no_events;
static struct loop *loop;
static struct dialer *dialer;
static struct topology_follower_options options;
static struct topology_follower *follower;
static struct peer *a, *b;
static bool refuses;    /* what is to change */
static int64_t seen_us; /* when what was seen was asked for; 0: not seen */

static int
on_changed(const struct topology_options *where, void *arg)
{
	char *text = topology_record_write(where);

	(void)arg;
	note("%s", text);
	free(text);
	return refuses ? -1 : 0;
}

static void
on_seen(int64_t asked_us, void *arg)
{
	(void)arg;
	seen_us = asked_us;
}

/* Whether it was seen since the last look, asked for since ${since_us}. */
static bool
is_seen_since(int64_t since_us)
{
	bool is_seen = seen_us != 0 && seen_us >= since_us;

	seen_us = 0;
	return is_seen;
}

static void
set_up(void)
{
	static const struct topology_follower_events events = {
	    on_changed, on_seen};

	fake_start();
	noted();
	loop = loop_new(&no_events, NULL);
	dialer = dialer_new(loop);
	options =
	    (struct topology_follower_options){.link = {.password = "",
						   .connect_timeout_us = SECOND,
						   .socket_timeout_us = SECOND},
		.where = {.kind = "sharded",
		    .hosts = A " " B,
		    .partitions = 4,
		    .endpoint = {"", "", 0}},
		.key = "drip:topology"};
	follower = topology_follower_new(loop, dialer, &options, &events, NULL);
	ck_assert_ptr_nonnull(follower);
	a = b = NULL;
	refuses = false;
	seen_us = 0;
}

static void
tear_down(void)
{
	topology_follower_free(follower);
	peer_free(a);
	peer_free(b);
	dialer_free(dialer);
	loop_free(loop);
	fake_end();
}

static struct peer *
accept_server(const char *name)
{
	struct peer *peer = peer_accept(name);

	peer_greet(peer);
	return peer;
}

static void
say_record(struct peer *peer, const char *text)
{
	peer_say(peer, "$%zu\r\n%s\r\n", strlen(text), text);
}

static struct peer *
greet_node(const char *name)
{
	struct peer *peer = peer_accept(name);

	ck_assert_str_eq(peer_commands(peer), "PING, HELLO 2");
	peer_say(peer, "+PONG\r\n*4\r\n$4\r\nmode\r\n$7\r\ncluster\r\n"
		       "$4\r\nrole\r\n$6\r\nmaster\r\n");
	return peer;
}

/* A node, which was asked, names the master of all slots. */
static void
say_master(struct peer *node, const char *host, int port)
{
	ck_assert_str_eq(peer_commands(node), "CLUSTER SHARDS");
	peer_say(node,
	    "*1\r\n*4\r\n$5\r\nslots\r\n*2\r\n:0\r\n:16383\r\n"
	    "$5\r\nnodes\r\n*1\r\n*8\r\n$8\r\nendpoint\r\n$%zu\r\n%s\r\n"
	    "$4\r\nport\r\n:%d\r\n$4\r\nrole\r\n$6\r\nmaster\r\n"
	    "$6\r\nhealth\r\n$6\r\nonline\r\n",
	    strlen(host), host, port);
}

/* Whether the follower has closed its end. */
static bool
is_left(struct peer *peer)
{
	peer_commands(peer);
	return peer_is_left(peer);
}

/* The first server first: what stands on the others is only read until it is
 * known what stands there. */
START_TEST(first_daemon_writes_on_each_server)
{
	a = accept_server(A);
	ck_assert_str_eq(
	    peer_commands(a), WRITES "partitions=4 " BOTH " NX GET");
	b = accept_server(B);
	ck_assert_str_eq(peer_commands(b), "GET drip:topology");
	peer_say(b, NOTHING);
	ck_assert(!topology_follower_is_settled(follower));
	peer_say(a, NOTHING);
	ck_assert(topology_follower_is_settled(follower));
	fake_pass(POLL);
	ck_assert_str_eq(
	    peer_commands(b), WRITES "partitions=4 " BOTH " NX GET");
	ck_assert_str_eq(noted(), "");
	ck_assert_str_eq(fake_log(), "");
}
END_TEST

START_TEST(what_stands_there_is_used)
{
	static const char text[] = "partitions=8 " BOTH;

	a = accept_server(A);
	say_record(a, text);
	ck_assert_str_eq(noted(), text);
	ck_assert_ptr_nonnull(strstr(fake_log(),
	    "topology: partitions=8 " BOTH " stands in redis " A
	    " and is used, instead of partitions=4 " BOTH " of the settings"));
	ck_assert(is_left(a));
	peer_free(a);
	a = accept_server(A);
	b = accept_server(B);
	ck_assert_str_eq(
	    peer_commands(a), WRITES "partitions=8 " BOTH " NX GET");
	say_record(a, text);
	say_record(b, text);
	fake_pass(POLL);
	ck_assert_str_eq(noted(), "");
}
END_TEST

START_TEST(what_means_the_same_is_the_same)
{
	a = accept_server(A);
	say_record(a, "hosts=B.EXAMPLE:2," A " partitions=4");
	ck_assert_str_eq(noted(), "");
	ck_assert(!is_left(a));
}
END_TEST

/* Half of a change: the first server counts. */
START_TEST(first_server_that_replies_counts)
{
	a = accept_server(A);
	b = accept_server(B);
	say_record(a, "partitions=4 " BOTH);
	say_record(b, "partitions=5 " BOTH);
	ck_assert_str_eq(noted(), "");
	for (int i = 0; i < 3; i++) {
		fake_pass(POLL);
		say_record(b, "partitions=5 " BOTH);
		say_record(a, "partitions=4 " BOTH);
	}
	ck_assert_str_eq(noted(), "");
}
END_TEST

/* It has what stood there before, or what a daemon wrote by its settings. */
START_TEST(host_that_was_left_out_does_not_count)
{
	a = accept_server(A);
	b = accept_server(B);
	if (_i == 0)
		say_record(a, "partitions=4 " BOTH);
	else
		peer_say(a, NOTHING);
	ck_assert_str_eq(noted(), "");
	say_record(b, "partitions=4 hosts=" B);
	ck_assert_str_eq(noted(), "partitions=4 hosts=" B);
	ck_assert(is_left(a));
	ck_assert_uint_eq(fake_dials(B), 1);
	ck_assert_uint_eq(fake_dials(A), 0);
}
END_TEST

/* It is written to the first host that remains after all others. */
START_TEST(half_of_a_change_leaves_no_host_out)
{
	struct peer *c;

	options.where.hosts = A " " B " " C;
	topology_follower_free(follower);
	follower = topology_follower_new(loop, dialer, &options,
	    &(const struct topology_follower_events){on_changed, on_seen},
	    NULL);
	a = accept_server(A);
	b = accept_server(B);
	c = accept_server(C);
	say_record(a, "partitions=4 " BOTH "," C);
	say_record(b, "partitions=4 " BOTH "," C);
	say_record(c, "partitions=4 hosts=" B "," C);
	ck_assert_str_eq(noted(), "");
	fake_pass(POLL);
	say_record(a, "partitions=4 " BOTH "," C);
	say_record(b, "partitions=4 hosts=" B "," C);
	ck_assert_str_eq(noted(), "partitions=4 hosts=" B "," C);
	peer_free(c);
}
END_TEST

START_TEST(another_server_counts_while_the_first_is_not_there)
{
	fake_dial_fail(A, "a test says so");
	fake_run();
	b = accept_server(B);
	ck_assert_str_eq(peer_commands(b), "GET drip:topology");
	say_record(b, "partitions=5 " BOTH);
	ck_assert_str_eq(noted(), "partitions=5 " BOTH);
}
END_TEST

/* dripgate topology set. */
START_TEST(change_is_followed_within_a_poll)
{
	a = accept_server(A);
	b = accept_server(B);
	peer_say(a, NOTHING);
	peer_say(b, NOTHING);
	peer_commands(a);
	fake_pass(POLL);
	ck_assert_str_eq(
	    peer_commands(a), WRITES "partitions=4 " BOTH " NX GET");
	say_record(a, "partitions=4 hosts=" C);
	ck_assert_str_eq(noted(), "partitions=4 hosts=" C);
	ck_assert(is_left(b));
	ck_assert_uint_eq(fake_dials(C), 1);
	ck_assert_uint_eq(fake_dials(A), 0);
}
END_TEST

START_TEST(server_alone_is_the_first_host)
{
	a = accept_server(A);
	say_record(a, "partitions=2");
	ck_assert_str_eq(noted(), "partitions=2");
	peer_free(a);
	a = accept_server(A);
	ck_assert_str_eq(peer_commands(a), WRITES "partitions=2 NX GET");
	ck_assert_uint_eq(fake_dials(B), 0);
	say_record(a, "partitions=2");
	fake_pass(POLL);
	ck_assert_str_eq(noted(), "");
}
END_TEST

/* There was no memory for it. */
START_TEST(change_that_cannot_be_made_is_tried_again)
{
	refuses = true;
	a = accept_server(A);
	say_record(a, "partitions=2");
	ck_assert_str_eq(noted(), "partitions=2");
	ck_assert(!is_left(a));
	refuses = false;
	fake_pass(POLL);
	say_record(a, "partitions=2");
	ck_assert_str_eq(noted(), "partitions=2");
	ck_assert(is_left(a));
}
END_TEST

START_TEST(server_that_lets_no_one_know_is_logged_once)
{
	static const char refused[] = "-NOPERM no\r\n";
	const char *log;

	a = accept_server(A);
	b = accept_server(B);
	peer_commands(a);
	peer_commands(b);
	peer_say(a, refused);
	ck_assert_str_eq(peer_commands(a), "GET drip:topology");
	fake_log();
	peer_say(a, refused);
	log = fake_log();
	ck_assert_ptr_nonnull(
	    strstr(log, A ": the topology that stands there is not known"));
	peer_say(b, NOTHING);
	ck_assert(topology_follower_is_settled(follower));
	for (int i = 0; i < 20; i++) {
		fake_pass(POLL);
		ck_assert_str_eq(peer_commands(a), "GET drip:topology");
		peer_say(a, refused);
		peer_commands(b);
		peer_say(b, NOTHING);
	}
	ck_assert_str_eq(fake_log(), "");
	ck_assert_str_eq(noted(), "");
}
END_TEST

START_TEST(follower_may_end_at_any_time)
{
	a = accept_server(A);
	peer_write(a, "$12\r\npartitions=2\r\n", 19);
	fake_turn();
	topology_follower_free(follower);
	follower = NULL;
	fake_pass(POLL);
}
END_TEST

START_TEST(it_is_seen_when_what_stands_there_is_in_use)
{
	int64_t start_us = clock_us();

	a = accept_server(A);
	b = accept_server(B);
	say_record(b, "partitions=4 " BOTH);
	ck_assert(is_seen_since(start_us));
	say_record(a, "partitions=8 " BOTH);
	ck_assert(!is_seen_since(start_us));
	peer_free(a);
	peer_free(b);
	a = accept_server(A);
	b = accept_server(B);
	peer_commands(a);
	say_record(a, "partitions=8 " BOTH);
	ck_assert(is_seen_since(start_us));
}
END_TEST

START_TEST(it_is_seen_by_when_it_was_asked_for)
{
	int64_t start_us = clock_us();

	a = accept_server(A);
	peer_commands(a);
	fake_pass(SECOND / 2);
	peer_say(a, NOTHING);
	ck_assert(!is_seen_since(start_us + 1));
	topology_follower_read(follower);
	ck_assert_str_eq(
	    peer_commands(a), WRITES "partitions=4 " BOTH " NX GET");
	say_record(a, "partitions=4 " BOTH);
	ck_assert(is_seen_since(start_us + SECOND / 2));
}
END_TEST

/* What was asked before does not tell. */
START_TEST(wish_behind_a_call_is_another_call)
{
	a = accept_server(A);
	peer_commands(a);
	topology_follower_read(follower);
	ck_assert_str_eq(peer_commands(a), "");
	peer_say(a, NOTHING);
	ck_assert_str_eq(
	    peer_commands(a), WRITES "partitions=4 " BOTH " NX GET");
	say_record(a, "partitions=4 " BOTH);
	ck_assert_str_eq(peer_commands(a), "");
}
END_TEST

START_TEST(wish_behind_a_call_to_a_master_that_hangs_finds_the_next_one)
{
	options.where.kind = "cluster";
	options.link.sentinel.hosts = B;
	topology_follower_free(follower);
	follower = topology_follower_new(loop, dialer, &options,
	    &(const struct topology_follower_events){on_changed, on_seen},
	    NULL);
	b = greet_node(B);
	say_master(b, "a.example", 1);
	a = greet_node(A);
	ck_assert_str_eq(peer_commands(a), WRITES "partitions=4 NX GET");
	fake_pass(options.link.connect_timeout_us - 1);
	topology_follower_read(follower);
	ck_assert(!is_left(a));
	fake_pass(1);
	topology_follower_read(follower);
	ck_assert(is_left(a));
	peer_free(a);
	peer_free(b);
	fake_pass(SECOND / 10);
	b = greet_node(B);
	say_master(b, "c.example", 3);
	a = greet_node(C);
	ck_assert_str_eq(peer_commands(a), WRITES "partitions=4 NX GET");
}
END_TEST

START_TEST(slot_on_its_way_tells_nothing)
{
	static const char *const replies[] = {
	    "-ASK 1 b.example:2\r\n", "-TRYAGAIN x\r\n", "-BUSY x\r\n"};

	options.where.hosts = A;
	topology_follower_free(follower);
	follower = topology_follower_new(loop, dialer, &options,
	    &(const struct topology_follower_events){on_changed, on_seen},
	    NULL);
	a = accept_server(A);
	peer_commands(a);
	for (size_t i = 0; i < COUNT(replies); i++) {
		peer_say(a, "%s", replies[i]);
		ck_assert(!topology_follower_is_settled(follower));
		ck_assert(!is_seen_since(0));
		ck_assert_str_eq(peer_commands(a), "");
		fake_pass(POLL);
		ck_assert_str_eq(
		    peer_commands(a), WRITES "partitions=4 hosts=" A " NX GET");
	}
	say_record(a, "partitions=8 hosts=" A);
	ck_assert_str_eq(noted(), "partitions=8 hosts=" A);
	ck_assert(topology_follower_is_settled(follower));
}
END_TEST

Suite *
topology_follower_suite(void)
{
	Suite *suite = suite_create("topology_follower");
	TCase *tcase = tcase_create("topology_follower");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, first_daemon_writes_on_each_server);
	tcase_add_test(tcase, what_stands_there_is_used);
	tcase_add_test(tcase, what_means_the_same_is_the_same);
	tcase_add_test(tcase, first_server_that_replies_counts);
	tcase_add_loop_test(tcase, host_that_was_left_out_does_not_count, 0, 2);
	tcase_add_test(tcase, half_of_a_change_leaves_no_host_out);
	tcase_add_test(
	    tcase, another_server_counts_while_the_first_is_not_there);
	tcase_add_test(tcase, change_is_followed_within_a_poll);
	tcase_add_test(tcase, server_alone_is_the_first_host);
	tcase_add_test(tcase, change_that_cannot_be_made_is_tried_again);
	tcase_add_test(tcase, server_that_lets_no_one_know_is_logged_once);
	tcase_add_test(tcase, follower_may_end_at_any_time);
	tcase_add_test(tcase, it_is_seen_when_what_stands_there_is_in_use);
	tcase_add_test(tcase, it_is_seen_by_when_it_was_asked_for);
	tcase_add_test(tcase, wish_behind_a_call_is_another_call);
	tcase_add_test(tcase,
	    wish_behind_a_call_to_a_master_that_hangs_finds_the_next_one);
	tcase_add_test(tcase, slot_on_its_way_tells_nothing);
	suite_add_tcase(suite, tcase);
	return suite;
}
