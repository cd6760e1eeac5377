/*
 * A link that asks sentinels where its server is.
 */
#include "fake/fake.h"
#include "fake/note.h"
#include "fake/peer.h"
#include "redis/link.h"
#include "suites.h"

#include "base/attr.h"

#include <string.h>

#define CONNECT_US INT64_C(300000)
#define POLL_US    INT64_C(1000000)

#define ASKED "SENTINEL GET-MASTER-ADDR-BY-NAME main"
#define HELLO(mode, role)                                                      \
	"*6\r\n$5\r\nproto\r\n:2\r\n$4\r\nmode\r\n" mode "$4\r\nrole\r\n" role

static const struct loop_events no_events;
static struct link_options options;
static struct loop *loop;
static struct dialer *dialer;
static struct link *link;
static struct peer *sentinel, *server;

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
	    .sentinel = {.hosts = "one:1 two:2",
		.master_name = "main",
		.username = "",
		.password = ""},
	};
	loop = loop_new(&no_events, NULL);
	dialer = dialer_new(loop);
	sentinel = server = NULL;
	link = link_new(loop, dialer, &options, &events, NULL);
	ck_assert_ptr_nonnull(link);
}

static void
tear_down(void)
{
	link_free(link);
	peer_free(sentinel);
	peer_free(server);
	dialer_free(dialer);
	loop_free(loop);
	fake_end();
}

/* A sentinel is connected to, and asked. */
static void
sentinel_comes(const char *name)
{
	peer_free(sentinel);
	sentinel = peer_accept(name);
	ck_assert_str_eq(peer_commands(sentinel), "PING, HELLO 2");
	peer_say(sentinel, "+PONG\r\n%s",
	    HELLO("$8\r\nsentinel\r\n", "$8\r\nsentinel\r\n"));
	ck_assert_str_eq(peer_command(sentinel), ASKED);
}

static void
sentinel_says(const char *port)
{
	peer_say(sentinel, "*2\r\n$2\r\nm%s\r\n$1\r\n%s\r\n", port, port);
}

/* The master is at NAME, and is one. */
static void
master_comes(const char *name)
{
	peer_free(server);
	server = peer_accept(name);
	peer_greet(server);
	ck_assert_str_eq(noted(), "up");
}

START_TEST(server_is_the_one_that_a_sentinel_names)
{
	ck_assert_uint_eq(fake_dials(NULL), 1);
	sentinel_comes("one:1");
	sentinel_says("3");
	master_comes("m3:3");
	ck_assert_str_eq(link_name(link), "m3:3");
}
END_TEST

START_TEST(another_sentinel_is_asked_where_one_is_gone)
{
	fake_dial_fail("one:1", "refused");
	fake_pass(POLL_US / 10);
	sentinel_comes("two:2");
	sentinel_says("3");
	master_comes("m3:3");
}
END_TEST

START_TEST(link_is_down_if_no_sentinel_replies)
{
	fake_pass(CONNECT_US);
	ck_assert_str_eq(noted(), "down");
	ck_assert_str_eq(link_name(link), "main");
}
END_TEST

/* Replies that name no master. */
static const char *const strange[] = {
    "*-1\r\n",
    "$-1\r\n",
    "-IDONTKNOW no\r\n",
    "*1\r\n$2\r\nm3\r\n",
    "*2\r\n:1\r\n$1\r\n3\r\n",
    "*2\r\n$2\r\nm3\r\n:3\r\n",
    "*2\r\n$0\r\n\r\n$1\r\n3\r\n",
};

START_TEST(link_is_down_if_a_sentinel_knows_no_master)
{
	sentinel_comes("one:1");
	peer_say(sentinel, "%s", strange[_i]);
	ck_assert_str_eq(noted(), "down");
	fake_pass(POLL_US / 10);
	sentinel_comes("two:2");
	sentinel_says("3");
	fake_pass(POLL_US / 10);
	/* The link asks once more, now that it dials again. */
	while (peer_command(sentinel))
		sentinel_says("3");
	master_comes("m3:3");
}
END_TEST

START_TEST(sentinel_that_named_a_replica_is_left)
{
	sentinel_comes("one:1");
	sentinel_says("3");
	server = peer_accept("m3:3");
	ck_assert_str_eq(peer_commands(server), "PING, HELLO 2");
	peer_say(server, "+PONG\r\n%s",
	    HELLO("$10\r\nstandalone\r\n", "$7\r\nreplica\r\n"));
	ck_assert_str_eq(noted(), "down");
	ck_assert(peer_is_left(sentinel));
	fake_pass(POLL_US / 10);
	sentinel_comes("two:2");
	sentinel_says("4");
	fake_pass(POLL_US / 10);
	while (peer_command(sentinel))
		sentinel_says("4");
	master_comes("m4:4");
}
END_TEST

