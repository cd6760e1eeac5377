/*
 * More is asked for than Redis can do: what it does within the time-out is
 * taken on, and the rest waits in the clients' sockets.
 */
#include "base/attr.h"
#include "base/clock.h"
#include "base/spares.h"
#include "fake/fake.h"
#include "server/queue.h"
#include "serving.h"
#include "store/redis/batch.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS     INT64_C(1000)
#define SECOND INT64_C(1000000)

#define NAME "redis.example:6379"

#define SETTINGS                                                               \
	"[store]\ntype = redis\n"                                              \
	"[redis]\nhost = redis.example\nsocket_timeout = 50ms\n"
#define LIMITS "[key]\nmatch = key:*\ncapacity = 1000000\nrate = 1/h\n"

#define CLIENTS_MAX 400
#define CALLS_MAX   64

/* The server: so many buckets a millisecond. */
static struct peer *server, *others[4];
static size_t other_count;
static int pace;
static int calls[CALLS_MAX]; /* buckets of those that are out */
static int call_count;
static int credit; /* buckets */
static size_t most_calls,
    most_asked; /* that were out at a time, and what for */

/* The clients. */
static struct peer *clients[CLIENTS_MAX];
static int heard[CLIENTS_MAX]; /* lines, at all */
static int client_count;
static int ahead; /* requests of each that are under way */
static long fallbacks;
static unsigned key;

static void
set_up(void)
{
	fake_start();
	serve(SETTINGS, LIMITS);
	server = NULL;
	client_count = call_count = credit = 0;
	other_count = 0;
	fallbacks = 0;
	most_calls = most_asked = 0;
	ahead = 64;
}

static void
tear_down(void)
{
	stop_serving();
	peer_free(server);
	while (other_count > 0)
		peer_free(others[--other_count]);
	fake_end();
}

/* The sweep's link starts with INFO, the store's with nothing. */
static void
accept_store(void)
{
	while (!server) {
		struct peer *peer = peer_accept(NAME);

		peer_greet(peer);
		if (peer_command(peer))
			others[other_count++] = peer;
		else
			server = peer;
	}
}

static int
count(const char *text, const char *word)
{
	int found = 0;

	for (; (text = strstr(text, word)); text++)
		found++;
	return found;
}

static void
server_reply(int buckets)
{
	static char text[65536];
	int len = sprintf(text, "*%d\r\n$10\r\n%lld\r\n$1\r\n0\r\n",
	    buckets + 2, (long long)(clock_us() / SECOND));

	for (int i = 0; i < buckets; i++)
		len += sprintf(text + len, "$-1\r\n");
	peer_write(server, text, (size_t)len);
}

static void
server_note_most(void)
{
	size_t asked = 0;

	for (int i = 0; i < call_count; i++)
		asked += (size_t)calls[i];
	if (asked > most_asked)
		most_asked = asked;
	if ((size_t)call_count > most_calls)
		most_calls = (size_t)call_count;
}

/* What it can do in a millisecond. */
static void
server_work(void)
{
	const char *command;

	while ((command = peer_command(server))) {
		ck_assert_int_lt(call_count, CALLS_MAX);
		calls[call_count++] = count(command, "key:");
	}
	server_note_most();
	credit = call_count > 0 ? credit + pace : 0;
	while (call_count > 0 && credit >= calls[0]) {
		credit -= calls[0];
		server_reply(calls[0]);
		memmove(calls, calls + 1, sizeof(calls[0]) * --call_count);
	}
}

static void
ask(struct peer *client, int times)
{
	for (int i = 0; i < times; i++) {
		char text[40];
		int len = sprintf(text, "CONSUME key:%u\n", ++key);

		peer_write(client, text, (size_t)len);
	}
}

