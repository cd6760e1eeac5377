#include "base/attr.h"
#include "fake/fake.h"
#include "fake/peer.h"
#include "server/conn.h"
#include "serving.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS     INT64_C(1000)
#define SECOND INT64_C(1000000)
#define HOUR   (3600 * SECOND)

#define SETTINGS                                                               \
	"[store]\ntype = redis\n"                                              \
	"[redis]\ntopology = sharded\nhosts = a.example:1 b.example:2\n"       \
	"partitions = 32\nsocket_timeout = 50ms\n"

#define LIMITS "[key]\nmatch = key:*\ncapacity = 1000\nrate = 1/h\n"

static const char *const names[] = {"a.example:1", "b.example:2"};

#define SERVERS COUNT(names)

static struct peer *stores[SERVERS], *sweepers[SERVERS];

/* A server's two links come in any order: the sweep starts with INFO. */
static void
accept_links(size_t server)
{
	for (int i = 0; i < 2; i++) {
		struct peer *peer = peer_accept(names[server]);

		peer_greet(peer);
		if (!peer_coming(peer)) {
			stores[server] = peer;
			continue;
		}
		ck_assert_pstr_eq(peer_command(peer), "INFO");
		peer_say(peer, "$-1\r\n");
		sweepers[server] = peer;
	}
}

static void
set_up(void)
{
	fake_start();
	serve(SETTINGS, LIMITS);
	for (size_t i = 0; i < SERVERS; i++)
		accept_links(i);
}

static void
tear_down(void)
{
	stop_serving();
	for (size_t i = 0; i < SERVERS; i++) {
		peer_free(stores[i]);
		peer_free(sweepers[i]);
	}
	fake_end();
}

/* Have each server decide about keys of its own; all their clocks say
 * ${server_us}. */
static void
decide_at(struct peer *client, int64_t server_us)
{
	bool decided[SERVERS] = {false};

	for (int i = 0; !decided[0] || !decided[1]; i++) {
		size_t server;

		peer_say(client, "CONSUME key:%d\n", i);
		server = peer_coming(stores[0]) ? 0 : 1;
		ck_assert_ptr_nonnull(peer_command(stores[server]));
		peer_say(stores[server],
		    "*3\r\n$10\r\n%lld\r\n$1\r\n0\r\n$-1\r\n",
		    (long long)(server_us / SECOND));
		decided[server] = true;
	}
}

START_TEST(clocks_set_back_together_are_noticed_each)
{
	struct peer *client = client_comes();
	const char *log;

	decide_at(client, FAKE_START_US + 2 * HOUR);
	decide_at(client, FAKE_START_US + HOUR);
	fake_log();
	fake_pass(100 * MS);
	log = fake_log();
	for (size_t i = 0; i < SERVERS; i++) {
		char line[80];

		sprintf(line, "redis %s: its clock was set back", names[i]);
		ck_assert_msg(strstr(log, line), "%s is not in %s", line, log);
	}
}
END_TEST

/* Have a server decide the one bucket that it was asked for. */
static void
decide(size_t server)
{
	ck_assert_ptr_nonnull(peer_command(stores[server]));
	peer_say(stores[server], "*3\r\n$10\r\n%lld\r\n$1\r\n0\r\n$-1\r\n",
	    (long long)(FAKE_START_US / SECOND));
}

/* The number of a key whose bucket a server has. */
static int
key_of(size_t server)
{
	struct peer *client = client_comes();

	for (int i = 0;; i++) {
		bool found;

		peer_say(client, "CONSUME key:%d\n", i);
		found = peer_coming(stores[server]);
		decide(found ? server : SERVERS - 1 - server);
		if (found) {
			client_goes();
			return i;
		}
	}
}

/* Ask for a key of each server, and have the first reply after ${us}. */
static struct peer *
ask_both(int64_t us)
{
	int first = key_of(0), second = key_of(1);
	struct peer *client = client_comes();

	peer_say(client, "CONSUME key:%d\nCONSUME key:%d\n", first, second);
	fake_pass(us);
	decide(0);
	return client;
}

static size_t
lines_heard(struct peer *client)
{
	size_t count = 0;

	for (const char *at = peer_heard(client); (at = strchr(at, '\n')); at++)
		count++;
	return count;
}

START_TEST(response_waits_for_that_of_another_server)
{
	struct peer *client = ask_both(1 * MS);

	fake_pass(400);
	ck_assert_uint_eq(lines_heard(client), 0);
	decide(1);
	ck_assert_uint_eq(lines_heard(client), 2);
}
END_TEST

/* How long the first took, and how long it then waits. */
static const struct {
	int64_t took_us, waits_us;
} waits[] = {{255, 0}, {256, 256}, {1023, 768}, {1024, 1024}, {2047, 1536},
    {2048, 2048}, {30 * MS, 3072}};

START_TEST(response_waits_no_longer_than_it_took)
{
	struct peer *client = ask_both(waits[_i].took_us);

	if (waits[_i].waits_us > 0) {
		fake_pass(waits[_i].waits_us - 1);
		ck_assert_uint_eq(lines_heard(client), 0);
		fake_pass(1);
	}
	ck_assert_uint_eq(lines_heard(client), 1);
	decide(1);
	ck_assert_uint_eq(lines_heard(client), 1);
}
END_TEST

/* They may be of several who share the connection. */
START_TEST(response_does_not_wait_for_a_request_that_came_by_itself)
{
	int first = key_of(0), second = key_of(1);
	struct peer *client = client_comes();

	peer_say(client, "CONSUME key:%d\n", first);
	peer_say(client, "CONSUME key:%d\n", second);
	fake_pass(1 * MS);
	decide(0);
	ck_assert_uint_eq(lines_heard(client), 1);
}
END_TEST