START_TEST(sentinel_is_asked_each_second_and_a_move_ends_the_connection)
{
	sentinel_comes("one:1");
	sentinel_says("3");
	master_comes("m3:3");
	for (int i = 0; i < 3; i++) {
		fake_pass(POLL_US * 6 / 5);
		ck_assert_str_eq(peer_command(sentinel), ASKED);
		sentinel_says("3");
		ck_assert_str_eq(noted(), "");
	}
	fake_pass(POLL_US * 6 / 5);
	ck_assert_str_eq(peer_command(sentinel), ASKED);
	sentinel_says("4");
	ck_assert_str_eq(noted(), "down");
	ck_assert(peer_is_left(server));
	master_comes("m4:4");
}
END_TEST

static void
publish(struct peer *news, const char *text)
{
	peer_say(news,
	    "*3\r\n$7\r\nmessage\r\n$14\r\n+switch-master\r\n$%zu\r\n%s\r\n",
	    strlen(text), text);
}

/* A second connection comes, to listen. */
static struct peer *
accept_news(const char *name, const char *reply)
{
	struct peer *news = peer_accept(name);

	ck_assert_str_eq(peer_commands(news), "PING, HELLO 2");
	peer_say(news, "+PONG\r\n%s",
	    HELLO("$8\r\nsentinel\r\n", "$8\r\nsentinel\r\n"));
	ck_assert_str_eq(peer_command(news), "SUBSCRIBE +switch-master");
	peer_say(news, "%s", reply);
	return news;
}

#define SUBSCRIBED "*3\r\n$9\r\nsubscribe\r\n$14\r\n+switch-master\r\n:1\r\n"

START_TEST(move_that_a_sentinel_publishes_is_found_at_once)
{
	struct peer *news;

	sentinel_comes("one:1");
	sentinel_says("3");
	ck_assert_uint_eq(fake_dials("one:1"), 0); /* not yet */
	master_comes("m3:3");
	news = accept_news("one:1", SUBSCRIBED);
	publish(news, "main2 m3 3 m4 4");
	publish(news, "mai m3 3 m4 4");
	publish(news, "main");
	ck_assert_ptr_null(peer_command(sentinel));
	publish(news, "main m3 3 m4 4");
	ck_assert_str_eq(peer_command(sentinel), ASKED);
	sentinel_says("4");
	ck_assert_str_eq(noted(), "down");
	master_comes("m4:4");
	ck_assert_uint_eq(fake_dials(NULL), 0); /* it goes on listening */
	publish(news, "main m4 4 m3 3");
	ck_assert_str_eq(peer_command(sentinel), ASKED);
	peer_free(news);
}
END_TEST

START_TEST(sentinel_in_use_is_listened_to)
{
	struct peer *news;

	sentinel_comes("one:1");
	sentinel_says("3");
	master_comes("m3:3");
	news = accept_news("one:1", SUBSCRIBED);
	peer_close(sentinel);
	fake_pass(LINK_BACKOFF_MIN_US);
	sentinel_comes("two:2");
	sentinel_says("3");
	peer_close(news);
	peer_free(news);
	fake_pass(LINK_BACKOFF_MIN_US);
	news = accept_news("two:2", SUBSCRIBED);
	ck_assert_uint_eq(fake_dials(NULL), 0);
	ck_assert_str_eq(noted(), "");
	peer_free(news);
}
END_TEST

/* As where its user has no right to: there are the polls. */
START_TEST(sentinel_that_lets_no_one_listen_is_kept)
{
	struct peer *news;

	sentinel_comes("one:1");
	sentinel_says("3");
	master_comes("m3:3");
	news = accept_news("one:1", "-NOPERM no\r\n");
	ck_assert(peer_is_left(news));
	ck_assert(!peer_is_left(sentinel));
	ck_assert_str_eq(noted(), "");
	peer_free(news);
}
END_TEST

/* Whichever comes, until the link dials that. */
static void
sentinels_say_3(void)
{
	while (fake_dials("m3:3") == 0) {
		if (fake_dials("one:1") > 0)
			sentinel_comes("one:1");
		else if (fake_dials("two:2") > 0)
			sentinel_comes("two:2");
		else if (!sentinel || !peer_command(sentinel)) {
			fake_pass_to_next();
			continue;
		}
		sentinel_says("3");
	}
}