/* Each client asks for more once it got all that it asked for. */
static void
hear(void)
{
	bool news[CLIENTS_MAX];

	peer_look(clients, client_count, news);
	for (int i = 0; i < client_count; i++) {
		const char *text = news[i] ? peer_heard(clients[i]) : "";
		int lines = count(text, "\n");

		fallbacks += count(text, "from=fallback");
		heard[i] += lines;
		if (lines > 0 && ahead > 0 && heard[i] % ahead == 0)
			ask(clients[i], ahead);
	}
}

static long
heard_at_all(void)
{
	long sum = 0;

	for (int i = 0; i < client_count; i++)
		sum += heard[i];
	return sum;
}

/* Let time pass; return how many responses came. */
static long
pass(int64_t us)
{
	long before = heard_at_all();

	for (int64_t passed_us = 0; passed_us < us; passed_us += MS) {
		fake_pass(MS);
		server_work();
		fake_run();
		hear();
		fake_run();
	}
	return heard_at_all() - before;
}

static void
clients_come(int number)
{
	accept_store();
	client_count = number;
	for (int i = 0; i < number; i++) {
		heard[i] = 0;
		clients[i] = client_comes();
	}
	for (int i = 0; i < number; i++)
		ask(clients[i], ahead);
}

/* From the first burst on, when the pace is not known yet. */
START_TEST(none_falls_back_however_many_ask)
{
	static const int paces[] = {4, 20, 84};
	long came;

	pace = paces[_i];
	clients_come(CLIENTS_MAX);
	pass(100 * MS);
	came = pass(200 * MS);
	ck_assert_int_eq(fallbacks, 0);
	ck_assert_int_ge(came, 200L * pace * 9 / 10);
}
END_TEST

START_TEST(none_falls_back_however_much_one_asks)
{
	pace = 4;
	ahead = 256;
	clients_come(2);
	pass(100 * MS);
	ck_assert_int_ge(pass(200 * MS), 200L * pace * 9 / 10);
	ck_assert_int_eq(fallbacks, 0);
}
END_TEST

/* As at a machine that is busy with other things for a while. */
START_TEST(none_falls_back_when_redis_slows_down)
{
	pace = 60;
	clients_come(CLIENTS_MAX);
	pass(200 * MS);
	pace = 20;
	ck_assert_int_ge(pass(200 * MS), 200L * pace * 9 / 10);
	pace = 60;
	pass(200 * MS);
	ck_assert_int_ge(pass(200 * MS), 200L * pace * 9 / 10);
	ck_assert_int_eq(fallbacks, 0);
}
END_TEST

/* In any second, and what many ask for is not kept from the others. */
START_TEST(each_client_gets_its_share)
{
	int before[CLIENTS_MAX];

	pace = 40;
	clients_come(50);
	fake_look_takes(10);
	pass(100 * MS);
	for (int k = 0; k < 3; k++) {
		memcpy(before, heard, sizeof(before));
		long share = pass(SECOND) / 50;

		for (int i = 0; i < 50; i++)
			ck_assert_int_ge(heard[i] - before[i], share * 7 / 10);
	}
	ck_assert_int_eq(fallbacks, 0);
}
END_TEST

/*
 * Overload is said.
 */

/* What the log says of it since the last look; "": nothing. */
static const char *
said(void)
{
	const char *at = strstr(fake_log(), "worker 0 is ");

	return at ? at : "";
}

/* A report, which has to wait for its turn. */
static const char *
stats(void)
{
	struct peer *client = client_given();

	peer_write(client, "STATS\n", 6);
	pass(SECOND);
	return peer_heard(client);
}

static long
stat_in(const char *report, const char *name)
{
	const char *at = strstr(report, name);

	ck_assert_msg(at, "no %s in %s", name, report);
	return strtol(at + strlen(name), NULL, 10);
}

