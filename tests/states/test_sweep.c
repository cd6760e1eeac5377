#include "base/attr.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/script.h"
#include "fake/fake.h"
#include "fake/note.h"
#include "fake/peer.h"
#include "net/loop.h"
#include "serving.h"
#include "store/redis/sweep.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME "redis.example:6379"

#define MS     INT64_C(1000)
#define SECOND INT64_C(1000000)
#define HOUR   (3600 * SECOND)

#define SETTINGS "[store]\ntype = redis\n[redis]\nhost = redis.example\n"

/* The hash of a limit is walked once in the life of its buckets. */
#define LIMIT "[login]\nmatch = login:*\ncapacity = 40\nrate = 1/s\n"
#define LIFE  (40 * SECOND)

static const struct loop_events no_events;
static struct config *config;
static struct loop *loop;
static struct dialer *dialer;
static struct sweep *sweep;
static struct topology topology;
static struct shard_options options;
static struct peer *server;
static int64_t server_ahead_us; /* its clock */

static void
on_swept(void *arg, unsigned removed)
{
	(void)arg;
	note("%u", removed);
}

static void
on_failed(void *arg)
{
	(void)arg;
	note("failed");
}

static void
set_limits(const char *limits)
{
	struct rules *rules = rules_of(limits);

	sweep_set_rules(sweep, rules);
	rules_unref(rules);
}

/* It connects, and looks at the server. */
static void
accept_sweep(void)
{
	peer_free(server);
	server = peer_accept(NAME);
	peer_greet(server);
	ck_assert_pstr_eq(peer_command(server), "INFO");
	peer_say(server, "$-1\r\n");
}

static void
set_up(void)
{
	static const struct sweep_events events = {on_swept, on_failed};
	struct topology_options where;
	struct sweep_common common;

	fake_start();
	noted();
	loop = loop_new(&no_events, NULL);
	dialer = dialer_new(loop);
	config = config_of(SETTINGS);
	options = config->gate.redis;
	where = options.where;
	where.endpoint = options.link.endpoint;
	ck_assert_int_eq(topology_open(&topology, &where), 0);
	options.topology = &topology;
	common = (struct sweep_common){loop, dialer, &options, &events, NULL};
	sweep = sweep_new(&common, 0);
	ck_assert_ptr_nonnull(sweep);
	server = NULL;
	server_ahead_us = 2 * HOUR;
	set_limits(LIMIT);
	ck_assert_int_eq(fake_chance_bound(), LIFE);
}

static void
tear_down(void)
{
	sweep_free(sweep);
	topology_close(&topology);
	config_free(config);
	peer_free(server);
	dialer_free(dialer);
	loop_free(loop);
	fake_end();
}

/* By how much the server's clock was set back, by the last step. */
static long long back_us;

/* The cursor of the call that came, of the leaky bucket's script, for the hash
 * ${hash}; NULL: none came. */
static const char *
steps(const char *hash)
{
	static char cursor[30];
	char caller[40], start[200];
	const char *command = peer_command(server);

	if (!command)
		return NULL;
	snprintf(start, sizeof(start),
	    "EVALSHA %s 3 drip:%s drip:%s:sweep drip::sweep ",
	    script_leaky_bucket_sweep.sha, hash, hash);
	ck_assert_msg(strncmp(command, start, strlen(start)) == 0,
	    "%s is not %s", command, start);
	/* The time that the lock is held, and that of the next pass. */
	ck_assert_msg(
	    sscanf(command + strlen(start), "%39s 5000 40000 %29s 125 %lld",
		caller, cursor, &back_us) == 3,
	    "%s", command);
	ck_assert_uint_eq(strlen(caller), 32);
	return cursor;
}

/* ${ahead_us}: of now, the last pass was. */
static void
reply_step_with(const char *cursor, int removed, int64_t ahead_us)
{
	int64_t now_us = clock_us() + server_ahead_us;

	peer_say(server,
	    "*6\r\n$%zu\r\n%s\r\n:125\r\n:%d\r\n$10\r\n%lld\r\n$6\r\n"
	    "%06lld\r\n:%lld\r\n",
	    strlen(cursor), cursor, removed, (long long)(now_us / 1000000),
	    (long long)(now_us % 1000000), (long long)ahead_us);
}

