#include "base/attr.h"
#include "fake/fake.h"
#include "serving.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS     INT64_C(1000)
#define SECOND INT64_C(1000000)

#define SETTINGS "[limits]\nunmatched = error\n"
#define REDIS                                                                  \
	"[store]\ntype = redis\n"                                              \
	"[redis]\nhost = redis.example\nsocket_timeout = 5s\n"
#define LIMITS "[key]\nmatch = key:*\ncapacity = 1000000\nrate = 1/h\n"

#define PAIRS 10

/* Connected in pairs: the first of each is of the first worker. */
static struct peer *busy[PAIRS], *idle[PAIRS];
static int heard[PAIRS]; /* lines, by the busy ones */

static void
start(const char *settings)
{
	serve_with(2, settings, LIMITS);
	for (int i = 0; i < PAIRS; i++) {
		heard[i] = 0;
		busy[i] = client_comes();
		idle[i] = client_comes();
	}
	fake_look_takes(100);
}

static void
set_up(void)
{
	fake_start();
	start(SETTINGS);
}

static void
tear_down(void)
{
	stop_serving();
	fake_end();
}

static void
restart(const char *settings)
{
	stop_serving();
	fake_look_takes(0);
	start(settings);
}

static int
count_lines(struct peer *client)
{
	int count = 0;

	for (const char *at = peer_heard(client); (at = strchr(at, '\n')); at++)
		count++;
	return count;
}

static void
hear(void)
{
	for (int i = 0; i < PAIRS; i++)
		heard[i] += count_lines(busy[i]);
}

/* Let so many clients say ${text} every ten milliseconds. */
static void
be_busy(int count, const char *text, int64_t us)
{
	for (int64_t passed_us = 0; passed_us < us; passed_us += 10 * MS) {
		for (int i = 0; i < count; i++)
			peer_write(busy[i], text, strlen(text));
		fake_pass(10 * MS);
		hear();
	}
}

/* Whether the worker with that loop serves it. */
static bool
is_of(struct peer *client, size_t loop)
{
	bool served;

	peer_heard(client);
	fake_loop_hang(fake_loop(1 - loop));
	peer_write(client, "PING\n", 5);
	fake_run();
	served = strcmp(peer_heard(client), "PONG\n") == 0;
	fake_loop_go_on(fake_loop(1 - loop));
	fake_run();
	peer_heard(client);
	return served;
}

static int
count_of(struct peer *clients[PAIRS], size_t loop)
{
	int count = 0;

	for (int i = 0; i < PAIRS; i++)
		count += is_of(clients[i], loop);
	return count;
}

START_TEST(half_of_the_busy_clients_move)
{
	ck_assert_int_eq(count_of(busy, 0), PAIRS);
	be_busy(PAIRS, "PING\n", 4 * SECOND);
	ck_assert_int_ge(count_of(busy, 0), 4);
	ck_assert_int_le(count_of(busy, 0), 6);
	ck_assert_int_ge(stat_of("clients_moved"), 4);
	ck_assert_int_le(stat_of("clients_moved"), 10);
	ck_assert_int_eq(stat_of("connections"), 2 * PAIRS + 3);
}
END_TEST

START_TEST(idle_clients_stay)
{
	be_busy(PAIRS, "PING\n", 4 * SECOND);
	ck_assert_int_eq(count_of(idle, 1), PAIRS);
}
END_TEST

/* It cannot be shared, and to have it elsewhere helps nothing. */
START_TEST(one_busy_client_stays)
{
	be_busy(1, "PING\nPING\nPING\nPING\n", 4 * SECOND);
	ck_assert(is_of(busy[0], 0));
	ck_assert_int_eq(stat_of("clients_moved"), 0);
}
END_TEST

START_TEST(few_requests_are_no_reason)
{
	for (int i = 0; i < 40; i++) {
		be_busy(1, "PING\n", 10 * MS);
		fake_pass(90 * MS);
	}
	ck_assert_int_eq(stat_of("clients_moved"), 0);
}
END_TEST

/* Each line may be cut where the client moves. */
START_TEST(no_request_is_lost_on_the_way)
{
	static const char text[] = "CONSUME key:1\nCONSUME key:2\n";
	int sent = 0, lines = 0;

	for (size_t at = 0; at < 3000; at++, sent++) {
		for (int i = 0; i < PAIRS; i++) {
			peer_write(busy[i], text + at % (sizeof(text) - 1), 1);
			fake_run();
		}
		fake_pass(MS);
		hear();
	}
	ck_assert_int_ge(stat_of("clients_moved"), 4);
	for (int i = 0; i < PAIRS; i++)
		lines += heard[i];
	ck_assert_int_eq(lines, PAIRS * (sent / 14));
	ck_assert_int_eq(stat_of("allowed"), lines);
	ck_assert_int_eq(stat_of("bad_lines"), 0);
}
END_TEST

START_TEST(session_moves_along)
{
	static const char hello[] = "*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n";
	int of_resp3 = 0;

	be_busy(PAIRS, hello, 4 * SECOND);
	for (int i = 0; i < PAIRS; i++) {
		peer_heard(busy[i]);
		peer_say(busy[i], "*1\r\n$5\r\nHELLO\r\n");
		of_resp3 += *peer_heard(busy[i]) == '%'; /* a map */
	}
	ck_assert_int_ge(stat_of("clients_moved"), 4);
	ck_assert_int_eq(of_resp3, PAIRS);
}
END_TEST

