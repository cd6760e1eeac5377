/*
 * A worker whose buckets are on a cluster, of which one node sends batches
 * elsewhere.
 */
#include "base/attr.h"
#include "base/clock.h"
#include "fake/fake.h"
#include "fake/peer.h"
#include "serving.h"
#include "suites.h"

#include <string.h>

#define MS INT64_C(1000)

#define SETTINGS                                                               \
	"[store]\ntype = redis\n"                                              \
	"[redis]\ntopology = cluster\nhosts = node.example:1\n"                \
	"partitions = 1\nsocket_timeout = 50ms\n"

#define LIMITS "[key]\nmatch = key:*\ncapacity = 1000\nrate = 1/h\n"

#define GREETED                                                                \
	"+PONG\r\n*4\r\n$4\r\nmode\r\n$7\r\ncluster\r\n"                       \
	"$4\r\nrole\r\n$6\r\nmaster\r\n"

#define SHARDS                                                                 \
	"*1\r\n*4\r\n$5\r\nslots\r\n*2\r\n:0\r\n:16383\r\n$5\r\nnodes\r\n"     \
	"*1\r\n*6\r\n$8\r\nendpoint\r\n$11\r\nold.example\r\n"                 \
	"$4\r\nport\r\n:3\r\n$4\r\nrole\r\n$6\r\nmaster\r\n"

#define ASK "-ASK 13907 new.example:4\r\n"

#define DECIDED "*3\r\n$10\r\n2000000000\r\n$1\r\n0\r\n$-1\r\n"

/* The worker has two links, of its store and of its sweep; each asks a node. */
static struct peer *nodes[2], *store, *sweeper, *other, *client;

static struct peer *
greet(const char *name)
{
	struct peer *peer = peer_accept(name);

	ck_assert_str_eq(peer_commands(peer), "PING, HELLO 2");
	peer_say(peer, GREETED);
	return peer;
}

static unsigned reads; /* of the topology, that were wanted */

static void
on_read(void *arg)
{
	(void)arg;
	reads++;
}

/* The topology stands in Redis. */
static void
topology_is_seen(void)
{
	pool_note_topology(pool, clock_us());
	fake_pass(5 * MS);
}

static void
set_up_with(const char *settings)
{
	fake_start();
	reads = 0;
	store = sweeper = other = NULL;
	serve(settings, LIMITS);
	pool_set_topology_reader(pool, on_read, NULL);
	for (size_t i = 0; i < COUNT(nodes); i++) {
		nodes[i] = greet("node.example:1");
		ck_assert_str_eq(peer_commands(nodes[i]), "CLUSTER SHARDS");
		peer_say(nodes[i], SHARDS);
	}
	for (size_t i = 0; i < COUNT(nodes); i++) {
		struct peer *peer = greet("old.example:3");

		if (peer_coming(peer)) {
			ck_assert_pstr_eq(peer_command(peer), "INFO");
			peer_say(peer, "$-1\r\n");
			sweeper = peer;
		} else {
			store = peer;
		}
	}
	client = client_comes();
}

static void
set_up_unseen(void)
{
	set_up_with(SETTINGS);
}

static void
set_up(void)
{
	set_up_unseen();
	topology_is_seen();
}

static void
set_up_waiting(void)
{
	set_up_with(SETTINGS "wait_replicas = 1\n");
	topology_is_seen();
}

static void
tear_down(void)
{
	stop_serving();
	for (size_t i = 0; i < COUNT(nodes); i++)
		peer_free(nodes[i]);
	peer_free(store);
	peer_free(sweeper);
	peer_free(other);
	fake_end();
}

/* The server is asked about a key, by a command. */
static void
ck_asked(struct peer *peer, const char *verb, const char *key)
{
	const char *command = peer_command(peer);

	ck_assert_ptr_nonnull(command);
	ck_assert_msg(
	    strncmp(command, verb, strlen(verb)) == 0 && strstr(command, key),
	    "%s for %s: %s", verb, key, command);
}

