/*
 * A worker whose decisions count once a replica has them.
 */
#include "fake/fake.h"
#include "fake/peer.h"
#include "serving.h"
#include "suites.h"

#include <string.h>

#define NAME "redis.example:6379"

#define MS INT64_C(1000)

#define SETTINGS                                                               \
	"[store]\ntype = redis\n"                                              \
	"[redis]\nhost = redis.example\nsocket_timeout = 1s\n"                 \
	"wait_replicas = 2\n"

#define LIMITS "[key]\nmatch = key:*\ncapacity = 1000\nrate = 1/h\n"

#define DECIDED "*3\r\n$10\r\n2000000000\r\n$1\r\n0\r\n$-1\r\n"

static struct peer *server, *sweeper, *client;

static void
set_up(void)
{
	fake_start();
	serve(SETTINGS, LIMITS);
	for (int i = 0; i < 2; i++) {
		struct peer *peer = peer_accept(NAME);

		peer_greet(peer);
		if (peer_coming(peer)) {
			ck_assert_pstr_eq(peer_command(peer), "INFO");
			peer_say(peer, "$-1\r\n");
			sweeper = peer;
		} else {
			server = peer;
		}
	}
	client = client_comes();
	fake_log();
}

static void
tear_down(void)
{
	stop_serving();
	peer_free(server);
	peer_free(sweeper);
	fake_end();
}

static void
ck_heard(const char *text)
{
	const char *heard = peer_heard(client);

	ck_assert_msg(strstr(heard, text), "%s is not in %s", text, heard);
}

static void
ck_logged(const char *text)
{
	const char *log = fake_log();

	ck_assert_msg(strstr(log, text), "%s is not in %s", text, log);
}

static void
call(const char *key)
{
	peer_say(client, "CONSUME %s\n", key);
	ck_assert_ptr_nonnull(peer_command(server));
}

/* Have the server decide about a key, and be asked for its replicas. */
static void
decide(const char *key)
{
	call(key);
	peer_say(server, DECIDED);
	ck_assert_str_eq(peer_heard(client), "");
	ck_assert_pstr_eq(peer_command(server), "WAIT 2 1001");
}

/* The server still has the link, and decides. */
static void
ck_is_used(void)
{
	decide("key:used");
	peer_say(server, ":2\r\n");
	ck_heard("from=redis");
}

START_TEST(decision_waits_for_its_replicas)
{
	decide("key:1");
	fake_pass(999 * MS);
	ck_assert_str_eq(peer_heard(client), "");
	peer_say(server, ":2\r\n");
	ck_heard("ALLOW limit=key level=1");
	decide("key:2");
	peer_say(server, ":3\r\n");
	ck_heard("from=redis");
}
END_TEST

START_TEST(it_waits_as_long_as_its_client_may)
{
	peer_say(client, "CONSUME key:1\n");
	peer_command(server);
	fake_pass(990 * MS);
	peer_say(server, DECIDED);
	ck_assert_pstr_eq(peer_command(server), "WAIT 2 11");
	fake_pass(10 * MS);
	ck_heard("from=fallback");
	peer_say(server, ":2\r\n");
	ck_assert_str_eq(peer_heard(client), "");
	ck_is_used();
}
END_TEST

START_TEST(decision_that_too_few_have_falls_back)
{
	decide("key:1");
	peer_say(server, ":1\r\n");
	ck_heard("from=fallback");
	ck_logged("redis " NAME ": 1 of 2 replicas had the decisions in time");
	ck_is_used();
}
END_TEST

/* The server looks at time-outs now and then, and so long at no other call. */
START_TEST(server_that_waits_for_longer_is_not_left)
{
	ck_is_used();
	decide("key:1");
	call("key:2");
	fake_pass(1900 * MS);
	ck_heard("from=fallback");
	peer_say(server, ":1\r\n" DECIDED);
	ck_assert_ptr_null(peer_command(server));
	ck_is_used();
}
END_TEST