/* A client is on the way when all end. */
static void
send_on_the_way(void)
{
	size_t before = pool_clients(pool);

	be_busy(PAIRS, "PING\n", 400 * MS);
	fake_loop_hang(fake_loop(1));
	be_busy(PAIRS, "PING\n", 200 * MS);
	ck_assert_uint_eq(pool_clients(pool), before);
}

START_TEST(client_on_the_way_is_drained)
{
	send_on_the_way();
	pool_drain(pool, true);
	fake_pass(SECOND);
	ck_assert(!pool_is_drained(pool));
	fake_loop_go_on(fake_loop(1));
	fake_pass(SECOND);
	ck_assert(pool_is_drained(pool));
	ck_assert_uint_eq(pool_clients(pool), 0);
	/* Each one waits for the successor, with what it said meanwhile. */
	ck_assert_str_ne(handover_unread(), "");
}
END_TEST

START_TEST(client_on_the_way_is_freed)
{
	send_on_the_way();
	stop_serving();
}
END_TEST

/* Having ended, it takes none. */
START_TEST(worker_that_ended_takes_no_client)
{
	be_busy(PAIRS, "PING\n", 400 * MS);
	fake_loop_hang(fake_loop(0));
	pool_drain(pool, false);
	fake_pass(SECOND);
	fake_loop_go_on(fake_loop(0));
	fake_pass(SECOND);
	ck_assert(pool_is_drained(pool));
	ck_assert_uint_eq(pool_clients(pool), 0);
	for (int i = 0; i < PAIRS; i++) {
		peer_heard(busy[i]);
		ck_assert(peer_is_left(busy[i]));
	}
}
END_TEST

/*
 * Requests under way.
 */

/* Reply to all calls that are out, of one bucket each. */
static int
reply(struct peer *server)
{
	int calls = 0;

	while (peer_command(server)) {
		peer_say(server, "*3\r\n$10\r\n%lld\r\n$1\r\n0\r\n$-1\r\n",
		    (long long)(FAKE_START_US / SECOND));
		calls++;
	}
	return calls;
}

/* The first worker's link; the sweep's and the other worker's are let be. */
static struct peer *
accept_first(struct peer *servers[3])
{
	struct peer *first = NULL;
	const char *command;

	for (int i = 0; i < 3; i++) {
		servers[i] = peer_accept("redis.example:6379");
		peer_greet(servers[i]);
	}
	peer_write(busy[0], "PEEK key:1\n", 11);
	fake_run();
	for (int i = 0; i < 3; i++) {
		command = peer_command(servers[i]);
		if (command && strncmp(command, "EVAL", 4) == 0)
			first = servers[i];
	}
	ck_assert_ptr_nonnull(first);
	peer_say(first, "*3\r\n$10\r\n%lld\r\n$1\r\n0\r\n$-1\r\n",
	    (long long)(FAKE_START_US / SECOND));
	ck_assert_int_eq(count_lines(busy[0]), 1);
	return first;
}

START_TEST(client_with_a_request_under_way_stays_until_it_has_its_response)
{
	struct peer *servers[3], *first;
	int calls = 0;

	restart(REDIS);
	first = accept_first(servers);
	be_busy(PAIRS, "PING\n", 450 * MS);
	for (int i = 0; i < PAIRS; i++)
		peer_write(busy[i], "PEEK key:1\n", 11);
	fake_pass(100 * MS);
	ck_assert_int_eq(stat_of("clients_moved"), 0);
	/* What comes after is for the other worker, and its link. */
	for (int i = 0; i < PAIRS; i++)
		peer_write(busy[i], "PEEK key:1\n", 11);
	fake_run();
	while (reply(first) > 0)
		;
	ck_assert_int_ge(stat_of("clients_moved"), 4);
	for (int i = 0; i < 3; i++)
		calls += servers[i] == first ? 0 : reply(servers[i]);
	ck_assert_int_eq(calls, 1);
	hear();
	for (int i = 0; i < PAIRS; i++)
		ck_assert_int_eq(heard[i], 45 + 2);
	for (int i = 0; i < 3; i++)
		peer_free(servers[i]);
}
END_TEST

Suite *
balance_suite(void)
{
	Suite *suite = suite_create("balance");
	TCase *tcase = tcase_create("balance");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, half_of_the_busy_clients_move);
	tcase_add_test(tcase, idle_clients_stay);
	tcase_add_test(tcase, one_busy_client_stays);
	tcase_add_test(tcase, few_requests_are_no_reason);
	tcase_add_test(tcase, no_request_is_lost_on_the_way);
	tcase_add_test(tcase, session_moves_along);
	tcase_add_test(tcase, client_on_the_way_is_drained);
	tcase_add_test(tcase, client_on_the_way_is_freed);
	tcase_add_test(tcase, worker_that_ended_takes_no_client);
	tcase_add_test(tcase,
	    client_with_a_request_under_way_stays_until_it_has_its_response);
	suite_add_tcase(suite, tcase);
	return suite;
}