static void
reply_step(const char *cursor, int removed)
{
	reply_step_with(cursor, removed, 0);
}

/* Connect, and wait for the first step. */
static void
begin_pass(void)
{
	accept_sweep();
	fake_pass(LIFE / 2);
	ck_assert_pstr_eq(steps("login"), "0");
}

START_TEST(first_pass_comes_at_a_random_time)
{
	accept_sweep();
	fake_pass(LIFE / 2 - 1);
	ck_assert_pstr_eq(steps("login"), NULL);
	fake_pass(1);
	ck_assert_pstr_eq(steps("login"), "0");
}
END_TEST

/* The script was told windows of the calendar of another time. */
static void
reply_outside(void)
{
	peer_say(server, "-OUTSIDE %lld script: x\r\n",
	    (long long)(clock_us() + server_ahead_us));
}

START_TEST(step_for_another_time_is_made_once_more)
{
	begin_pass();
	for (int i = 0; i < 2; i++) {
		reply_outside();
		ck_assert_pstr_eq(steps("login"), "0");
		reply_step("0", 7);
		ck_assert_str_eq(noted(), "7");
		fake_pass(LIFE);
		ck_assert_pstr_eq(steps("login"), "0");
	}
	reply_outside();
	ck_assert_pstr_eq(steps("login"), "0");
	ck_assert_str_eq(noted(), "");
	reply_outside();
	ck_assert_str_eq(noted(), "failed");
}
END_TEST

START_TEST(next_pass_comes_after_the_life_of_the_buckets)
{
	begin_pass();
	reply_step("0", 7);
	ck_assert_str_eq(noted(), "7");
	fake_pass(LIFE - 1);
	ck_assert_pstr_eq(steps("login"), NULL);
	fake_pass(1);
	ck_assert_pstr_eq(steps("login"), "0");
}
END_TEST

/* One sixth of the server's time at the most.  The first step counts as late.
 */
START_TEST(pass_leaves_the_server_to_others)
{
	begin_pass();
	reply_step("17", 3);
	ck_assert_str_eq(noted(), "3");
	ck_assert_pstr_eq(steps("login"), "17");
	fake_pass(4 * MS);
	reply_step("23", 0); /* in 20 ms, less the ten */
	fake_pass(10 * MS);
	ck_assert_pstr_eq(steps("login"), "23");
	fake_pass(1 * MS);
	reply_step("31", 0);
	fake_pass(5 * MS - 1);
	ck_assert_pstr_eq(steps("login"), NULL);
	fake_pass(1);
	ck_assert_pstr_eq(steps("login"), "31");
	reply_step("0", 1);
	ck_assert_str_eq(noted(), "0 0 1");
}
END_TEST

/* What a timer came too late is made up for by the next pause. */
START_TEST(pass_keeps_its_pace)
{
	begin_pass();
	fake_pass(10 * MS);
	reply_step("17", 0);
	fake_pass(40 * MS);
	ck_assert_pstr_eq(steps("login"), "17");
	fake_pass(2 * MS);
	reply_step("23", 0); /* due in 10 ms, and called in 14 */
	fake_stall(14 * MS);
	fake_run();
	ck_assert_pstr_eq(steps("login"), "23");
	fake_pass(2 * MS);
	reply_step("31", 0); /* in 10 ms, less the four */
	fake_pass(6 * MS - 1);
	ck_assert_pstr_eq(steps("login"), NULL);
	fake_pass(1);
	ck_assert_pstr_eq(steps("login"), "31");
}
END_TEST

/* Else another daemon would begin the pass again. */
START_TEST(pause_after_a_slow_call_ends_before_the_lock_expires)
{
	begin_pass();
	fake_pass(SECOND);
	reply_step("17", 0);
	fake_pass(1500 * MS - 1);
	ck_assert_pstr_eq(steps("login"), NULL);
	fake_pass(1);
	ck_assert_pstr_eq(steps("login"), "17");
}
END_TEST