/* The server runs one WAIT after the other. */
START_TEST(one_wait_counts_for_all_that_were_replied_to_before)
{
	ck_is_used();
	call("key:1");
	call("key:2");
	call("key:3");
	peer_say(server, DECIDED DECIDED);
	ck_assert_pstr_eq(peer_command(server), "WAIT 2 1001");
	fake_pass(500 * MS);
	call("key:4");
	peer_say(server, DECIDED);
	ck_assert_ptr_null(peer_command(server));
	ck_assert_str_eq(peer_heard(client), "");
	peer_say(server, ":2\r\n");
	ck_heard("level=1 capacity=1000 next=3600.000000 retry=0 blocked=0 "
		 "from=redis\nALLOW limit=key level=1 capacity=1000 "
		 "next=3600.000000 retry=0 blocked=0 from=redis\nALLOW");
	peer_say(server, DECIDED);
	ck_assert_pstr_eq(peer_command(server), "WAIT 2 1001");
	peer_say(server, ":2\r\n");
	ck_heard("from=redis");
	ck_assert_ptr_null(peer_command(server));
}
END_TEST

START_TEST(what_has_more_time_than_the_wait_had_is_waited_for_again)
{
	ck_is_used();
	call("key:1");
	fake_pass(400 * MS);
	call("key:2");
	peer_say(server, DECIDED);
	ck_assert_pstr_eq(peer_command(server), "WAIT 2 601");
	peer_say(server, DECIDED);
	fake_pass(650 * MS);
	ck_heard("from=fallback");
	peer_say(server, ":1\r\n");
	ck_assert_str_eq(peer_heard(client), "");
	ck_assert_pstr_eq(peer_command(server), "WAIT 2 351");
	peer_say(server, ":2\r\n");
	ck_heard("from=redis");
}
END_TEST

START_TEST(server_that_never_replies_is_left)
{
	decide("key:1");
	fake_pass(2000 * MS);
	ck_assert(peer_is_left(server));
	ck_logged("did not reply in time");
}
END_TEST

START_TEST(right_that_is_missing_is_said)
{
	decide("key:1");
	peer_say(server, "-NOPERM no permissions to run 'wait'\r\n");
	ck_heard("from=fallback");
	ck_logged("no permissions to run 'wait'");
}
END_TEST

START_TEST(link_that_ends_meanwhile_leaves_it_undecided)
{
	decide("key:1");
	peer_close(server);
	ck_heard("from=fallback");
}
END_TEST

/* The server closes the connection right after a reply that took long: WAIT
 * would go over the next one, which has written nothing. */
START_TEST(another_connection_does_not_answer_for_it)
{
	peer_say(client, "CONSUME key:1\n");
	peer_command(server);
	fake_pass(600 * MS);
	peer_write(server, DECIDED, strlen(DECIDED));
	peer_shutdown(server);
	ck_heard("from=fallback");
	peer_free(server);
	server = peer_accept(NAME);
	peer_greet(server);
	ck_assert_ptr_null(peer_command(server));
	ck_is_used();
}
END_TEST

START_TEST(batch_is_held_in_the_order_it_came)
{
	ck_is_used();
	decide("key:1");
	call("key:1");
	peer_say(server, ":2\r\n" DECIDED);
	ck_heard("level=1");
	ck_assert_pstr_eq(peer_command(server), "WAIT 2 1001");
	stop_serving();
	ck_assert(peer_is_left(server));
}
END_TEST

Suite *
replicas_suite(void)
{
	Suite *suite = suite_create("replicas");
	TCase *tcase = tcase_create("replicas");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, decision_waits_for_its_replicas);
	tcase_add_test(tcase, it_waits_as_long_as_its_client_may);
	tcase_add_test(tcase, decision_that_too_few_have_falls_back);
	tcase_add_test(tcase, server_that_waits_for_longer_is_not_left);
	tcase_add_test(
	    tcase, one_wait_counts_for_all_that_were_replied_to_before);
	tcase_add_test(
	    tcase, what_has_more_time_than_the_wait_had_is_waited_for_again);
	tcase_add_test(tcase, server_that_never_replies_is_left);
	tcase_add_test(tcase, right_that_is_missing_is_said);
	tcase_add_test(tcase, link_that_ends_meanwhile_leaves_it_undecided);
	tcase_add_test(tcase, another_connection_does_not_answer_for_it);
	tcase_add_test(tcase, batch_is_held_in_the_order_it_came);
	suite_add_tcase(suite, tcase);
	return suite;
}