static void
ck_heard(const char *text)
{
	const char *heard = peer_heard(client);

	ck_assert_msg(strstr(heard, text), "%s is not in %s", text, heard);
}

START_TEST(batch_goes_where_its_slot_has_moved)
{
	peer_say(client, "CONSUME key:1\n");
	ck_asked(store, "EVALSHA", "key:1");
	peer_say(store, "-MOVED 13907 new.example:4\r\n");
	ck_assert(peer_is_left(store));
	ck_assert_str_eq(peer_heard(client), "");
	other = greet("new.example:4");
	ck_asked(other, "EVALSHA", "key:1");
	peer_say(other, DECIDED);
	ck_heard("from=redis");
	peer_say(client, "CONSUME key:2\n");
	ck_asked(other, "EVALSHA", "key:2");
	ck_assert_int_eq(stat_of("fallback"), 0);
}
END_TEST

START_TEST(batches_in_flight_go_in_their_order)
{
	peer_say(client, "CONSUME key:0\n");
	ck_asked(store, "EVALSHA", "key:0");
	peer_say(store, DECIDED);
	peer_say(client, "CONSUME key:1\n");
	peer_say(client, "CONSUME key:2\n");
	ck_asked(store, "EVALSHA", "key:1");
	ck_asked(store, "EVALSHA", "key:2");
	peer_say(store, "-MOVED 13907 new.example:4\r\n");
	ck_assert(!peer_is_left(store));
	peer_say(client, "CONSUME key:3\n");
	ck_assert_ptr_null(peer_command(store));
	peer_say(store, "-MOVED 13907 new.example:4\r\n");
	ck_assert(peer_is_left(store));
	other = greet("new.example:4");
	ck_asked(other, "EVALSHA", "key:1");
	ck_assert_ptr_null(peer_command(other));
	peer_say(other, DECIDED);
	ck_asked(other, "EVALSHA", "key:2");
	ck_asked(other, "EVALSHA", "key:3");
	ck_assert_int_eq(stat_of("fallback"), 0);
}
END_TEST

START_TEST(batch_that_moves_again_falls_back)
{
	peer_say(client, "CONSUME key:1\n");
	peer_commands(store);
	peer_say(store, "-MOVED 13907 :3\r\n");
	other = greet("old.example:3");
	ck_asked(other, "EVALSHA", "key:1");
	peer_say(other, "-MOVED 13907 :3\r\n");
	ck_assert(peer_is_left(other));
	ck_heard("from=fallback");
}
END_TEST

START_TEST(batch_falls_back_if_it_cannot_be_sent_in_time)
{
	peer_say(client, "CONSUME key:1\n");
	peer_commands(store);
	peer_say(store, "-MOVED 13907 new.example:4\r\n");
	fake_pass(60 * MS);
	ck_heard("from=fallback");
	other = greet("new.example:4");
	ck_assert_ptr_null(peer_command(other));
}
END_TEST

START_TEST(batch_goes_where_its_slot_is_on_its_way_to)
{
	peer_say(client, "CONSUME key:1\n");
	ck_asked(store, "EVALSHA", "key:1");
	peer_say(store, "-ASK 13907 new.example:4\r\n");
	other = greet("new.example:4");
	ck_asked(other, "ASKING", "");
	ck_asked(other, "EVALSHA", "key:1");
	peer_say(other, "+OK\r\n-NOSCRIPT No matching script\r\n");
	ck_asked(other, "ASKING", "");
	ck_asked(other, "EVAL ", "key:1");
	peer_say(other, "+OK\r\n" DECIDED);
	ck_heard("from=redis");
	peer_say(client, "CONSUME key:2\n");
	ck_asked(store, "EVALSHA", "key:2");
	ck_assert_ptr_null(peer_command(other));
	peer_say(store, "-ASK 13907 new.example:4\r\n");
	ck_asked(other, "ASKING", "");
	ck_asked(other, "EVALSHA", "key:2");
	ck_assert_int_eq(stat_of("fallback"), 0);
}
END_TEST