/* However long the back-off from the old one is. */
START_TEST(sentinel_that_names_a_dead_server_is_left_and_the_next_one_believed)
{
	fake_chance(1);
	for (int i = 0; i < 6; i++) {
		sentinels_say_3();
		fake_dial_fail("m3:3", "refused");
		fake_run();
		ck_assert(peer_is_left(sentinel));
	}
	ck_assert_uint_eq(fake_dials(NULL), 0);
	fake_pass(LINK_BACKOFF_MIN_US);
	sentinel_comes(fake_dials("one:1") > 0 ? "one:1" : "two:2");
	noted();
	sentinel_says("4");
	master_comes("m4:4");
}
END_TEST

/* It is not the server that has failed. */
START_TEST(sentinel_is_kept_where_no_descriptor_is_left_to_dial_what_it_named)
{
	sentinel_comes("one:1");
	sentinel_says("3");
	fake_dial_fail_here("m3:3", "Too many open files");
	fake_run();
	ck_assert_str_eq(noted(), "down");
	ck_assert(!peer_is_left(sentinel));
	sentinels_say_3();
	master_comes("m3:3");
}
END_TEST

/* Each names a server of its own that is gone. */
START_TEST(sentinels_that_disagree_do_not_end_the_back_off)
{
	int64_t passed_us = 0;
	int dialed = 0;

	fake_chance(1);
	while (passed_us < 60 * POLL_US) {
		bool is_one = fake_dials("one:1") > 0;

		if (is_one || fake_dials("two:2") > 0) {
			sentinel_comes(is_one ? "one:1" : "two:2");
			sentinel_says(is_one ? "3" : "4");
		} else if (fake_dials(NULL) > 0) {
			fake_dial_fail(NULL, "refused");
			fake_run();
			dialed++;
		} else {
			passed_us += fake_pass_to_next();
		}
	}
	ck_assert_int_gt(dialed, 100);
	ck_assert_int_lt(dialed, 260); /* each wait is half a second */
}
END_TEST

START_TEST(sentinels_that_are_gone_do_not_end_the_connection)
{
	sentinel_comes("one:1");
	sentinel_says("3");
	master_comes("m3:3");
	peer_close(sentinel);
	fake_pass(10 * POLL_US);
	ck_assert_str_eq(noted(), "");
	ck_assert(!peer_is_left(server));
}
END_TEST

/* It has closed a link that was idle, which is made again just then. */
START_TEST(sentinel_is_asked_at_its_time_though_the_link_is_made_again)
{
	sentinel_comes("one:1");
	sentinel_says("3");
	master_comes("m3:3");
	fake_pass(POLL_US - CONNECT_US / 2);
	peer_close(sentinel);
	fake_pass(CONNECT_US * 3 / 4);
	sentinel_comes("one:1");
	sentinel_says("4");
	ck_assert_str_eq(noted(), "down");
	master_comes("m4:4");
}
END_TEST

START_TEST(server_that_is_no_sentinel_is_left)
{
	sentinel = peer_accept("one:1");
	ck_assert_str_eq(peer_commands(sentinel), "PING, HELLO 2");
	peer_say(sentinel, "+PONG\r\n%s",
	    HELLO("$10\r\nstandalone\r\n", "$6\r\nmaster\r\n"));
	ck_assert(peer_is_left(sentinel));
	fake_pass(POLL_US / 10);
	sentinel_comes("two:2");
}
END_TEST

Suite *
sentinel_suite(void)
{
	Suite *suite = suite_create("sentinel");
	TCase *tcase = tcase_create("sentinel");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, server_is_the_one_that_a_sentinel_names);
	tcase_add_test(tcase, another_sentinel_is_asked_where_one_is_gone);
	tcase_add_test(tcase, link_is_down_if_no_sentinel_replies);
	tcase_add_loop_test(tcase, link_is_down_if_a_sentinel_knows_no_master,
	    0, COUNT(strange));
	tcase_add_test(tcase, sentinel_that_named_a_replica_is_left);
	tcase_add_test(tcase,
	    sentinel_is_asked_each_second_and_a_move_ends_the_connection);
	tcase_add_test(tcase, move_that_a_sentinel_publishes_is_found_at_once);
	tcase_add_test(tcase, sentinel_in_use_is_listened_to);
	tcase_add_test(tcase, sentinel_that_lets_no_one_listen_is_kept);
	tcase_add_test(tcase,
	    sentinel_that_names_a_dead_server_is_left_and_the_next_one_believed);
	tcase_add_test(tcase,
	    sentinel_is_kept_where_no_descriptor_is_left_to_dial_what_it_named);
	tcase_add_test(tcase, sentinels_that_disagree_do_not_end_the_back_off);
	tcase_add_test(
	    tcase, sentinels_that_are_gone_do_not_end_the_connection);
	tcase_add_test(
	    tcase, sentinel_is_asked_at_its_time_though_the_link_is_made_again);
	tcase_add_test(tcase, server_that_is_no_sentinel_is_left);
	suite_add_tcase(suite, tcase);
	return suite;
}
