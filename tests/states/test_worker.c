#include "fake/fake.h"
#include "base/clock.h"
#include "server/conn.h"
#include "serving.h"
#include "suites.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND INT64_C(1000000)

#define SETTINGS                                                               \
	"[listen]\nidle_timeout = 60s\nline_timeout = 10s\n"                   \
	"[limits]\nunmatched = error\n"

/* Each request for key:N leaves its mark in the response. */
#define LIMITS "[key]\nmatch = key:*\ncapacity = 1000000\nrate = 1/h\n"

static void
set_up(void)
{
	fake_start();
	serve(SETTINGS, LIMITS);
}

static void
tear_down(void)
{
	stop_serving();
	fake_end();
}

/* How many lines were received. */
static size_t
count_lines(struct peer *client)
{
	size_t count = 0;

	for (const char *at = peer_heard(client); (at = strchr(at, '\n')); at++)
		count++;
	return count;
}

/* Whether it is served. */
static bool
is_served(struct peer *client)
{
	peer_heard(client);
	peer_say(client, "PING\n");
	return strcmp(peer_heard(client), "PONG\n") == 0;
}

START_TEST(responses_have_the_order_of_requests)
{
	struct peer *client = client_comes();

	peer_say(client, "PING\nCONSUME key:1 3\nnonsense\nPEEK key:1\n"
			 "RESET key:1\nPING\n");
	ck_assert_str_eq(peer_heard(client),
	    "PONG\n"
	    "ALLOW limit=key level=3 capacity=1000000 next=3600.000000 retry=0 "
	    "blocked=0 from=memory\n"
	    "ERR badverb unknown request; try HELP\n"
	    "ALLOW limit=key level=3 capacity=1000000 next=3600.000000 retry=0 "
	    "blocked=0 from=memory\n"
	    "OK\nPONG\n");
}
END_TEST

/* A report says how things were when its turn came. */
START_TEST(report_counts_what_was_asked_before)
{
	struct peer *client = client_comes();
	const char *heard;

	peer_say(client, "PEEK key:1\nPEEK key:1\nSTATS\nPEEK key:1\nSTATS\n");
	heard = strstr(peer_heard(client), "\npeeks 2\n");
	ck_assert_ptr_nonnull(heard);
	ck_assert_ptr_nonnull(strstr(heard, "\npeeks 3\n"));
}
END_TEST

START_TEST(request_may_come_byte_by_byte)
{
	static const char bytes[] = "CONSUME key:1\nPING\n";
	struct peer *client = client_comes();

	for (const char *at = bytes; *at; at++)
		peer_say(client, "%c", *at);
	ck_assert_str_eq(peer_heard(client),
	    "ALLOW limit=key level=1 capacity=1000000 next=3600.000000 retry=0 "
	    "blocked=0 from=memory\n"
	    "PONG\n");
}
END_TEST

/*
 * Time-outs.  They are looked at once a second.
 */

START_TEST(idle_client_is_closed)
{
	struct peer *client = client_comes();

	fake_pass(60 * SECOND - 1);
	ck_assert(!peer_is_left(client));
	fake_pass(SECOND);
	ck_assert(peer_is_left(client));
	ck_assert_uint_eq(pool_clients(pool), 0);
	ck_assert_int_eq(stat_of("clients_idle"), 1);
}
END_TEST

START_TEST(client_that_speaks_is_not_idle)
{
	struct peer *client = client_comes();

	for (int i = 0; i < 10; i++) {
		fake_pass(59 * SECOND);
		ck_assert(is_served(client));
	}
	ck_assert_int_eq(stat_of("clients_idle"), 0);
}
END_TEST

START_TEST(without_a_timeout_no_client_is_idle)
{
	struct peer *client;

	stop_serving();
	serve("[listen]\nidle_timeout = 0\n", LIMITS);
	client = client_comes();
	fake_pass(3600 * SECOND);
	ck_assert(is_served(client));
}
END_TEST

/* However often something comes. */
START_TEST(line_must_end_in_time)
{
	struct peer *client = client_comes();

	for (int i = 0; i < 10; i++) {
		peer_say(client, "x");
		fake_pass(SECOND - 1);
		ck_assert(!peer_is_left(client));
	}
	fake_pass(SECOND);
	ck_assert(peer_is_left(client));
}
END_TEST

START_TEST(each_line_has_its_own_time)
{
	struct peer *client = client_comes();

	for (int i = 0; i < 5; i++) {
		peer_say(client, i == 0 ? "PI" : "NG\nPI");
		fake_pass(9 * SECOND);
		ck_assert(!peer_is_left(client));
	}
	peer_say(client, "NG\n");
	fake_pass(50 * SECOND);
	ck_assert_uint_eq(count_lines(client), 5);
	ck_assert(is_served(client));
}
END_TEST