START_TEST(one_batch_is_asked_about_at_a_time)
{
	peer_say(client, "CONSUME key:0\n");
	peer_commands(store);
	peer_say(store, DECIDED);
	for (int i = 1; i <= 3; i++)
		peer_say(client, "CONSUME key:%d\n", i);
	for (int i = 1; i <= 3; i++)
		peer_say(store, "-ASK 13907 new.example:4\r\n");
	other = greet("new.example:4");
	for (int i = 1; i <= 3; i++) {
		char key[] = {'k', 'e', 'y', ':', (char)('0' + i), '\0'};

		ck_asked(other, "ASKING", "");
		ck_asked(other, "EVALSHA", key);
		ck_assert_ptr_null(peer_command(other));
		peer_say(other, "+OK\r\n" DECIDED);
		ck_heard("from=redis");
	}
}
END_TEST

/* The rest of the slot is still at its server. */
START_TEST(only_what_was_asked_about_falls_back)
{
	peer_say(client, "CONSUME key:1\n");
	peer_commands(store);
	peer_say(store, "-ASK 13907 new.example:4\r\n");
	other = greet("new.example:4");
	peer_commands(other);
	peer_say(other, "+OK\r\n-TRYAGAIN Multiple keys\r\n");
	ck_heard("from=fallback");
	peer_say(client, "CONSUME key:2\n");
	peer_commands(store);
	peer_say(store, "-TRYAGAIN Multiple keys\r\n");
	ck_heard("from=fallback");
	peer_say(client, "CONSUME key:3\n");
	peer_commands(store);
	peer_say(store, "-ASK 13907 new.example:4\r\n");
	peer_close(other);
	ck_heard("from=fallback");
	peer_say(client, "CONSUME key:4\n");
	ck_asked(store, "EVALSHA", "key:4");
	peer_say(store, DECIDED);
	ck_heard("from=redis");
}
END_TEST

START_TEST(server_that_is_asked_no_more_is_left)
{
	peer_say(client, "CONSUME key:1\n");
	peer_commands(store);
	peer_say(store, "-ASK 13907 new.example:4\r\n");
	other = greet("new.example:4");
	peer_commands(other);
	peer_say(other, "+OK\r\n" DECIDED);
	fake_pass(9000 * MS);
	ck_assert(!peer_is_left(other));
	fake_pass(1100 * MS);
	ck_assert(peer_is_left(other));
}
END_TEST

START_TEST(server_is_not_used_until_the_topology_was_seen)
{
	ck_assert_uint_eq(reads, 1);
	peer_say(client, "CONSUME key:1\n");
	ck_heard("from=fallback");
	ck_assert_ptr_null(peer_command(store));
	pool_note_topology(pool, clock_us() - 1); /* before it was up */
	fake_pass(5 * MS);
	peer_say(client, "CONSUME key:1\n");
	ck_heard("from=fallback");
	topology_is_seen();
	peer_say(client, "CONSUME key:1\n");
	ck_asked(store, "EVALSHA", "key:1");
	peer_say(store, DECIDED);
	ck_heard("from=redis");
}
END_TEST

START_TEST(topology_is_wanted_again_and_a_line_says_so)
{
	fake_pass(240 * MS);
	ck_assert_uint_eq(reads, 3);
	ck_assert_str_eq(fake_log(), "");
	fake_pass(10 * MS);
	ck_assert_ptr_nonnull(strstr(fake_log(),
	    "redis old.example:3: not used until it is known which topology "
	    "stands in the cluster"));
	fake_pass(200 * MS);
	ck_assert_ptr_null(strstr(fake_log(), "not used"));
}
END_TEST

/* What came over the link that the server closes while it is idle: it asks the
 * node, and is up again. */