/* The timer is set to the first one, then to the next. */
START_TEST(responses_of_several_clients_wait_each_for_its_time)
{
	int first = key_of(0), second = key_of(1);
	struct peer *slow = client_comes(), *fast;

	peer_say(slow, "CONSUME key:%d\nCONSUME key:%d\n", first, second);
	fake_pass(2 * MS);
	fast = client_comes();
	peer_say(fast, "CONSUME key:%d\nCONSUME key:%d\n", first, second);
	decide(0); /* of the slow one; waits for 1,536 us */
	fake_pass(300);
	decide(0); /* of the fast one: 256 us */
	fake_pass(255);
	ck_assert_uint_eq(lines_heard(fast), 0);
	fake_pass(1);
	ck_assert_uint_eq(lines_heard(fast), 1);
	ck_assert_uint_eq(lines_heard(slow), 0);
	fake_pass(1536 - 300 - 256);
	ck_assert_uint_eq(lines_heard(slow), 1);
}
END_TEST

START_TEST(client_goes_while_its_response_waits)
{
	ask_both(1 * MS);
	client_goes();
	fake_pass(10 * MS);
	ck_assert_int_eq(stat_of("clients"), 1);
}
END_TEST

/* More bytes than wait, and not more than are written at once. */
#define REPORTS 35

/* Ask, at once, for a key of the first server, that many reports, and a key of
 * the second; the first has replied. */
static struct peer *
ask_for_much(void)
{
	int first = key_of(0), second = key_of(1);
	struct peer *client = client_comes();
	char reports[REPORTS * sizeof("STATS\n")] = "";

	for (int i = 0; i < REPORTS; i++)
		strcat(reports, "STATS\n");
	peer_say(client, "CONSUME key:%d\n%sCONSUME key:%d\n", first, reports,
	    second);
	fake_pass(1 * MS);
	decide(0);
	return client;
}

START_TEST(long_responses_do_not_wait)
{
	ck_assert_str_ne(peer_heard(ask_for_much()), "");
}
END_TEST

/* What the socket had no room for is sent once there is some, or the loop would
 * not come to rest. */
START_TEST(rest_of_long_responses_does_not_wait)
{
	struct peer *client = ask_for_much();
	const char *heard, *end = NULL;
	size_t len = 0;

	while (*(heard = peer_heard(client))) {
		len += strlen(heard);
		end = strrchr(heard, 'E');
		fake_run();
	}
	ck_assert_pstr_eq(end, "END\n");
	ck_assert_uint_lt(len, CONN_HELD_MAX / 2);
}
END_TEST

/* Where the hash is that a server is asked for, or NULL: it is not asked. */
static const char *
asked_for(struct peer *peer)
{
	const char *command = peer_command(peer);

	return command ? strstr(command, "drip:") : NULL;
}

/* What is under way is decided by on_error; what comes then goes to the new
 * servers, once they have greeted. */
START_TEST(buckets_move_with_the_topology)
{
	const struct topology_options where = {.kind = "sharded",
	    .partitions = 1,
	    .hosts = names[1],
	    .endpoint = {"", "", 0}};
	struct peer *client = client_comes();

	for (int i = 0; i < 10; i++)
		peer_say(client, "CONSUME key:%d\n", i);
	ck_assert_int_eq(pool_set_topology(pool, &where), 0);
	fake_run();
	for (size_t i = 0; i < SERVERS; i++) {
		peer_commands(stores[i]);
		peer_commands(sweepers[i]);
		ck_assert(peer_is_left(stores[i]));
		ck_assert(peer_is_left(sweepers[i]));
		peer_free(stores[i]);
		peer_free(sweepers[i]);
		stores[i] = sweepers[i] = NULL;
	}
	ck_assert_int_eq(stat_of("fallback"), 10);
	peer_heard(client);
	ck_assert_uint_eq(fake_dials(names[0]), 0);
	accept_links(1);
	peer_say(client, "CONSUME key:1\n");
	ck_assert_str_eq(asked_for(stores[1]),
	    "drip:key 1000 3600000000 0 /3vdES8 "
	    "3603600000 1 1 key:1");
}
END_TEST

START_TEST(pool_may_stop_while_buckets_move)
{
	const struct topology_options where = {.kind = "single",
	    .partitions = 4,
	    .hosts = "",
	    .endpoint = {"", "c.example", 3}};
	struct peer *client = client_comes();

	peer_say(client, "CONSUME key:1\n");
	ck_assert_int_eq(pool_set_topology(pool, &where), 0);
}
END_TEST

Suite *
worker_sharded_suite(void)
{
	Suite *suite = suite_create("worker_sharded");
	TCase *tcase = tcase_create("worker_sharded");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, clocks_set_back_together_are_noticed_each);
	tcase_add_test(tcase, buckets_move_with_the_topology);
	tcase_add_test(tcase, pool_may_stop_while_buckets_move);
	tcase_add_test(tcase, response_waits_for_that_of_another_server);
	tcase_add_loop_test(
	    tcase, response_waits_no_longer_than_it_took, 0, (int)COUNT(waits));
	tcase_add_test(
	    tcase, response_does_not_wait_for_a_request_that_came_by_itself);
	tcase_add_test(
	    tcase, responses_of_several_clients_wait_each_for_its_time);
	tcase_add_test(tcase, client_goes_while_its_response_waits);
	tcase_add_test(tcase, long_responses_do_not_wait);
	tcase_add_test(tcase, rest_of_long_responses_does_not_wait);
	suite_add_tcase(suite, tcase);
	return suite;
}