START_TEST(server_whose_clock_is_set_back_is_trimmed)
{
	begin_pass();
	ck_assert_int_eq(back_us, 0);
	reply_step("0", 0);
	fake_pass(LIFE);
	ck_assert_pstr_eq(steps("login"), "0");
	server_ahead_us -= HOUR;
	reply_step("17", 0);
	/* The pass goes on as it was begun; the next one trims. */
	fake_pass(20 * MS);
	ck_assert_pstr_eq(steps("login"), "17");
	ck_assert_int_eq(back_us, 0);
	reply_step("0", 0);
	fake_pass(6 * 20 * MS);
	ck_assert_pstr_eq(steps("login"), "0");
	ck_assert_int_ge(back_us, HOUR - SECOND);
	ck_assert_int_le(back_us, HOUR);
	reply_step("0", 0);
	fake_pass(LIFE - 1);
	ck_assert_pstr_eq(steps("login"), NULL);
	fake_pass(1);
	ck_assert_pstr_eq(steps("login"), "0");
	ck_assert_int_eq(back_us, 0);
}
END_TEST

START_TEST(clock_that_others_saw_set_back_is_trimmed_for_once)
{
	int64_t before_us = clock_us();

	accept_sweep();
	sweep_trim(sweep, HOUR, before_us);
	fake_pass(1 * MS);
	ck_assert_pstr_eq(steps("login"), "0");
	ck_assert_int_eq(back_us, HOUR);
	reply_step("0", 0);
	sweep_trim(sweep, HOUR, before_us);
	fake_pass(LIFE - 1);
	ck_assert_pstr_eq(steps("login"), NULL);
	sweep_trim(sweep, HOUR, clock_us());
	fake_pass(1 * MS);
	ck_assert_pstr_eq(steps("login"), "0");
	ck_assert_int_eq(back_us, HOUR);
}
END_TEST

/* The sweep before may have seen the same. */
START_TEST(clock_that_was_set_back_while_no_daemon_ran_is_trimmed_for)
{
	begin_pass();
	reply_step_with("17", 0, HOUR);
	ck_assert_pstr_eq(steps("login"), "17");
	ck_assert_int_eq(back_us, 0);
	reply_step("0", 0);
	fake_pass(1 * MS);
	ck_assert_pstr_eq(steps("login"), "0");
	ck_assert_int_eq(back_us, HOUR);
	reply_step("0", 0);
	fake_pass(LIFE);
	ck_assert_pstr_eq(steps("login"), "0");
	ck_assert_int_eq(back_us, 0);
}
END_TEST

/* A lock that was taken before lasts as long as the clock is behind. */
START_TEST(lock_of_a_daemon_that_is_gone_does_not_hide_it)
{
	begin_pass();
	reply_step_with("", 0, HOUR);
	fake_pass(1 * MS);
	ck_assert_pstr_eq(steps("login"), "0");
	ck_assert_int_eq(back_us, HOUR);
}
END_TEST

START_TEST(clock_that_is_set_back_is_seen_once)
{
	begin_pass();
	reply_step("0", 0);
	fake_pass(LIFE);
	ck_assert_pstr_eq(steps("login"), "0");
	server_ahead_us -= HOUR;
	reply_step_with("0", 0, HOUR / 2);
	fake_pass(1 * MS);
	ck_assert_pstr_eq(steps("login"), "0");
	ck_assert_int_ge(back_us, HOUR - SECOND);
}
END_TEST

START_TEST(new_limits_are_trimmed_for_too)
{
	accept_sweep();
	sweep_trim(sweep, HOUR, clock_us());
	set_limits(LIMIT);
	fake_pass(1 * MS);
	ck_assert_pstr_eq(steps("login"), "0");
	ck_assert_int_eq(back_us, HOUR);
}
END_TEST

START_TEST(another_daemon_has_the_lock)
{
	begin_pass();
	reply_step("", 0);
	ck_assert_str_eq(noted(), "");
	ck_assert(!peer_is_left(server));
	fake_pass(LIFE - 1);
	ck_assert_pstr_eq(steps("login"), NULL);
	fake_pass(1);
	ck_assert_pstr_eq(steps("login"), "0");
}
END_TEST