static void
close_while_idle(void)
{
	fake_pass(600 * MS);
	peer_close(store);
	fake_run();
	peer_free(store);
	for (size_t i = 0; i < COUNT(nodes); i++)
		if (peer_coming(nodes[i]))
			peer_say(nodes[i], SHARDS);
	store = greet("old.example:3");
}

START_TEST(link_that_was_closed_while_idle_waits_for_the_topology)
{
	for (size_t i = 0; i < COUNT(nodes); i++)
		peer_commands(nodes[i]);
	close_while_idle();
	reads = 0;
	peer_say(client, "CONSUME key:1\n");
	ck_assert_ptr_null(peer_command(store));
	ck_assert_uint_eq(reads, 1);
	ck_assert_str_eq(peer_heard(client), "");
	topology_is_seen();
	ck_asked(store, "EVALSHA", "key:1");
	peer_say(store, DECIDED);
	ck_heard("from=redis");
	ck_assert_int_eq(stat_of("fallback"), 0);
}
END_TEST

START_TEST(server_that_was_away_waits_for_the_topology_again)
{
	peer_close(store);
	peer_free(store);
	peer_say(client, "CONSUME key:1\n");
	ck_heard("from=fallback");
	fake_pass(50 * MS); /* the longest back-off */
	for (size_t i = 0; i < COUNT(nodes); i++)
		if (peer_coming(nodes[i])) {
			ck_asked(nodes[i], "CLUSTER SHARDS", "");
			peer_say(nodes[i], SHARDS);
		}
	store = greet("old.example:3");
	peer_say(client, "CONSUME key:1\n");
	ck_heard("from=fallback");
	ck_assert_ptr_null(peer_command(store));
	topology_is_seen();
	peer_say(client, "CONSUME key:1\n");
	ck_asked(store, "EVALSHA", "key:1");
}
END_TEST

/* A replica of the server that decided must have it. */
START_TEST(replica_is_waited_for_where_the_slot_is_on_its_way_to)
{
	peer_say(client, "CONSUME key:1\n");
	ck_asked(store, "EVALSHA", "key:1");
	peer_say(store, ASK);
	other = greet("new.example:4");
	ck_asked(other, "ASKING", "");
	ck_asked(other, "EVALSHA", "key:1");
	peer_say(other, "+OK\r\n" DECIDED);
	ck_assert_str_eq(peer_heard(client), "");
	ck_assert_ptr_null(peer_command(store));
	ck_asked(other, "WAIT 1 ", "");
	peer_say(other, ":1\r\n");
	ck_heard("from=redis");
}
END_TEST

/* The link goes elsewhere once all is known that was asked on it. */
START_TEST(slot_is_followed_after_the_wait_for_replicas)
{
	peer_say(client, "CONSUME key:1\n");
	ck_asked(store, "EVALSHA", "key:1");
	peer_say(store, DECIDED);
	ck_asked(store, "WAIT 1 ", "");
	peer_say(store, ":1\r\n");
	ck_heard("level=1");
	peer_say(client, "CONSUME key:2\n");
	ck_asked(store, "EVALSHA", "key:2");
	peer_write(store, DECIDED, strlen(DECIDED));
	peer_say(client, "CONSUME key:3\n");
	ck_asked(store, "WAIT 1 ", "");
	ck_asked(store, "EVALSHA", "key:3");
	peer_say(client, "CONSUME key:4\n");
	ck_asked(store, "EVALSHA", "key:4");
	peer_say(store, ":1\r\n" DECIDED "-MOVED 13907 new.example:4\r\n");
	ck_asked(store, "WAIT 1 ", "");
	ck_assert(!peer_is_left(store));
	peer_say(store, ":1\r\n");
	ck_assert(peer_is_left(store));
	other = greet("new.example:4");
	ck_asked(other, "EVALSHA", "key:4");
	peer_say(other, DECIDED);
	ck_asked(other, "WAIT 1 ", "");
	peer_say(other, ":1\r\n");
	ck_assert_int_eq(stat_of("fallback"), 0);
}
END_TEST

