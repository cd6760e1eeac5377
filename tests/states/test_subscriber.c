#include "base/script.h"
#include "control/subscriber.h"
#include "fake/fake.h"
#include "fake/note.h"
#include "fake/peer.h"
#include "net/loop.h"
#include "serving.h"
#include "suites.h"

#include <stdio.h>
#include <string.h>

#define NAME "redis.example:6379"

#define MS     INT64_C(1000)
#define SECOND INT64_C(1000000)

/* Time-outs of a call, and of connecting, are 5 s; pauses are halves of their
 * bounds, and polls come on the dot. */
#define SETTINGS                                                               \
	"[limits]\nsource = redis\n"                                           \
	"[control]\nhost = redis.example\npoll = 30s\nnode_name = node\n"

#define LOGIN "login match=login:* capacity=5 rate=1/s"
#define OTHER "other match=* capacity=1 rate=1/s"
#define WRONG "wrong match=* capacity=0 rate=1/s"

static const struct loop_events no_events;
static struct config *config;
static struct subscriber_options options;
static struct loop *loop;
static struct dialer *dialer;
static struct subscriber *subscriber;

/* The server's ends of the two links: one is subscribed, the other calls. */
static struct peer *channel, *server;

static void
on_rules(struct rules *rules, struct rules_changes *changes, void *arg)
{
	(void)changes;
	(void)arg;
	if (!rules) {
		note("rejected");
		return;
	}
	note("rules=%s",
	    rules_count(rules) > 0 ? rules_at(rules, 0)->name : "none");
	rules_unref(rules);
}

static void
on_left(void *arg)
{
	(void)arg;
	note("left");
}

/* A link connects: whichever of the two it is. */
static void
accept_link(void)
{
	struct peer *peer = peer_accept(NAME);
	struct peer **which = &server;
	const char *coming;

	peer_greet(peer);
	coming = peer_coming(peer);
	if (coming && strncmp(coming, "SUBSCRIBE", 9) == 0)
		which = &channel;
	peer_free(*which);
	*which = peer;
}

static void
acknowledge(void)
{
	ck_assert_pstr_eq(peer_command(channel), "SUBSCRIBE control");
	peer_say(channel, "*3\r\n$9\r\nsubscribe\r\n$7\r\ncontrol\r\n:1\r\n");
}

static void
publish(const char *message)
{
	peer_say(channel,
	    "*3\r\n$7\r\nmessage\r\n$7\r\ncontrol\r\n$%zu\r\n%s\r\n",
	    strlen(message), message);
}

/* Reply to what the daemon reports of itself, up to the load that comes next;
 * note what is not the everyday. */
static void
reply_to_reports(void)
{
	const char *command;

	while ((command = peer_coming(server)) &&
	       strncmp(command, "EVAL", 4) != 0) {
		if (strncmp(command, "HS", 2) != 0 &&
		    strncmp(command, "EXPIRE", 6) != 0)
			note("%s", command);
		peer_command(server);
		peer_say(server, ":1\r\n");
	}
}

/* The digest that the load under way sends, "" for none, by its first
 * letter; NULL: the key is not loaded. */
static const char *
loads(void)
{
	static char known[2];
	char start[100];
	size_t len = (size_t)snprintf(
	    start, sizeof(start), "EVALSHA_RO %s 1 limits ", script_limits.sha);
	const char *command;

	reply_to_reports();
	command = peer_command(server);
	if (!command)
		return NULL;
	ck_assert_int_eq(strncmp(command, start, len), 0);
	known[0] = command[len] == ' ' ? '\0' : command[len];
	return known;
}