START_TEST(resp_command_must_end_in_time)
{
	struct peer *client = client_comes();

	peer_say(client, "*1\r\n$4\r\nPI");
	fake_pass(10 * SECOND - 1);
	ck_assert(!peer_is_left(client));
	fake_pass(SECOND);
	ck_assert(peer_is_left(client));
}
END_TEST

/*
 * What a client did while the worker did not run is not what it failed to do.
 */

static void
write_text(struct peer *client, const char *text)
{
	peer_write(client, text, strlen(text));
}

START_TEST(client_that_spoke_while_the_worker_halted_is_not_idle)
{
	struct peer *client = client_comes();

	fake_pass(59 * SECOND);
	write_text(client, "PING\n");
	fake_stall(10 * SECOND);
	fake_run();
	ck_assert_str_eq(peer_heard(client), "PONG\n");
	fake_pass(59 * SECOND);
	ck_assert(!peer_is_left(client));
	fake_pass(2 * SECOND);
	ck_assert(peer_is_left(client));
}
END_TEST

START_TEST(line_that_ended_while_the_worker_halted_is_not_late)
{
	struct peer *client = client_comes();

	peer_say(client, "PI");
	write_text(client, "NG\n");
	fake_stall(30 * SECOND);
	fake_run();
	ck_assert_str_eq(peer_heard(client), "PONG\n");
	fake_pass(30 * SECOND);
	ck_assert(is_served(client));
}
END_TEST

static void
drip(void *client)
{
	peer_write(client, "x", 1);
}

/* Also if each look finds something that was not read yet. */
START_TEST(line_that_never_ends_is_late)
{
	struct peer *client = client_comes();

	peer_say(client, "x");
	for (int i = 0; i < 11; i++) {
		ck_assert(!peer_is_left(client));
		fake_at(SECOND, drip, client);
		fake_pass(SECOND);
	}
	ck_assert(peer_is_left(client));
}
END_TEST

/*
 * Clients that do not read.
 */

/* Write as much as it takes of ${text}, again and again; return how often the
 * text went through. */
static size_t
flood(struct peer *client, const char *text)
{
	size_t len = strlen(text);
	size_t times = 0, taken;

	do {
		for (taken = 0; (size_t)taken < len;) {
			size_t step =
			    peer_try_write(client, text + taken, len - taken);

			taken += step;
			fake_run();
			if (step == 0)
				break;
		}
		times += taken == len;
	} while (taken == len && times < 1000000);
	return times;
}

START_TEST(client_that_does_not_read_is_not_read_from)
{
	struct peer *client = client_comes();
	long bound, peeks;

	peer_say(client, "PEEK key:1\n");
	bound = CONN_HELD_MAX / (long)strlen(peer_heard(client));
	ck_assert_uint_lt(flood(client, "PEEK key:1\n"), 1000000);
	/* 48 KiB unsent, and what the sockets hold. */
	peeks = stat_of("peeks");
	ck_assert_int_ge(peeks, bound);
	ck_assert_int_le(peeks, bound + 100);
}
END_TEST

START_TEST(it_gets_all_its_responses_once_it_reads)
{
	struct peer *client = client_comes();
	size_t sent = flood(client, "PEEK key:1\n");
	size_t lines = 0, step = 1;

	while (step > 0) {
		step = count_lines(client);
		lines += step;
		fake_run();
	}
	ck_assert_uint_eq(lines, sent);
	ck_assert_int_eq(stat_of("peeks"), (long)sent);
	ck_assert(is_served(client) || is_served(client));
}
END_TEST

/* So many limits that the report about them is much longer than what a client
 * may have unsent. */
static void
serve_many_limits(size_t count)
{
	char *text = malloc(count * 80), *end = text;

	ck_assert_ptr_nonnull(text);
	for (size_t i = 0; i < count; i++)
		end += sprintf(end,
		    "[limit%zu]\nmatch = %zu:*\ncapacity = 9\nrate = 1/h\n", i,
		    i);
	stop_serving();
	serve(SETTINGS, text);
	free(text);
}