START_TEST(slot_is_followed_after_too_few_replicas_had_it)
{
	peer_say(client, "CONSUME key:1\n");
	ck_asked(store, "EVALSHA", "key:1");
	peer_say(store, DECIDED);
	ck_asked(store, "WAIT 1 ", "");
	peer_say(store, ":1\r\n");
	peer_say(client, "CONSUME key:2\n");
	ck_asked(store, "EVALSHA", "key:2");
	peer_say(client, "CONSUME key:3\n");
	ck_asked(store, "EVALSHA", "key:3");
	peer_say(store, DECIDED "-MOVED 13907 new.example:4\r\n");
	ck_asked(store, "WAIT 1 ", "");
	peer_say(store, ":0\r\n");
	ck_assert(peer_is_left(store));
	other = greet("new.example:4");
	ck_asked(other, "EVALSHA", "key:3");
}
END_TEST

START_TEST(next_batch_is_asked_about_after_too_few_replicas_had_one)
{
	peer_say(client, "CONSUME key:1\n");
	ck_asked(store, "EVALSHA", "key:1");
	peer_say(store, DECIDED);
	ck_asked(store, "WAIT 1 ", "");
	peer_say(store, ":1\r\n");
	peer_say(client, "CONSUME key:2\n");
	ck_asked(store, "EVALSHA", "key:2");
	peer_say(client, "CONSUME key:3\n");
	ck_asked(store, "EVALSHA", "key:3");
	peer_say(store, ASK ASK);
	other = greet("new.example:4");
	ck_asked(other, "ASKING", "");
	ck_asked(other, "EVALSHA", "key:2");
	peer_say(other, "+OK\r\n" DECIDED);
	ck_asked(other, "WAIT 1 ", "");
	peer_say(other, ":0\r\n");
	ck_asked(other, "ASKING", "");
	ck_asked(other, "EVALSHA", "key:3");
}
END_TEST

Suite *
worker_cluster_suite(void)
{
	Suite *suite = suite_create("worker_cluster");
	TCase *tcase = tcase_create("redirects");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, batch_goes_where_its_slot_has_moved);
	tcase_add_test(tcase, batches_in_flight_go_in_their_order);
	tcase_add_test(tcase, batch_that_moves_again_falls_back);
	tcase_add_test(tcase, batch_falls_back_if_it_cannot_be_sent_in_time);
	tcase_add_test(tcase, batch_goes_where_its_slot_is_on_its_way_to);
	tcase_add_test(tcase, one_batch_is_asked_about_at_a_time);
	tcase_add_test(tcase, only_what_was_asked_about_falls_back);
	tcase_add_test(tcase, server_that_is_asked_no_more_is_left);
	tcase_add_test(
	    tcase, server_that_was_away_waits_for_the_topology_again);
	tcase_add_test(
	    tcase, link_that_was_closed_while_idle_waits_for_the_topology);
	suite_add_tcase(suite, tcase);
	tcase = tcase_create("topology");
	tcase_add_checked_fixture(tcase, set_up_unseen, tear_down);
	tcase_add_test(tcase, server_is_not_used_until_the_topology_was_seen);
	tcase_add_test(tcase, topology_is_wanted_again_and_a_line_says_so);
	suite_add_tcase(suite, tcase);
	tcase = tcase_create("waiting");
	tcase_add_checked_fixture(tcase, set_up_waiting, tear_down);
	tcase_add_test(
	    tcase, replica_is_waited_for_where_the_slot_is_on_its_way_to);
	tcase_add_test(tcase, slot_is_followed_after_the_wait_for_replicas);
	tcase_add_test(tcase, slot_is_followed_after_too_few_replicas_had_it);
	tcase_add_test(
	    tcase, next_batch_is_asked_about_after_too_few_replicas_had_one);
	suite_add_tcase(suite, tcase);
	return suite;
}