/* Let time pass, with a server that replies to all but loads. */
static void
pass(int64_t us)
{
	for (int64_t step; us > 0; us -= step) {
		step = us < SECOND ? us : SECOND;
		fake_pass(step);
		reply_to_reports();
		if (peer_coming(channel) &&
		    strcmp(peer_coming(channel), "PING") == 0) {
			peer_command(channel);
			peer_say(channel, "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
		}
	}
}

/* Reply to a load: the digest, forty times ${digest}, and one member; NULL:
 * none. */
static void
reply_key(char digest, const char *member)
{
	char text[41] = "";

	memset(text, digest, 40);
	if (member)
		peer_say(server, "*2\r\n$40\r\n%s\r\n$%zu\r\n%s\r\n", text,
		    strlen(member), member);
	else
		peer_say(server, "*1\r\n$40\r\n%s\r\n", text);
}

/* The key is as the daemon knows it. */
static void
reply_known(char digest)
{
	reply_key(digest, NULL);
}

static void
start(const char *settings)
{
	config = config_of(settings);
	options = config_subscriber(config);
	options.node_id = "";
	subscriber = subscriber_new(loop, dialer, &options, on_rules, NULL);
	ck_assert_ptr_nonnull(subscriber);
}

static void
stop(void)
{
	subscriber_free(subscriber);
	subscriber = NULL;
	config_free(config);
	peer_free(channel);
	peer_free(server);
	channel = server = NULL;
}

static void
set_up(void)
{
	fake_start();
	noted();
	loop = loop_new(&no_events, NULL);
	dialer = dialer_new(loop);
	channel = server = NULL;
	start(SETTINGS);
}

static void
tear_down(void)
{
	stop();
	dialer_free(dialer);
	loop_free(loop);
	fake_end();
}

/* Connect and load once: digest "a", the limit login. */
static void
load_first(void)
{
	accept_link();
	accept_link();
	acknowledge();
	ck_assert_pstr_eq(loads(), "");
	reply_key('a', LOGIN);
	ck_assert_str_eq(noted(), "rules=login");
	ck_assert_pstr_eq(loads(), NULL);
}

/*
 * The start.
 */

/* What was published before it was heard of must be in what is loaded. */
START_TEST(loads_once_subscribed)
{
	accept_link();
	accept_link();
	ck_assert_pstr_eq(loads(), NULL);
	acknowledge();
	ck_assert_pstr_eq(loads(), "");
	ck_assert(!subscriber_is_settled(subscriber));
	ck_assert_int_eq(subscriber_state(subscriber), SUBSCRIBER_WAITING);
	reply_key('a', LOGIN);
	ck_assert_str_eq(noted(), "rules=login");
	ck_assert(subscriber_is_settled(subscriber));
	ck_assert_int_eq(subscriber_state(subscriber), SUBSCRIBER_CURRENT);
}
END_TEST

START_TEST(loads_without_a_subscription)
{
	accept_link();
	fake_dial_fail(NAME, "a test says so");
	fake_run();
	ck_assert_ptr_nonnull(server);
	ck_assert_pstr_eq(loads(), "");
	reply_key('a', LOGIN);
	ck_assert_str_eq(noted(), "rules=login");
}
END_TEST

START_TEST(refused_subscription_does_not_keep_from_loading)
{
	accept_link();
	accept_link();
	peer_say(channel, "-NOPERM no\r\n");
	ck_assert(peer_command(channel) && peer_is_left(channel));
	ck_assert_pstr_eq(loads(), "");
}
END_TEST

START_TEST(settles_without_a_server)
{
	fake_dial_fail(NAME, "a test says so");
	fake_dial_fail(NAME, "a test says so");
	ck_assert(!subscriber_is_settled(subscriber));
	fake_run();
	ck_assert(subscriber_is_settled(subscriber));
	ck_assert_int_eq(subscriber_state(subscriber), SUBSCRIBER_WAITING);
	ck_assert_str_eq(noted(), "");
}
END_TEST

/*
 * Messages.
 */

/* A full load: the digest that is known is not sent. */
START_TEST(reload_loads_at_once)
{
	load_first();
	publish("reload");
	ck_assert_pstr_eq(loads(), "");
	reply_key('a', LOGIN);
	ck_assert_str_eq(noted(), "rules=login");
}
END_TEST

START_TEST(reload_during_a_load_makes_another)
{
	load_first();
	publish("reload");
	ck_assert_pstr_eq(loads(), "");
	publish("reload");
	publish("reload");
	ck_assert_pstr_eq(loads(), NULL);
	reply_key('b', LOGIN);
	ck_assert_pstr_eq(loads(), "");
	reply_key('c', OTHER);
	ck_assert_pstr_eq(loads(), NULL);
	ck_assert_str_eq(noted(), "rules=login rules=other");
}
END_TEST

START_TEST(spread_reload_waits_a_random_part)
{
	load_first();
	fake_chance(0.25);
	publish("reload:spread:10");
	ck_assert_int_eq(fake_chance_bound(), 10 * SECOND);
	pass(2500 * MS - 1);
	ck_assert_pstr_eq(loads(), NULL);
	pass(1);
	ck_assert_pstr_eq(loads(), "");
}
END_TEST

START_TEST(plain_reload_has_the_spread_of_the_settings)
{
	stop();
	start(SETTINGS "reload_spread = 8s\n");
	load_first();
	publish("reload");
	pass(4 * SECOND - 1);
	ck_assert_pstr_eq(loads(), NULL);
	pass(1);
	ck_assert_pstr_eq(loads(), "");
	reply_key('a', LOGIN);
	publish("reload:immediate");
	ck_assert_pstr_eq(loads(), "");
}
END_TEST

START_TEST(earliest_reload_counts)
{
	load_first();
	publish("reload:spread:20");
	publish("reload:spread:8");
	publish("reload:spread:12");
	pass(4 * SECOND - 1);
	ck_assert_pstr_eq(loads(), NULL);
	pass(1);
	ck_assert_pstr_eq(loads(), "");
	reply_key('a', LOGIN);
	pass(20 * SECOND);
	ck_assert_pstr_eq(loads(), NULL);
}
END_TEST

START_TEST(message_may_come_by_the_caller)
{
	load_first();
	subscriber_reload(subscriber);
	fake_run();
	ck_assert_pstr_eq(loads(), "");
	subscriber_reload(subscriber);
	reply_key('a', LOGIN);
	ck_assert_pstr_eq(loads(), "");
}
END_TEST

START_TEST(ping_gets_a_pong)
{
	load_first();
	publish("ping:where:data");
	ck_assert_pstr_eq(loads(), NULL);
	ck_assert_str_eq(noted(), "PUBLISH where pong:node:data");
}
END_TEST

/* The one that pings may subscribe only after it has done so. */
START_TEST(pong_that_no_one_received_is_repeated_once)
{
	load_first();
	publish("ping:where");
	ck_assert_pstr_eq(peer_command(server), "PUBLISH where pong:node");
	peer_say(server, ":0\r\n");
	fake_pass(100 * MS - 1);
	ck_assert_pstr_eq(peer_command(server), NULL);
	fake_pass(1);
	ck_assert_pstr_eq(peer_command(server), "PUBLISH where pong:node");
	peer_say(server, ":0\r\n");
	fake_pass(1 * SECOND);
	ck_assert_pstr_eq(peer_command(server), NULL);
}
END_TEST

START_TEST(pong_that_was_received_is_not_repeated)
{
	load_first();
	publish("ping:where");
	ck_assert_pstr_eq(peer_command(server), "PUBLISH where pong:node");
	peer_say(server, ":1\r\n");
	fake_pass(1 * SECOND);
	ck_assert_pstr_eq(peer_command(server), NULL);
}
END_TEST

/* Sixteen may be repeated at a time; more are published once. */
START_TEST(pongs_that_wait_are_bounded)
{
	load_first();
	for (int i = 0; i < 20; i++) {
		publish("ping:where");
		ck_assert_pstr_eq(
		    peer_command(server), "PUBLISH where pong:node");
		peer_say(server, ":0\r\n");
	}
	fake_pass(100 * MS);
	for (int i = 0; i < 16; i++) {
		ck_assert_pstr_eq(
		    peer_command(server), "PUBLISH where pong:node");
		peer_say(server, ":1\r\n");
	}
	ck_assert_pstr_eq(peer_command(server), NULL);
	publish("ping:where"); /* there is room again */
	ck_assert_pstr_eq(peer_command(server), "PUBLISH where pong:node");
	peer_say(server, ":0\r\n");
	fake_pass(100 * MS);
	ck_assert_pstr_eq(peer_command(server), "PUBLISH where pong:node");
}
END_TEST

START_TEST(pong_that_waits_is_lost_with_its_link)
{
	load_first();
	publish("ping:where");
	peer_command(server);
	peer_say(server, ":0\r\n");
	peer_say(server, ":1\r\n"); /* which no call waits for */
	ck_assert(peer_is_left(server));
	fake_pass(1 * SECOND);
}
END_TEST

START_TEST(other_messages_are_logged_and_ignored)
{
	load_first();
	fake_log();
	publish("what");
	ck_assert_ptr_nonnull(strstr(fake_log(), "<4>"));
	publish("_internal");
	publish("");
	pass(5 * SECOND);
	ck_assert_pstr_eq(loads(), NULL);
}
END_TEST

/*
 * Polls.
 */

START_TEST(poll_asks_for_news)
{
	load_first();
	pass(30 * SECOND - 1);
	ck_assert_pstr_eq(loads(), NULL);
	pass(1);
	ck_assert_pstr_eq(loads(), "a");
	reply_known('a');
	ck_assert_str_eq(noted(), "");
	pass(30 * SECOND);
	ck_assert_pstr_eq(loads(), "a");
	reply_key('b', OTHER);
	ck_assert_str_eq(noted(), "rules=other");
	pass(30 * SECOND);
	ck_assert_pstr_eq(loads(), "b");
}
END_TEST

START_TEST(polls_are_random_by_a_fifth)
{
	load_first();
	pass(30 * SECOND);
	ck_assert_int_eq(fake_chance_bound(), 12 * SECOND + 1);
	ck_assert_pstr_eq(loads(), "a");
	reply_known('a');
	fake_chance(0);
	pass(30 * SECOND);
	ck_assert_pstr_eq(loads(), "a");
	reply_known('a');
	pass(24 * SECOND - 1);
	ck_assert_pstr_eq(loads(), NULL);
	pass(1);
	ck_assert_pstr_eq(loads(), "a");
}
END_TEST

/* A reload that waits within its spread may as well be done by it. */
START_TEST(poll_does_the_reload_that_waits)
{
	load_first();
	fake_chance(0.9);
	publish("reload:spread:60");
	fake_chance(0.5);
	pass(30 * SECOND);
	ck_assert_pstr_eq(loads(), "");
	reply_key('a', LOGIN);
	pass(29 * SECOND);
	ck_assert_pstr_eq(loads(), NULL);
}
END_TEST

/* Without messages, and without a subscription. */
START_TEST(polls_while_the_subscription_is_lost)
{
	load_first();
	peer_close(channel);
	pass(30 * SECOND);
	ck_assert_pstr_eq(loads(), "a");
}
END_TEST

/*
 * Lost links.
 */

START_TEST(loads_after_each_reconnect_of_the_subscription)
{
	load_first();
	peer_close(channel);
	fake_pass(25 * MS);
	ck_assert_pstr_eq(loads(), NULL);
	accept_link();
	ck_assert_pstr_eq(loads(), NULL);
	acknowledge();
	ck_assert_pstr_eq(loads(), "a");
}
END_TEST

START_TEST(subscription_that_died_in_silence_is_found_out)
{
	load_first();
	fake_pass(5 * SECOND);
	ck_assert_pstr_eq(peer_command(channel), "PING");
	peer_say(channel, "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
	fake_pass(5 * SECOND - 1);
	ck_assert_pstr_eq(peer_command(channel), NULL);
	fake_pass(1);
	ck_assert_pstr_eq(peer_command(channel), "PING");
	fake_pass(5 * SECOND - 1);
	ck_assert(!peer_is_left(channel));
	fake_pass(1);
	ck_assert(peer_is_left(channel));
	fake_pass(25 * MS);
	accept_link();
	acknowledge();
	ck_assert_pstr_eq(loads(), "a");
}
END_TEST

START_TEST(subscription_is_not_tried_before_it_is_acknowledged)
{
	load_first();
	fake_pass(5 * SECOND - 1);
	fake_chance(0);
	peer_close(channel);
	accept_link();
	fake_pass(1);
	ck_assert_pstr_eq(peer_command(channel), "SUBSCRIBE control");
	ck_assert_pstr_eq(peer_command(channel), NULL);
}
END_TEST

START_TEST(acknowledged_subscription_ends_the_backoff)
{
	load_first();
	peer_close(channel);
	ck_assert_int_eq(fake_chance_bound(), 50 * MS);
	fake_pass(25 * MS);
	accept_link();
	peer_close(channel);
	ck_assert_int_eq(fake_chance_bound(), 100 * MS);
	fake_pass(50 * MS);
	accept_link();
	acknowledge();
	peer_close(channel);
	ck_assert_int_eq(fake_chance_bound(), 50 * MS);
}
END_TEST

START_TEST(key_that_was_read_ends_the_backoff)
{
	load_first();
	peer_close(server);
	ck_assert_int_eq(fake_chance_bound(), 50 * MS);
	fake_pass(25 * MS);
	accept_link();
	peer_close(server);
	ck_assert_int_eq(fake_chance_bound(), 100 * MS);
	fake_pass(50 * MS);
	accept_link();
	publish("reload");
	ck_assert_pstr_eq(loads(), "");
	reply_key('a', LOGIN);
	peer_close(server);
	ck_assert_int_eq(fake_chance_bound(), 50 * MS);
}
END_TEST

START_TEST(load_that_is_lost_is_done_again)
{
	load_first();
	publish("reload");
	ck_assert_pstr_eq(loads(), "");
	peer_close(server);
	ck_assert_str_eq(noted(), "");
	fake_pass(25 * MS);
	accept_link();
	ck_assert_pstr_eq(loads(), ""); /* as full as it was */
	reply_key('b', OTHER);
	ck_assert_str_eq(noted(), "rules=other");
	ck_assert_pstr_eq(loads(), NULL);
}
END_TEST

START_TEST(load_that_gets_no_reply_is_done_again)
{
	load_first();
	pass(30 * SECOND);
	ck_assert_pstr_eq(loads(), "a");
	pass(5 * SECOND);
	ck_assert(peer_is_left(server));
	fake_pass(25 * MS);
	accept_link();
	ck_assert_pstr_eq(loads(), "a");
}
END_TEST

START_TEST(reload_waits_for_the_link)
{
	load_first();
	peer_close(server);
	publish("reload");
	fake_pass(25 * MS);
	accept_link();
	ck_assert_pstr_eq(loads(), "");
}
END_TEST

/* These say nothing of the key. */
START_TEST(server_that_is_loading_is_left)
{
	static const char *const errors[] = {
	    "-LOADING x", "-BUSY x", "-MASTERDOWN x", "-NOAUTH x", "+OK"};

	load_first();
	publish("reload");
	for (size_t i = 0; i < COUNT(errors); i++) {
		ck_assert_pstr_eq(loads(), "");
		peer_say(server, "%s\r\n", errors[i]);
		ck_assert(peer_is_left(server));
		while (fake_dials(NAME) == 0)
			fake_pass_to_next();
		accept_link();
	}
	ck_assert_pstr_eq(loads(), "");
	reply_key('b', OTHER);
	ck_assert_str_eq(noted(), "rules=other");
	ck_assert_int_eq(subscriber_state(subscriber), SUBSCRIBER_CURRENT);
}
END_TEST

/*
 * Sets that are wrong.
 */

START_TEST(wrong_set_is_rejected_and_reported)
{
	load_first();
	fake_log();
	publish("reload");
	ck_assert_pstr_eq(loads(), "");
	reply_key('b', WRONG);
	ck_assert_int_eq(subscriber_state(subscriber), SUBSCRIBER_REJECTED);
	ck_assert_pstr_eq(loads(), NULL);
	ck_assert_ptr_nonnull(strstr(fake_log(), "<3>"));
	/* Added to the set, and published, since it was not there. */
	ck_assert_str_eq(
	    noted(), "rejected SADD errors ... PUBLISH errors ...");
}
END_TEST

START_TEST(poll_of_the_same_wrong_set_is_silent)
{
	load_first();
	publish("reload");
	ck_assert_pstr_eq(loads(), "");
	reply_key('b', WRONG);
	ck_assert_pstr_eq(loads(), NULL);
	noted();
	fake_log();
	pass(30 * SECOND);
	ck_assert_pstr_eq(loads(), "b");
	reply_known('b');
	ck_assert_pstr_eq(loads(), NULL);
	ck_assert_str_eq(noted(), "");
	ck_assert_str_eq(fake_log(), "");
	ck_assert_int_eq(subscriber_state(subscriber), SUBSCRIBER_REJECTED);
}
END_TEST

/* An error of the script has no digest by which it would be known. */
START_TEST(poll_of_the_same_error_is_silent)
{
	load_first();
	fake_log();
	publish("reload");
	ck_assert_pstr_eq(loads(), "");
	peer_say(server, "-WRONGTYPE x\r\n");
	ck_assert_pstr_eq(loads(), NULL);
	ck_assert_ptr_nonnull(
	    strstr(fake_log(), "; the previous 1 stay in force\n"));
	noted();
	for (int i = 0; i < 2; i++) {
		pass(30 * SECOND);
		ck_assert_pstr_eq(loads(), "");
		peer_say(server, "-WRONGTYPE x\r\n");
		ck_assert_pstr_eq(loads(), NULL);
		ck_assert_str_eq(noted(), "");
		ck_assert_str_eq(fake_log(), "");
	}
	publish("reload");
	ck_assert_pstr_eq(loads(), "");
	reply_key('b', WRONG);
	ck_assert_ptr_nonnull(
	    strstr(fake_log(), "; the previous 1 stay in force\n"));
}
END_TEST

START_TEST(reload_of_the_same_wrong_set_is_reported_again)
{
	load_first();
	publish("reload");
	ck_assert_pstr_eq(loads(), "");
	reply_key('b', WRONG);
	ck_assert_pstr_eq(loads(), NULL);
	noted();
	fake_log();
	publish("reload");
	ck_assert_pstr_eq(loads(), "");
	reply_key('b', WRONG);
	ck_assert_pstr_eq(loads(), NULL);
	ck_assert_str_eq(
	    noted(), "rejected SADD errors ... PUBLISH errors ...");
	ck_assert_ptr_nonnull(strstr(fake_log(), "<3>"));
}
END_TEST

START_TEST(report_that_got_no_reply_is_repeated)
{
	load_first();
	publish("reload");
	ck_assert_pstr_eq(loads(), "");
	reply_key('b', WRONG);
	peer_close(server); /* before it replied to the SADD */
	fake_pass(25 * MS);
	accept_link();
	pass(30 * SECOND);
	ck_assert_pstr_eq(loads(), "b");
	reply_known('b');
	ck_assert_pstr_eq(loads(), NULL);
	ck_assert_str_eq(
	    noted(), "rejected SADD errors ... PUBLISH errors ...");
}
END_TEST

START_TEST(mended_set_is_taken_and_the_report_withdrawn)
{
	load_first();
	publish("reload");
	ck_assert_pstr_eq(loads(), "");
	reply_key('b', WRONG);
	ck_assert_pstr_eq(loads(), NULL);
	noted();
	publish("reload");
	ck_assert_pstr_eq(loads(), "");
	reply_key('c', OTHER);
	ck_assert_str_eq(noted(), "rules=other");
	ck_assert_pstr_eq(loads(), NULL);
	ck_assert_str_eq(noted(), "SREM errors ...");
	ck_assert_int_eq(subscriber_state(subscriber), SUBSCRIBER_CURRENT);
	publish("reload");
	ck_assert_pstr_eq(loads(), "");
	reply_key('c', OTHER);
	ck_assert_pstr_eq(loads(), NULL);
	ck_assert_str_eq(noted(), "rules=other");
}
END_TEST

START_TEST(empty_key_is_rejected)
{
	load_first();
	publish("reload");
	ck_assert_pstr_eq(loads(), "");
	reply_key('b', NULL);
	ck_assert_str_eq(noted(), "rejected");
	ck_assert_int_eq(subscriber_state(subscriber), SUBSCRIBER_REJECTED);
}
END_TEST

START_TEST(empty_key_is_a_set_if_so_set)
{
	stop();
	start("[limits]\nsource = redis\nallow_empty = yes\n"
	      "[control]\nhost = redis.example\n");
	load_first();
	publish("reload");
	ck_assert_pstr_eq(loads(), "");
	reply_key('b', NULL);
	ck_assert_str_eq(noted(), "rules=none");
}
END_TEST

/* The script says what is wrong with the key. */
START_TEST(error_of_the_script_is_a_rejection)
{
	load_first();
	publish("reload");
	ck_assert_pstr_eq(loads(), "");
	peer_say(server, "-TOOLARGE more than 10000 members\r\n");
	ck_assert_int_eq(subscriber_state(subscriber), SUBSCRIBER_REJECTED);
	ck_assert(!peer_is_left(server));
	ck_assert_pstr_eq(loads(), NULL);
	pass(30 * SECOND);
	ck_assert_pstr_eq(loads(), ""); /* it has no digest */
}
END_TEST

/*
 * The end.
 */

START_TEST(leaving_is_told)
{
	load_first();
	subscriber_leave(subscriber, on_left, NULL);
	fake_run();
	ck_assert_str_eq(noted(), "");
	ck_assert_pstr_eq(loads(), NULL);
	ck_assert_str_eq(noted(), "HDEL limits:fleet node left");
	publish("reload"); /* and nothing is reported any more */
	ck_assert_pstr_eq(loads(), "");
	reply_key('a', LOGIN);
	ck_assert_pstr_eq(peer_command(server), NULL);
}
END_TEST

START_TEST(ends_with_a_load_under_way)
{
	load_first();
	publish("reload");
	ck_assert_pstr_eq(loads(), "");
	publish("reload:spread:10");
}
END_TEST

Suite *
subscriber_suite(void)
{
	Suite *suite = suite_create("subscriber");
	TCase *tcase = tcase_create("subscriber");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, loads_once_subscribed);
	tcase_add_test(tcase, loads_without_a_subscription);
	tcase_add_test(tcase, refused_subscription_does_not_keep_from_loading);
	tcase_add_test(tcase, settles_without_a_server);
	tcase_add_test(tcase, reload_loads_at_once);
	tcase_add_test(tcase, reload_during_a_load_makes_another);
	tcase_add_test(tcase, spread_reload_waits_a_random_part);
	tcase_add_test(tcase, plain_reload_has_the_spread_of_the_settings);
	tcase_add_test(tcase, earliest_reload_counts);
	tcase_add_test(tcase, message_may_come_by_the_caller);
	tcase_add_test(tcase, ping_gets_a_pong);
	tcase_add_test(tcase, pong_that_no_one_received_is_repeated_once);
	tcase_add_test(tcase, pong_that_was_received_is_not_repeated);
	tcase_add_test(tcase, pongs_that_wait_are_bounded);
	tcase_add_test(tcase, pong_that_waits_is_lost_with_its_link);
	tcase_add_test(tcase, other_messages_are_logged_and_ignored);
	tcase_add_test(tcase, poll_asks_for_news);
	tcase_add_test(tcase, polls_are_random_by_a_fifth);
	tcase_add_test(tcase, poll_does_the_reload_that_waits);
	tcase_add_test(tcase, polls_while_the_subscription_is_lost);
	tcase_add_test(tcase, loads_after_each_reconnect_of_the_subscription);
	tcase_add_test(tcase, subscription_that_died_in_silence_is_found_out);
	tcase_add_test(
	    tcase, subscription_is_not_tried_before_it_is_acknowledged);
	tcase_add_test(tcase, acknowledged_subscription_ends_the_backoff);
	tcase_add_test(tcase, key_that_was_read_ends_the_backoff);
	tcase_add_test(tcase, load_that_is_lost_is_done_again);
	tcase_add_test(tcase, load_that_gets_no_reply_is_done_again);
	tcase_add_test(tcase, reload_waits_for_the_link);
	tcase_add_test(tcase, server_that_is_loading_is_left);
	tcase_add_test(tcase, wrong_set_is_rejected_and_reported);
	tcase_add_test(tcase, poll_of_the_same_wrong_set_is_silent);
	tcase_add_test(tcase, poll_of_the_same_error_is_silent);
	tcase_add_test(tcase, reload_of_the_same_wrong_set_is_reported_again);
	tcase_add_test(tcase, report_that_got_no_reply_is_repeated);
	tcase_add_test(tcase, mended_set_is_taken_and_the_report_withdrawn);
	tcase_add_test(tcase, empty_key_is_rejected);
	tcase_add_test(tcase, empty_key_is_a_set_if_so_set);
	tcase_add_test(tcase, error_of_the_script_is_a_rejection);
	tcase_add_test(tcase, leaving_is_told);
	tcase_add_test(tcase, ends_with_a_load_under_way);
	suite_add_tcase(suite, tcase);
	return suite;
}