START_TEST(overload_by_redis_is_told_with_its_pace)
{
	const char *report;
	int told;

	pace = 10;
	clients_come(100);
	pass(3 * SECOND);
	ck_assert_int_eq(
	    sscanf(said(), "worker 0 is overloaded: Redis decides %d", &told),
	    1);
	ck_assert_int_ge(told, 9000);
	ck_assert_int_le(told, 11000);
	report = stats();
	ck_assert_int_gt(stat_in(report, "\ndeferred "), 100);
	ck_assert_int_gt(stat_in(report, "\nclients_waiting "), 50);
	/* 6400 at 10 a millisecond. */
	ck_assert_int_gt(stat_in(report, "\nlongest_wait_us "), 400 * MS);
	ck_assert_int_lt(stat_in(report, "\nlongest_wait_us "), 800 * MS);
	ck_assert_int_gt(stat_in(report, "\nwaited_us "), 100 * SECOND);
	pass(3 * SECOND);
	ck_assert_str_eq(said(), ""); /* once */
	ahead = 0;
	pass(8 * SECOND);
	ck_assert_int_eq(
	    sscanf(
		said(), "worker 0 is not overloaded any more, after %d", &told),
	    1);
	ck_assert_int_ge(told, 5);
	ck_assert_int_le(told, 8);
	ck_assert_int_eq(stat_of("clients_waiting"), 0);
}
END_TEST

START_TEST(pauses_in_an_overload_are_not_told)
{
	pace = 10;
	clients_come(100);
	pass(3 * SECOND);
	ck_assert_str_ne(said(), "");
	for (int k = 0; k < 3; k++) {
		ahead = 0;
		pass(3 * SECOND);
		ahead = 64;
		for (int i = 0; i < client_count; i++)
			ask(clients[i], ahead);
		pass(3 * SECOND);
	}
	ck_assert_str_eq(said(), "");
}
END_TEST

START_TEST(what_redis_does_in_time_is_no_overload)
{
	pace = 200;
	clients_come(20);
	pass(4 * SECOND);
	ck_assert_str_eq(said(), "");
	ck_assert_int_eq(fallbacks, 0);
}
END_TEST

/*
 * Memory.
 */

/* Bytes of so many blocks, but for the reserve of their kind. */
static size_t
beyond_reserve(size_t count, size_t size)
{
	size_t reserve = SPARES_RESERVE / size + 1;

	ck_assert_uint_gt(count, reserve);
	return (count - reserve) * size;
}

/* Of which there was one for each request that was out, and for each call. */
START_TEST(what_a_burst_needed_is_given_back)
{
	pace = 60;
	clients_come(CLIENTS_MAX);
	pass(SECOND);
	fake_given_back();
	pass(12 * SECOND);
	ck_assert_uint_lt(fake_given_back(), 1 << 17); /* it is needed */
	ahead = 0;
	pass(SECOND); /* all that was asked for */
	fake_pass(11 * SECOND);
	ck_assert_uint_ge(fake_given_back(),
	    beyond_reserve(most_asked, sizeof(struct slot)) +
		beyond_reserve(most_calls, sizeof(struct batch)));
	fake_pass(12 * SECOND);
	ck_assert_uint_eq(fake_given_back(), 0); /* once */
}
END_TEST

Suite *
saturation_suite(void)
{
	Suite *suite = suite_create("saturation");
	TCase *tcase = tcase_create("saturation");

	tcase_set_timeout(tcase, 300);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase, none_falls_back_however_many_ask, 0, 3);
	tcase_add_test(tcase, none_falls_back_however_much_one_asks);
	tcase_add_test(tcase, none_falls_back_when_redis_slows_down);
	tcase_add_test(tcase, each_client_gets_its_share);
	tcase_add_test(tcase, overload_by_redis_is_told_with_its_pace);
	tcase_add_test(tcase, pauses_in_an_overload_are_not_told);
	tcase_add_test(tcase, what_redis_does_in_time_is_no_overload);
	tcase_add_test(tcase, what_a_burst_needed_is_given_back);
	suite_add_tcase(suite, tcase);
	return suite;
}