START_TEST(hash_that_is_none_is_left_alone)
{
	begin_pass();
	peer_say(server, "-WRONGTYPE no\r\n");
	ck_assert_str_eq(noted(), "");
	ck_assert(!peer_is_left(server));
	fake_pass(LIFE);
	ck_assert_pstr_eq(steps("login"), "0");
}
END_TEST

START_TEST(replica_is_left)
{
	begin_pass();
	peer_say(server, "-READONLY no\r\n");
	ck_assert(peer_is_left(server));
	fake_pass(25 * MS);
	accept_sweep();
	fake_pass(LIFE);
	ck_assert_pstr_eq(steps("login"), "0");
}
END_TEST

START_TEST(refusal_is_counted_and_logged_once)
{
	begin_pass();
	fake_log();
	for (int i = 0; i < 3; i++) {
		peer_say(server, "-NOPERM no\r\n");
		ck_assert_str_eq(noted(), "failed");
		ck_assert_int_eq(*fake_log(), i == 0 ? '<' : '\0');
		fake_pass(LIFE);
		ck_assert_pstr_eq(steps("login"), "0");
	}
	reply_step("0", 1);
	fake_pass(LIFE);
	ck_assert_pstr_eq(steps("login"), "0");
	peer_say(server, "-NOPERM no\r\n");
	ck_assert_int_eq(*fake_log(), '<');
}
END_TEST

/* The cursor may be another server's: the pass begins again. */
START_TEST(lost_link_ends_the_pass)
{
	begin_pass();
	reply_step("17", 0);
	ck_assert_pstr_eq(steps("login"), "17");
	peer_close(server);
	fake_pass(25 * MS);
	accept_sweep();
	fake_pass(1 * MS);
	ck_assert_pstr_eq(steps("login"), "0");
}
END_TEST

START_TEST(forgotten_script_goes_on_where_it_was)
{
	begin_pass();
	reply_step("17", 0);
	ck_assert_pstr_eq(steps("login"), "17");
	peer_say(server, "-NOSCRIPT no\r\n");
	ck_assert_ptr_nonnull(strstr(peer_command(server), " 17 125 "));
	reply_step("0", 2);
	ck_assert_str_eq(noted(), "0 2");
}
END_TEST

/* And leave the server to others between them. */
START_TEST(passes_take_turns)
{
	set_limits(LIMIT "[other]\nmatch = *\ncapacity = 40\nrate = 1/s\n");
	begin_pass();
	fake_pass(1 * SECOND);
	ck_assert_pstr_eq(steps("login"), NULL);
	reply_step("0", 0);
	fake_pass(5 * SECOND - 10 * MS - 1);
	ck_assert_pstr_eq(steps("other"), NULL);
	fake_pass(1);
	ck_assert_pstr_eq(steps("other"), "0");
	reply_step("0", 0);
	fake_pass(LIFE - 5 * SECOND + 10 * MS - 1);
	ck_assert_pstr_eq(steps("login"), NULL);
	fake_pass(1);
	ck_assert_pstr_eq(steps("login"), "0");
}
END_TEST

/* How long the first pass of a limit waits at most is how long it is until the
 * next one. */
static const struct {
	const char *limit;
	int64_t period_us;
} periods[] = {
    {"capacity = 1\nrate = 1/s\n", 2 * SECOND},
    {"capacity = 5\nrate = 1/s\n", 5 * SECOND},
    {"capacity = 5\nrate = 1/s\nblock = 3s\n", 8 * SECOND},
    {"capacity = 5\nalgorithm = fixed_window\nwindow = 10ms\n", 2 * SECOND},
    {"capacity = 5\nalgorithm = fixed_window\nwindow = 1d\n", HOUR},
};

START_TEST(short_lives_are_followed)
{
	char text[200];

	snprintf(text, sizeof(text), "[a]\nmatch = *\n%s", periods[_i].limit);
	set_limits(text);
	ck_assert_int_eq(fake_chance_bound(), periods[_i].period_us);
}
END_TEST