static size_t
memory_taken(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

/* Where memory is not counted, as under a sanitizer, only that it gets all. */
START_TEST(report_is_written_as_its_client_reads_it)
{
	const size_t count = 20000;
	struct peer *client;
	size_t before, lines = 0, more;

	serve_many_limits(count);
	client = client_comes();
	ck_assert(is_served(client));
	before = memory_taken();
	peer_say(client, "LIMITS\n");
	ck_assert_uint_lt(memory_taken(), before + 2 * CONN_HELD_MAX);
	while ((more = count_lines(client)) > 0) {
		lines += more;
		fake_run();
	}
	ck_assert_uint_ge(lines, count);
	ck_assert(is_served(client));
}
END_TEST

/* What its transaction takes is no room for responses. */
START_TEST(client_with_a_long_transaction_has_fewer_responses_unsent)
{
	struct peer *client = client_comes();
	const int count = 2000;
	long peeks;

	peer_say(client, "*1\r\n$5\r\nMULTI\r\n");
	for (int i = 0; i < count; i++) {
		peer_say(client, "*2\r\n$4\r\nPEEK\r\n$5\r\nkey:1\r\n");
		peer_heard(client);
	}
	peer_say(client, "*1\r\n$4\r\nEXEC\r\n");
	peeks = stat_of("peeks");
	ck_assert_int_gt(peeks, 10);
	ck_assert_int_lt(peeks, 300);
	while (peer_heard(client)[0])
		fake_run();
	ck_assert_int_eq(stat_of("peeks"), count);
}
END_TEST

START_TEST(client_that_takes_nothing_is_closed)
{
	struct peer *client = client_comes();

	flood(client, "PEEK key:1\n");
	fake_pass(9 * SECOND);
	ck_assert_uint_eq(pool_clients(pool), 1);
	fake_pass(3 * SECOND);
	ck_assert_uint_eq(pool_clients(pool), 0);
	ck_assert_int_eq(stat_of("clients_stalled"), 1);
	ck_assert_int_eq(stat_of("clients_idle"), 0);
	peer_heard(client);
	ck_assert(peer_is_left(client));
}
END_TEST

/* A slow reader is not stalled, nor idle, however long it takes. */
START_TEST(client_that_takes_a_little_is_not)
{
	struct peer *client = client_comes();

	flood(client, "PEEK key:1\n");
	for (int i = 0; i < 5; i++) {
		fake_pass(9 * SECOND);
		ck_assert_uint_eq(pool_clients(pool), 1);
		ck_assert_uint_gt(count_lines(client), 0);
		fake_run();
	}
}
END_TEST

START_TEST(client_that_took_something_while_the_worker_halted_is_not)
{
	struct peer *client = client_comes();

	flood(client, "PEEK key:1\n");
	fake_pass(5 * SECOND);
	ck_assert_uint_gt(count_lines(client), 0);
	fake_stall(30 * SECOND);
	fake_run();
	ck_assert_uint_gt(count_lines(client), 0);
	fake_pass(9 * SECOND);
	ck_assert_uint_eq(pool_clients(pool), 1);
}
END_TEST

/* Requests that had to wait for room count as said when they are handled. */
START_TEST(requests_that_waited_were_said_just_now)
{
	static char text[11 * 10000];
	struct peer *client = client_comes();
	size_t step = 1;

	for (size_t i = 0; i < sizeof(text); i += 11)
		memcpy(text + i, "PEEK key:1\n", 11);
	peer_write(client, text, sizeof(text));
	fake_run();
	for (int i = 0; i < 10; i++) { /* 90 s, and it is idle after 60 */
		fake_pass(9 * SECOND);
		ck_assert_uint_gt(count_lines(client), 0);
		fake_run();
	}
	while (step > 0) {
		step = count_lines(client);
		fake_run();
	}
	fake_pass(59 * SECOND);
	ck_assert_uint_eq(pool_clients(pool), 1);
	fake_pass(2 * SECOND);
	ck_assert_uint_eq(pool_clients(pool), 0);
}
END_TEST

/*
 * The end of a client.
 */

START_TEST(quit_ends_with_what_was_sent_before)
{
	struct peer *client = client_comes();

	peer_say(client, "PING\nQUIT\nPING\n");
	ck_assert_str_eq(peer_heard(client), "PONG\n");
	ck_assert(peer_is_left(client));
	ck_assert_uint_eq(pool_clients(pool), 1); /* lingers */
	peer_close(client);
	ck_assert_uint_eq(pool_clients(pool), 0);
}
END_TEST

/* Closing over what it still sends would take back what it was sent. */
START_TEST(lingers_for_two_seconds)
{
	struct peer *client = client_comes();

	peer_say(client, "PING\nQUIT\n");
	for (int i = 0; i < 4; i++) {
		peer_say(client, "PING\n");
		ck_assert_uint_eq(pool_clients(pool), 1);
		fake_pass(SECOND / 2 - 1);
	}
	ck_assert_str_eq(peer_heard(client), "PONG\n");
	fake_pass(SECOND);
	ck_assert_uint_eq(pool_clients(pool), 0);
}
END_TEST

START_TEST(http_among_lines_is_refused_and_closed)
{
	struct peer *client = client_comes();

	peer_say(client, "PING\nGET / HTTP/1.1\r\nHost: x\r\n\r\n");
	ck_assert_ptr_nonnull(strstr(peer_heard(client), "ERR"));
	ck_assert(peer_is_left(client));
	fake_pass(3 * SECOND);
	ck_assert_uint_eq(pool_clients(pool), 0);
}
END_TEST

START_TEST(last_requests_get_their_responses)
{
	struct peer *client = client_comes();

	peer_write(client, "PING\nPING\n", 10);
	peer_shutdown(client);
	ck_assert_str_eq(peer_heard(client), "PONG\nPONG\n");
	ck_assert(peer_is_left(client));
	ck_assert_uint_eq(pool_clients(pool), 0);
}
END_TEST

START_TEST(line_that_was_cut_gets_an_error)
{
	struct peer *client = client_comes();

	peer_write(client, "PING\nPI", 7);
	peer_shutdown(client);
	ck_assert_str_eq(peer_heard(client),
	    "PONG\nERR incomplete the last line has no end\n");
	ck_assert(peer_is_left(client));
}
END_TEST

START_TEST(client_that_went_is_freed)
{
	struct peer *client = client_comes();

	client_comes();
	ck_assert_uint_eq(pool_clients(pool), 2);
	peer_close(client);
	ck_assert_uint_eq(pool_clients(pool), 1);
}
END_TEST

/* It went before any of its requests was read, and in the middle of one. */
START_TEST(requests_of_a_client_that_went_are_decided)
{
	struct peer *client = client_comes();

	for (int i = 0; i < 20; i++)
		peer_write(client, "PEEK key:1\n", 11);
	peer_write(client, "PEEK ke", 7);
	peer_close(client);
	ck_assert_uint_eq(pool_clients(pool), 0);
	ck_assert_int_eq(stat_of("peeks"), 20);
}
END_TEST

/* It went with requests unread and responses unsent. */
START_TEST(client_that_went_in_a_flood_is_freed)
{
	struct peer *client = client_comes();

	flood(client, "PEEK key:1\n");
	peer_close(client);
	fake_pass(SECOND);
	ck_assert_uint_eq(pool_clients(pool), 0);
	ck_assert_int_eq(stat_of("clients_stalled"), 0);
}
END_TEST

/*
 * Turns.
 */

/* A turn is over after two milliseconds, for all clients together. */
START_TEST(busy_client_does_not_hold_up_another)
{
	struct peer *busy = client_comes();
	struct peer *other = client_comes();
	char text[20000];
	size_t lines = 0;

	for (size_t i = 0; i < sizeof(text); i += 5)
		memcpy(text + i, "PING\n", 5);
	fake_look_takes(500);
	peer_write(busy, text, sizeof(text));
	peer_write(other, "PING\n", 5);
	while (*peer_heard(other) == '\0') {
		ck_assert(fake_turn());
		lines += count_lines(busy);
	}
	/* Eight requests from look to look, five looks, two turns. */
	ck_assert_uint_lt(lines, 100);
	while (fake_turn())
		lines += count_lines(busy);
	ck_assert_uint_eq(lines, sizeof(text) / 5);
}
END_TEST

/* However many have something to say, a turn is over in time. */
START_TEST(turn_is_over_in_time)
{
	struct peer *clients[100];
	size_t served = 0;

	for (size_t i = 0; i < COUNT(clients); i++)
		clients[i] = client_comes();
	for (size_t i = 0; i < COUNT(clients); i++)
		peer_write(clients[i], "PING\n", 5);
	fake_look_takes(500);
	ck_assert(fake_turn());
	for (size_t i = 0; i < COUNT(clients); i++)
		served += count_lines(clients[i]);
	ck_assert_uint_ge(served, 1);
	ck_assert_uint_le(served, 8);
	fake_run();
	for (size_t i = 0; i < COUNT(clients); i++)
		served += count_lines(clients[i]);
	ck_assert_uint_eq(served, COUNT(clients));
}
END_TEST

START_TEST(client_that_asks_for_much_delays_others_by_a_turn)
{
	struct peer *busy = client_comes();
	struct peer *other = client_comes();

	fake_look_takes(60);
	peer_write(busy, "LIMITS\nLIMITS\n", 14);
	peer_write(other, "PING\n", 5);
	ck_assert(fake_turn());
	ck_assert(fake_turn());
	ck_assert_str_eq(peer_heard(other), "PONG\n");
	fake_run();
}
END_TEST

/* Its quantum is used up: others may have sent something meanwhile. */
START_TEST(turn_ends_behind_a_client_that_asks_for_much)
{
	struct peer *busy[2] = {client_comes(), client_comes()};
	bool heard[2];

	fake_look_takes(60);
	for (int i = 0; i < 2; i++)
		peer_write(busy[i], "LIMITS\nLIMITS\n", 14);
	ck_assert(fake_turn());
	for (int i = 0; i < 2; i++)
		heard[i] = count_lines(busy[i]) > 0;
	ck_assert(heard[0] != heard[1]);
	fake_run();
}
END_TEST

/* What is more than a decision is looked at by itself. */
START_TEST(reports_end_a_turn_sooner)
{
	struct peer *client = client_comes();

	fake_look_takes(500);
	for (int i = 0; i < 50; i++)
		peer_write(client, "LIMITS\n", 7);
	ck_assert(fake_turn());
	ck_assert_uint_le(count_lines(client), 2 * 10);
	fake_run();
}
END_TEST

/*
 * Limits.
 */

START_TEST(new_limits_are_in_force_when_set)
{
	struct peer *client = client_comes();
	int64_t start_us = clock_us();

	pool_set_rules(pool,
	    rules_of("[new]\nmatch = *\ncapacity = 2\nrate = 1/s\n"), NULL);
	ck_assert_int_le(clock_us() - start_us, 1000);
	peer_say(client, "CONSUME key:1 2\n");
	ck_assert_ptr_nonnull(
	    strstr(peer_heard(client), "ALLOW limit=new level=2 capacity=2"));
	ck_assert_uint_eq(pool_limits(pool), 1);
	ck_assert_int_eq(stat_of("reloads"), 1);
}
END_TEST

START_TEST(worker_that_hangs_delays_new_limits_a_little)
{
	int64_t start_us = clock_us();

	fake_loop_hang(fake_loop(0));
	pool_set_rules(pool, rules_of(LIMITS), NULL);
	ck_assert_int_ge(clock_us() - start_us, 100000);
	ck_assert_int_le(clock_us() - start_us, 101000);
	ck_assert(pool_is_alive(pool));
	fake_pass(5 * SECOND);
	ck_assert(!pool_is_alive(pool));
}
END_TEST

START_TEST(unmatched_is_as_was_set_last)
{
	struct peer *client = client_comes();

	pool_set_unmatched(pool, UNMATCHED_DENY);
	peer_say(client, "CONSUME none\n");
	ck_assert_int_eq(strncmp(peer_heard(client), "DENY", 4), 0);
	pool_set_unmatched(pool, UNMATCHED_ALLOW);
	peer_say(client, "CONSUME none\n");
	ck_assert_int_eq(strncmp(peer_heard(client), "ALLOW", 5), 0);
	pool_set_unmatched(pool, UNMATCHED_ERROR);
	peer_say(client, "CONSUME none\n");
	ck_assert_int_eq(strncmp(peer_heard(client), "ERR nolimit", 11), 0);
}
END_TEST

START_TEST(clients_are_dealt_to_workers_in_turn)
{
	struct peer *first, *second;

	stop_serving();
	serve_with(2, SETTINGS, LIMITS);
	first = client_comes();
	second = client_comes();
	fake_loop_hang(fake_loop(0));
	ck_assert(!is_served(first));
	ck_assert(is_served(second));
}
END_TEST

/*
 * Feeds.
 */

START_TEST(feed_goes_on_until_its_client_says_something)
{
	struct peer *feed = client_comes(), *other = client_comes();

	peer_say(feed, "MONITOR\n");
	ck_assert_str_eq(peer_heard(feed), "OK\n");
	for (int i = 0; i < 3; i++) {
		peer_say(other, "CONSUME key:%d\n", i);
		fake_pass(SECOND);
		ck_assert_ptr_nonnull(strstr(peer_heard(feed), "key="));
	}
	peer_say(feed, "PING\n");
	fake_pass(SECOND);
	ck_assert_ptr_nonnull(strstr(peer_heard(feed), "PONG\n"));
	peer_say(other, "CONSUME key:9\n");
	fake_pass(SECOND);
	ck_assert_str_eq(peer_heard(feed), "");
}
END_TEST

START_TEST(feed_ends_with_its_client)
{
	struct peer *feed = client_comes();

	peer_say(feed, "MONITOR\n");
	peer_reset(feed);
	fake_pass(2 * SECOND);
	ck_assert_uint_eq(pool_clients(pool), 0);
	ck_assert(is_served(client_comes()));
}
END_TEST

/* It is closed while the feed waits for what comes next. */
START_TEST(feed_of_a_client_that_does_not_read_ends)
{
	struct peer *feed = client_comes(), *other = client_comes();

	peer_say(feed, "MONITOR\n");
	for (int i = 0; i < 200; i++) {
		peer_say(other, "CONSUME key:%d\n", i);
		peer_heard(other);
		fake_pass(5000);
	}
	fake_pass(13 * SECOND);
	ck_assert_uint_eq(pool_clients(pool), 1);
	ck_assert_int_eq(stat_of("clients_stalled"), 1);
	fake_pass(2 * SECOND);
	ck_assert(is_served(other));
}
END_TEST

START_TEST(feed_ends_with_the_drain)
{
	struct peer *feed = client_comes();

	peer_say(feed, "MONITOR\n");
	pool_drain(pool, false);
	fake_pass(3 * SECOND);
	ck_assert(pool_is_drained(pool));
	peer_heard(feed);
	ck_assert(peer_is_left(feed));
}
END_TEST

/*
 * Draining.
 */

START_TEST(pool_without_clients_drains_at_once)
{
	pool_drain(pool, false);
	ck_assert(!pool_is_drained(pool));
	fake_run();
	ck_assert(pool_is_drained(pool));
}
END_TEST

START_TEST(silent_client_is_closed_when_draining)
{
	struct peer *client = client_comes();

	fake_pass(SECOND);
	pool_drain(pool, false);
	fake_run();
	fake_pass(SECOND / 50);
	ck_assert(peer_is_left(client));
	ck_assert(pool_is_drained(pool));
}
END_TEST

/* One that has just spoken may go on. */
START_TEST(client_must_be_silent_for_a_moment)
{
	struct peer *client = client_comes();

	pool_drain(pool, false);
	fake_pass(50000);
	ck_assert(is_served(client));
	fake_pass(80000);
	ck_assert(is_served(client));
	fake_pass(140000);
	ck_assert(peer_is_left(client));
	ck_assert(pool_is_drained(pool));
}
END_TEST

/* What came in the very turn in which it would be closed is handled. */
START_TEST(request_at_the_last_moment_is_served)
{
	struct peer *client = client_comes();

	pool_drain(pool, false);
	fake_pass(99000);
	fake_stall(21000);
	peer_write(client, "PING\n", 5);
	fake_run();
	ck_assert_str_eq(peer_heard(client), "PONG\n");
}
END_TEST

/* It is read no further than to the end of a request, and gets its response. */
START_TEST(client_that_goes_on_is_closed_after_half_a_second)
{
	struct peer *client = client_comes();
	int asked = 0;

	pool_drain(pool, false);
	while (!peer_is_left(client) && asked < 1000) {
		peer_say(client, "PING\n");
		asked += strcmp(peer_heard(client), "PONG\n") == 0;
		fake_pass(10000);
	}
	ck_assert_int_ge(asked, 45);
	ck_assert_int_le(asked, 55);
	peer_close(client);
	fake_pass(20000);
	ck_assert(pool_is_drained(pool));
}
END_TEST

START_TEST(wake_ups_do_not_shorten_the_drain)
{
	struct peer *client = client_comes();

	pool_drain(pool, false);
	for (int i = 0; i < 30; i++)
		pool_set_rules(pool, rules_of(LIMITS), NULL);
	for (int i = 0; i < 6; i++) {
		ck_assert(is_served(client));
		fake_pass(50000);
	}
	ck_assert(is_served(client));
}
END_TEST

/* Looks at clients count only if all of them had their turn in between. */
START_TEST(what_clients_sent_before_the_drain_is_served_however_long_it_takes)
{
	struct peer *clients[40];
	size_t heard[COUNT(clients)] = {0};
	char peeks[881] = "";

	for (int i = 0; i < 80; i++)
		strcat(peeks, "PEEK key:1\n");

	for (size_t i = 0; i < COUNT(clients); i++)
		clients[i] = client_comes();
	for (size_t i = 0; i < COUNT(clients); i++)
		peer_write(clients[i], peeks, sizeof(peeks) - 1);
	pool_drain(pool, false);
	fake_look_takes(20000);
	for (int i = 0; i < 1000 && !pool_is_drained(pool); i++) {
		fake_pass(10000);
		for (size_t k = 0; k < COUNT(clients); k++)
			heard[k] += count_lines(clients[k]);
	}
	ck_assert(pool_is_drained(pool));
	for (size_t i = 0; i < COUNT(clients); i++)
		ck_assert_uint_eq(heard[i], 80);
}
END_TEST

/* The client that is cut off in a request gets an end, and not a reset. */
START_TEST(unfinished_request_ends_with_the_drain)
{
	struct peer *client = client_comes();

	peer_say(client, "PING\nPI");
	pool_drain(pool, false);
	fake_pass(400000);
	ck_assert(!pool_is_drained(pool));
	ck_assert_str_eq(peer_heard(client), "PONG\n");
	fake_pass(300000);
	ck_assert(peer_is_left(client));
	fake_pass(3 * SECOND);
	ck_assert(pool_is_drained(pool));
}
END_TEST

START_TEST(client_given_before_the_drain_is_served)
{
	struct peer *client = client_given();

	peer_write(client, "PING\n", 5);
	pool_drain(pool, false);
	fake_run();
	ck_assert_str_eq(peer_heard(client), "PONG\n");
	fake_pass(SECOND);
	ck_assert(pool_is_drained(pool));
}
END_TEST

static struct peer *late;

static void
give_and_drain(void)
{
	late = client_given();
	peer_write(late, "PING\n", 5);
	pool_drain(pool, false);
}

/* Given and drained in the moment after the worker has taken what it was given,
 * for which it was woken by new limits. */
START_TEST(client_given_when_the_worker_has_just_looked_is_served)
{
	struct rules *rules = rules_of(LIMITS);

	fake_at_unlock(2, give_and_drain);
	pool_set_rules(pool, rules, NULL);
	fake_run();
	ck_assert_str_eq(peer_heard(late), "PONG\n");
	fake_pass(SECOND);
	ck_assert(pool_is_drained(pool));
}
END_TEST

/* All that was counted gets its response, and what was not read is not.  A
 * client that has responses to take is not closed over them. */
START_TEST(drain_ends_with_a_response_to_each_request_counted)
{
	struct peer *slow = client_comes();
	struct peer *other = client_comes();
	size_t lines = 0, level;

	flood(slow, "CONSUME key:1\n");
	flood(other, "PEEK key:2\n");
	pool_drain(pool, false);
	fake_pass(SECOND);
	ck_assert_uint_eq(pool_clients(pool), 2);
	while (!peer_is_left(slow)) {
		lines += count_lines(slow);
		fake_pass(20000);
	}
	while (count_lines(other) > 0)
		fake_run();
	peer_say(other, "\nPEEK key:1\n");
	ck_assert_int_eq(sscanf(strstr(peer_heard(other), "ALLOW"),
			     "ALLOW limit=key level=%zu", &level),
	    1);
	ck_assert_uint_eq(lines, level);
	fake_pass(3 * SECOND);
	ck_assert(pool_is_drained(pool));
}
END_TEST

/*
 * Handing over.
 */

START_TEST(silent_client_is_handed_over)
{
	struct peer *client = client_comes();

	pool_drain(pool, true);
	fake_pass(20000);
	ck_assert(pool_is_drained(pool));
	ck_assert(!peer_is_left(client));
	ck_assert_str_eq(handover_unread(), "-");
	stop_serving();
}
END_TEST

/* What it asks from now on is for the successor to read. */
START_TEST(request_of_a_client_to_hand_over_is_not_read)
{
	struct peer *client = client_comes();

	peer_say(client, "PING\n");
	pool_drain(pool, true);
	fake_run();
	peer_say(client, "PEEK key:1\n");
	fake_pass(SECOND);
	ck_assert_str_eq(peer_heard(client), "PONG\n");
	ck_assert_str_eq(handover_unread(), "PEEK key:1");
}
END_TEST

START_TEST(begun_request_is_finished_before)
{
	struct peer *client = client_comes();

	peer_say(client, "PI");
	pool_drain(pool, true);
	fake_pass(100000);
	ck_assert(!pool_is_drained(pool));
	peer_say(client, "NG\nPEEK key:1\n");
	ck_assert_str_eq(peer_heard(client), "PONG\n");
	fake_pass(40000);
	ck_assert(pool_is_drained(pool));
	ck_assert_str_eq(handover_unread(), "PEEK key:1");
}
END_TEST

/* The successor would not know that it speaks RESP3. */
START_TEST(client_with_a_session_is_closed_instead)
{
	struct peer *client = client_comes();

	peer_say(client, "*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n");
	ck_assert_str_ne(peer_heard(client), "");
	pool_drain(pool, true);
	fake_pass(200000);
	ck_assert(peer_is_left(client));
	ck_assert(pool_is_drained(pool));
	ck_assert_str_eq(handover_unread(), "");
}
END_TEST

START_TEST(request_that_does_not_end_is_not_waited_for)
{
	struct peer *client = client_comes();

	peer_say(client, "PI");
	pool_drain(pool, true);
	fake_pass(4 * SECOND);
	ck_assert(pool_is_drained(pool));
	ck_assert(peer_is_left(client));
	ck_assert_str_eq(handover_unread(), "");
}
END_TEST

Suite *
worker_suite(void)
{
	Suite *suite = suite_create("worker");
	TCase *tcase = tcase_create("worker");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, responses_have_the_order_of_requests);
	tcase_add_test(tcase, report_counts_what_was_asked_before);
	tcase_add_test(tcase, request_may_come_byte_by_byte);
	tcase_add_test(tcase, idle_client_is_closed);
	tcase_add_test(tcase, client_that_speaks_is_not_idle);
	tcase_add_test(tcase, without_a_timeout_no_client_is_idle);
	tcase_add_test(tcase, line_must_end_in_time);
	tcase_add_test(tcase, each_line_has_its_own_time);
	tcase_add_test(tcase, resp_command_must_end_in_time);
	tcase_add_test(
	    tcase, client_that_spoke_while_the_worker_halted_is_not_idle);
	tcase_add_test(
	    tcase, line_that_ended_while_the_worker_halted_is_not_late);
	tcase_add_test(tcase, line_that_never_ends_is_late);
	tcase_add_test(tcase, client_that_does_not_read_is_not_read_from);
	tcase_add_test(tcase, report_is_written_as_its_client_reads_it);
	tcase_add_test(
	    tcase, client_with_a_long_transaction_has_fewer_responses_unsent);
	tcase_add_test(tcase, it_gets_all_its_responses_once_it_reads);
	tcase_add_test(tcase, client_that_takes_nothing_is_closed);
	tcase_add_test(tcase, client_that_takes_a_little_is_not);
	tcase_add_test(
	    tcase, client_that_took_something_while_the_worker_halted_is_not);
	tcase_add_test(tcase, requests_that_waited_were_said_just_now);
	tcase_add_test(tcase, quit_ends_with_what_was_sent_before);
	tcase_add_test(tcase, lingers_for_two_seconds);
	tcase_add_test(tcase, http_among_lines_is_refused_and_closed);
	tcase_add_test(tcase, last_requests_get_their_responses);
	tcase_add_test(tcase, line_that_was_cut_gets_an_error);
	tcase_add_test(tcase, client_that_went_is_freed);
	tcase_add_test(tcase, requests_of_a_client_that_went_are_decided);
	tcase_add_test(tcase, client_that_went_in_a_flood_is_freed);
	tcase_add_test(tcase, busy_client_does_not_hold_up_another);
	tcase_add_test(tcase, turn_is_over_in_time);
	tcase_add_test(
	    tcase, client_that_asks_for_much_delays_others_by_a_turn);
	tcase_add_test(tcase, turn_ends_behind_a_client_that_asks_for_much);
	tcase_add_test(tcase, reports_end_a_turn_sooner);
	tcase_add_test(tcase, new_limits_are_in_force_when_set);
	tcase_add_test(tcase, worker_that_hangs_delays_new_limits_a_little);
	tcase_add_test(tcase, unmatched_is_as_was_set_last);
	tcase_add_test(tcase, clients_are_dealt_to_workers_in_turn);
	tcase_add_test(tcase, feed_goes_on_until_its_client_says_something);
	tcase_add_test(tcase, feed_ends_with_its_client);
	tcase_add_test(tcase, feed_of_a_client_that_does_not_read_ends);
	tcase_add_test(tcase, feed_ends_with_the_drain);
	tcase_add_test(tcase, pool_without_clients_drains_at_once);
	tcase_add_test(tcase, silent_client_is_closed_when_draining);
	tcase_add_test(tcase, client_must_be_silent_for_a_moment);
	tcase_add_test(tcase, request_at_the_last_moment_is_served);
	tcase_add_test(
	    tcase, client_that_goes_on_is_closed_after_half_a_second);
	tcase_add_test(tcase,
	    what_clients_sent_before_the_drain_is_served_however_long_it_takes);
	tcase_add_test(tcase, wake_ups_do_not_shorten_the_drain);
	tcase_add_test(tcase, unfinished_request_ends_with_the_drain);
	tcase_add_test(tcase, client_given_before_the_drain_is_served);
	tcase_add_test(
	    tcase, client_given_when_the_worker_has_just_looked_is_served);
	tcase_add_test(
	    tcase, drain_ends_with_a_response_to_each_request_counted);
	tcase_add_test(tcase, silent_client_is_handed_over);
	tcase_add_test(tcase, request_of_a_client_to_hand_over_is_not_read);
	tcase_add_test(tcase, begun_request_is_finished_before);
	tcase_add_test(tcase, client_with_a_session_is_closed_instead);
	tcase_add_test(tcase, request_that_does_not_end_is_not_waited_for);
	suite_add_tcase(suite, tcase);
	return suite;
}