/* Each daemon tries ten hashes a second at most, until that takes 15 s. */
START_TEST(many_limits_are_not_hurried)
{
	static const int counts[] = {20, 50, 150, 1000};
	static const int64_t expected[] = {
	    2 * SECOND, 5 * SECOND, 15 * SECOND, 15 * SECOND};
	struct buf text = {0};

	for (int i = 0; i < counts[_i]; i++)
		ck_assert_int_eq(buf_printf(&text,
				     "[l%d]\nmatch = l%d:*\ncapacity = 1\n"
				     "rate = 1/s\n",
				     i, i),
		    0);
	/* It has no hash. */
	ck_assert_int_eq(
	    buf_printf(&text, "[bad]\nmatch = *\naction = deny\n"), 0);
	ck_assert_int_eq(buf_add(&text, "", 1), 0);
	set_limits(buf_data(&text));
	ck_assert_int_eq(fake_chance_bound(), expected[_i]);
	buf_free(&text);
}
END_TEST

START_TEST(step_ends_the_backoff)
{
	accept_sweep();
	peer_close(server);
	ck_assert_int_eq(fake_chance_bound(), 50 * MS);
	fake_pass(25 * MS);
	accept_sweep();
	peer_close(server);
	ck_assert_int_eq(fake_chance_bound(), 100 * MS);
	fake_pass(50 * MS);
	accept_sweep();
	fake_pass(LIFE / 2 - 75 * MS);
	ck_assert_pstr_eq(steps("login"), "0");
	reply_step("17", 0);
	peer_close(server);
	ck_assert_int_eq(fake_chance_bound(), 50 * MS);
}
END_TEST

/*
 * Limits that change while a call is out.
 */

START_TEST(new_limits_begin_anew)
{
	begin_pass();
	set_limits("[other]\nmatch = *\ncapacity = 40\nrate = 1/s\n");
	reply_step("17", 5); /* of a limit that is gone */
	ck_assert_str_eq(noted(), "");
	fake_pass(LIFE / 2 - 1);
	ck_assert_pstr_eq(steps("other"), NULL);
	fake_pass(1);
	ck_assert_pstr_eq(steps("other"), "0");
}
END_TEST

START_TEST(limit_without_buckets_has_no_pass)
{
	begin_pass();
	set_limits("[bad]\nmatch = bad\naction = deny\n"
		   "[other]\nmatch = *\ncapacity = 40\nrate = 1/s\n");
	reply_step("17", 5);
	fake_pass(LIFE / 2);
	ck_assert_pstr_eq(steps("other"), "0");
}
END_TEST

START_TEST(new_limits_wait_for_the_call_of_the_old)
{
	begin_pass();
	fake_chance(0);
	set_limits("[other]\nmatch = *\ncapacity = 40\nrate = 1/s\n");
	fake_pass(1 * SECOND);
	ck_assert_pstr_eq(steps("other"), NULL);
	reply_step("17", 5);
	fake_pass(5 * SECOND);
	ck_assert_pstr_eq(steps("other"), "0");
}
END_TEST

START_TEST(forgotten_script_of_limits_that_are_gone_is_not_sent)
{
	begin_pass();
	fake_chance(0);
	set_limits("[other]\nmatch = *\ncapacity = 40\nrate = 1/s\n");
	fake_pass(1 * SECOND);
	peer_say(server, "-NOSCRIPT no\r\n");
	fake_pass(5 * SECOND);
	ck_assert_pstr_eq(steps("other"), "0");
}
END_TEST

/*
 * The server.
 */

static void
accept_with_info(const char *info)
{
	peer_free(server);
	server = peer_accept(NAME);
	peer_greet(server);
	fake_log();
	peer_say(server, "$%zu\r\n%s\r\n", strlen(info), info);
	peer_commands(server);
}

START_TEST(server_that_evicts_is_warned_of)
{
	accept_with_info("# Server\r\nredis_version:7.0.15\r\n"
			 "maxmemory_policy:allkeys-lru\r\n");
	ck_assert_ptr_nonnull(strstr(fake_log(), "<4>"));
}
END_TEST

START_TEST(server_that_is_old_is_warned_of)
{
	accept_with_info("# Server\r\nredis_version:6.2.1\r\n"
			 "maxmemory_policy:noeviction\r\n");
	ck_assert_ptr_nonnull(strstr(fake_log(), "<4>"));
}
END_TEST

START_TEST(server_that_is_fine_is_not_spoken_of)
{
	accept_with_info("# Server\r\nredis_version:7.0.15\r\n"
			 "maxmemory_policy:noeviction\r\n");
	ck_assert_str_eq(fake_log(), "");
}
END_TEST

/* A proxy may close the connection at it. */
START_TEST(info_that_got_no_reply_is_left_out_once)
{
	for (int i = 0; i < 3; i++) {
		peer_free(server);
		server = peer_accept(NAME);
		peer_greet(server);
		ck_assert_pstr_eq(peer_command(server), i == 1 ? NULL : "INFO");
		peer_close(server);
		while (fake_dials(NAME) == 0)
			fake_pass_to_next();
	}
}
END_TEST

START_TEST(ends_with_a_call_under_way)
{
	begin_pass();
}
END_TEST

START_TEST(ends_with_a_call_for_limits_that_are_gone)
{
	begin_pass();
	set_limits(LIMIT);
}
END_TEST

Suite *
sweep_suite(void)
{
	Suite *suite = suite_create("sweep");
	TCase *tcase = tcase_create("sweep");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, first_pass_comes_at_a_random_time);
	tcase_add_test(tcase, step_for_another_time_is_made_once_more);
	tcase_add_test(tcase, next_pass_comes_after_the_life_of_the_buckets);
	tcase_add_test(tcase, pass_leaves_the_server_to_others);
	tcase_add_test(tcase, pass_keeps_its_pace);
	tcase_add_test(
	    tcase, pause_after_a_slow_call_ends_before_the_lock_expires);
	tcase_add_test(tcase, server_whose_clock_is_set_back_is_trimmed);
	tcase_add_test(
	    tcase, clock_that_others_saw_set_back_is_trimmed_for_once);
	tcase_add_test(
	    tcase, clock_that_was_set_back_while_no_daemon_ran_is_trimmed_for);
	tcase_add_test(tcase, lock_of_a_daemon_that_is_gone_does_not_hide_it);
	tcase_add_test(tcase, clock_that_is_set_back_is_seen_once);
	tcase_add_test(tcase, new_limits_are_trimmed_for_too);
	tcase_add_test(tcase, another_daemon_has_the_lock);
	tcase_add_test(tcase, hash_that_is_none_is_left_alone);
	tcase_add_test(tcase, replica_is_left);
	tcase_add_test(tcase, refusal_is_counted_and_logged_once);
	tcase_add_test(tcase, lost_link_ends_the_pass);
	tcase_add_test(tcase, forgotten_script_goes_on_where_it_was);
	tcase_add_test(tcase, passes_take_turns);
	tcase_add_loop_test(tcase, short_lives_are_followed, 0, COUNT(periods));
	tcase_add_loop_test(tcase, many_limits_are_not_hurried, 0, 4);
	tcase_add_test(tcase, step_ends_the_backoff);
	tcase_add_test(tcase, new_limits_begin_anew);
	tcase_add_test(tcase, limit_without_buckets_has_no_pass);
	tcase_add_test(tcase, new_limits_wait_for_the_call_of_the_old);
	tcase_add_test(
	    tcase, forgotten_script_of_limits_that_are_gone_is_not_sent);
	tcase_add_test(tcase, server_that_evicts_is_warned_of);
	tcase_add_test(tcase, server_that_is_old_is_warned_of);
	tcase_add_test(tcase, server_that_is_fine_is_not_spoken_of);
	tcase_add_test(tcase, info_that_got_no_reply_is_left_out_once);
	tcase_add_test(tcase, ends_with_a_call_under_way);
	tcase_add_test(tcase, ends_with_a_call_for_limits_that_are_gone);
	suite_add_tcase(suite, tcase);
	return suite;
}
