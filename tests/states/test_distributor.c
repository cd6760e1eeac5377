#include "control/distributor.h"
#include "fake/fake.h"
#include "fake/peer.h"
#include "net/loop.h"
#include "serving.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS     INT64_C(1000)
#define SECOND INT64_C(1000000)

#define MASTER "master:6379"
#define ONE    "one:6379"
#define TWO    "two:6379"

/* Time-outs are 5 s, and polls come on the dot. */
#define SERVERS       "[master]\nhost = master\n[slave:one]\nhost = one\n"
#define SECOND_TARGET "[slave:two]\nhost = two\n"

/* What a target reads, and by what it forgets that it did. */
#define READS                                                                  \
	"WATCH limits, WATCH limits:overrides, HGETALL limits:overrides, "     \
	"ZRANGE limits 0 -1 WITHSCORES"

/* And the master. */
#define READS_LIMITS    "ZRANGE limits 0 -1"
#define READS_OVERRIDES "HGETALL limits:overrides"

static const struct loop_events no_events;
static struct config *config;
static struct loop *loop;
static struct dialer *dialer;
static struct distributor *distributor;

/* The servers' ends.  The master has two links, one of them subscribed. */
static struct peer *master, *channel, *one, *two;

static void
accept_target(struct peer **target, const char *name)
{
	peer_free(*target);
	*target = peer_accept(name);
	peer_greet(*target);
}

/* A link to the master connects: whichever of the two it is. */
static void
accept_master(void)
{
	struct peer *peer = NULL;
	struct peer **which = &master;
	const char *coming;

	accept_target(&peer, MASTER);
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

/* Write a list of words. */
static void
write_list(struct peer *peer, const char *words)
{
	char text[4000], head[20];
	size_t len = 0;
	int count = 0;

	for (const char *at = words; *at; at += strspn(at, " ")) {
		size_t word = strcspn(at, " ");

		len += (size_t)sprintf(
		    text + len, "$%zu\r\n%.*s\r\n", word, (int)word, at);
		count++;
		at += word;
	}
	text[len] = '\0';
	sprintf(head, "*%d\r\n", count);
	peer_write(peer, head, strlen(head));
	peer_write(peer, text, len);
}

/* The master has these members, and these overrides and their values. */
static void
master_has_both(const char *members, const char *overrides)
{
	ck_assert_str_eq(peer_commands(master), READS_LIMITS);
	write_list(master, members);
	fake_run();
	if (*members == '\0')
		return; /* it is not asked for overrides then */
	ck_assert_str_eq(peer_commands(master), READS_OVERRIDES);
	write_list(master, overrides);
	fake_run();
}

static void
master_has(const char *members)
{
	master_has_both(members, "");
}

/* The target replies: it has these members with their scores, and these
 * overrides. */
static void
target_says(struct peer *target, const char *members, const char *overrides)
{
	peer_write(target, "+OK\r\n+OK\r\n", 10);
	write_list(target, overrides);
	write_list(target, members);
	fake_run();
}

static void
target_has_both(struct peer *target, const char *members, const char *overrides)
{
	ck_assert_str_eq(peer_commands(target), READS);
	target_says(target, members, overrides);
}

static void
target_has(struct peer *target, const char *members)
{
	target_has_both(target, members, "");
}

/* Reply to a transaction of ${count} commands, which is carried out. */
static void
execute(struct peer *target, int count)
{
	char text[1000];
	size_t len = (size_t)sprintf(text, "+OK\r\n");

	for (int i = 0; i < count; i++)
		len += (size_t)sprintf(text + len, "+QUEUED\r\n");
	len += (size_t)sprintf(text + len, "*%d\r\n", count);
	for (int i = 0; i < count; i++)
		len += (size_t)sprintf(text + len, ":1\r\n");
	peer_say(target, "%s", text);
}

/* The same, and another client wrote to the key meanwhile. */
static void
conflict(struct peer *target, int count)
{
	peer_write(target, "+OK\r\n", 5);
	for (int i = 0; i < count; i++)
		peer_write(target, "+QUEUED\r\n", 9);
	peer_say(target, "$-1\r\n");
}

/* Let time pass; the master's channel lives. */
static void
pass(int64_t us)
{
	for (int64_t step; us > 0; us -= step) {
		step = us < SECOND ? us : SECOND;
		fake_pass(step);
		while (peer_coming(channel) && peer_command(channel))
			peer_say(channel, "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
	}
}

static void
start(const char *settings)
{
	config = config_of(settings);
	distributor = distributor_new(loop, dialer, &config->distributor);
	ck_assert_ptr_nonnull(distributor);
}

static void
stop(void)
{
	distributor_free(distributor);
	distributor = NULL;
	config_free(config);
	peer_free(master);
	peer_free(channel);
	peer_free(one);
	peer_free(two);
	master = channel = one = two = NULL;
}

static void
set_up(void)
{
	fake_start();
	loop = loop_new(&no_events, NULL);
	dialer = dialer_new(loop);
	master = channel = one = two = NULL;
	start(SERVERS);
}

static void
tear_down(void)
{
	stop();
	dialer_free(dialer);
	loop_free(loop);
	fake_end();
}

/* All connect; the master has ${members}, and was read twice: once connected,
 * and once subscribed. */
static void
connect_all(const char *members)
{
	accept_target(&one, ONE);
	if (fake_dials(TWO) > 0)
		accept_target(&two, TWO);
	accept_master();
	accept_master();
	acknowledge();
	master_has(members);
	master_has(members);
}

/* The same, and the target has them too. */
static void
connect_equal(void)
{
	connect_all("a b");
	target_has(one, "a 10 b 20");
	ck_assert_str_eq(peer_commands(one), "UNWATCH");
	peer_say(one, "+OK\r\n");
}

/*
 * Copies.
 */

START_TEST(copies_what_the_master_has)
{
	connect_all("a b");
	target_has(one, "");
	ck_assert_str_eq(peer_commands(one),
	    "MULTI, ZADD limits 10 a 20 b, PUBLISH control reload, EXEC");
	execute(one, 2);
	ck_assert_str_eq(peer_commands(one), "");
}
END_TEST

START_TEST(removes_what_the_master_has_not)
{
	connect_all("a b");
	target_has(one, "x 10 a 20 y 30");
	ck_assert_str_eq(peer_commands(one),
	    "MULTI, ZREM limits x y, ZADD limits 10 a 20 b, "
	    "PUBLISH control reload, EXEC");
}
END_TEST

START_TEST(order_is_a_difference)
{
	connect_all("a b");
	target_has(one, "b 10 a 20");
	ck_assert_str_eq(peer_commands(one),
	    "MULTI, ZADD limits 10 a 20 b, PUBLISH control reload, EXEC");
}
END_TEST

START_TEST(equal_target_is_left_alone)
{
	connect_all("a b");
	target_has(one, "a 10 b 20");
	ck_assert_str_eq(peer_commands(one), "UNWATCH");
	peer_say(one, "+OK\r\n");
	fake_log();
	pass(30 * SECOND);
	master_has("a b");
	target_has(one, "a 10 b 20");
	ck_assert_str_eq(peer_commands(one), "UNWATCH");
	ck_assert_str_eq(fake_log(), "");
}
END_TEST

START_TEST(poll_finds_what_was_not_announced)
{
	connect_equal();
	pass(30 * SECOND - 1);
	ck_assert_str_eq(peer_commands(master), "");
	pass(1);
	ck_assert_str_eq(peer_commands(one), "");
	master_has("c");
	target_has(one, "a 10 b 20");
	ck_assert_str_eq(peer_commands(one),
	    "MULTI, ZREM limits a b, ZADD limits 10 c, "
	    "PUBLISH control reload, EXEC");
	execute(one, 3);
	pass(30 * SECOND);
	master_has("c");
	target_has(one, "c 10");
	ck_assert_str_eq(peer_commands(one), "UNWATCH");
}
END_TEST

START_TEST(copy_is_announced_with_the_spread_of_the_settings)
{
	stop();
	start(SERVERS "[config]\nreload_spread = 60s\n");
	connect_all("a");
	target_has(one, "");
	ck_assert_str_eq(peer_commands(one),
	    "MULTI, ZADD limits 10 a, PUBLISH control reload:spread:60, EXEC");
}
END_TEST

/*
 * Messages.
 */

START_TEST(reload_copies_and_announces_at_once)
{
	connect_equal();
	publish("reload:spread:7");
	master_has("a c");
	target_has(one, "a 10 b 20");
	ck_assert_str_eq(peer_commands(one),
	    "MULTI, ZREM limits b, ZADD limits 10 a 20 c, "
	    "PUBLISH control reload:spread:7, EXEC");
	execute(one, 3);
	ck_assert_str_eq(peer_commands(one), "");
}
END_TEST

/* The daemons there are asked for a reload, whether there is news or not. */
START_TEST(reload_without_news_is_announced)
{
	connect_equal();
	publish("reload");
	master_has("a b");
	target_has(one, "a 10 b 20");
	ck_assert_str_eq(peer_commands(one), "UNWATCH, PUBLISH control reload");
}
END_TEST

/* All of them will have reloaded in time. */
START_TEST(weaker_reload_without_news_is_not_announced_again)
{
	connect_equal();
	publish("reload:spread:10");
	master_has("a b");
	target_has(one, "a 10 b 20");
	ck_assert_str_eq(
	    peer_commands(one), "UNWATCH, PUBLISH control reload:spread:10");
	peer_say(one, "+OK\r\n:1\r\n");
	pass(SECOND);
	publish("reload:spread:9.5");
	master_has("a b");
	target_has(one, "a 10 b 20");
	ck_assert_str_eq(peer_commands(one), "UNWATCH");
	peer_say(one, "+OK\r\n");
	publish("reload:spread:8");
	master_has("a b");
	target_has(one, "a 10 b 20");
	ck_assert_str_eq(
	    peer_commands(one), "UNWATCH, PUBLISH control reload:spread:8");
	peer_say(one, "+OK\r\n:1\r\n");
}
END_TEST

START_TEST(weaker_reload_is_forgotten)
{
	connect_equal();
	publish("reload:spread:10");
	master_has("a b");
	target_has(one, "a 10 b 20");
	peer_commands(one);
	peer_say(one, "+OK\r\n:1\r\n");
	publish("reload:spread:60");
	master_has("a b");
	target_has(one, "a 10 b 20");
	ck_assert_str_eq(peer_commands(one), "UNWATCH");
	peer_say(one, "+OK\r\n");
	pass(30 * SECOND);
	master_has("a");
	target_has(one, "a 10 b 20");
	ck_assert_str_eq(peer_commands(one),
	    "MULTI, ZREM limits b, ZADD limits 10 a, "
	    "PUBLISH control reload, EXEC");
}
END_TEST

/* The key may have changed after the read that is under way. */
START_TEST(reload_during_a_read_makes_another)
{
	connect_equal();
	publish("reload:spread:60");
	publish("reload:spread:5");
	publish("reload:spread:50");
	master_has("a c");
	ck_assert_str_eq(peer_commands(one), READS);
	master_has("a d");
	/* What it has is compared with the newest. */
	target_says(one, "a 10 b 20", "");
	ck_assert_str_eq(peer_commands(one),
	    "MULTI, ZREM limits b, ZADD limits 10 a 20 d, "
	    "PUBLISH control reload:spread:5, EXEC");
	execute(one, 3);
	ck_assert_str_eq(peer_commands(master), "");
}
END_TEST

START_TEST(reload_during_a_copy_makes_another)
{
	connect_equal();
	publish("reload:spread:60");
	master_has("c");
	target_has(one, "a 10 b 20");
	peer_commands(one);
	publish("reload:spread:70");
	master_has("d");
	ck_assert_str_eq(peer_commands(one), "");
	execute(one, 3);
	target_has(one, "c 10");
	ck_assert_str_eq(peer_commands(one),
	    "MULTI, ZREM limits c, ZADD limits 10 d, "
	    "PUBLISH control reload:spread:70, EXEC");
	execute(one, 3);
	ck_assert_str_eq(peer_commands(one), "");
}
END_TEST

START_TEST(other_messages_are_forwarded)
{
	connect_equal();
	publish("ping:where:data");
	publish("whatever");
	publish("_internal");
	publish("ping:");
	ck_assert_str_eq(peer_commands(one),
	    "PUBLISH control ping:where:data, PUBLISH control whatever, "
	    "PUBLISH control ping");
	ck_assert_str_eq(peer_commands(master), "");
}
END_TEST

START_TEST(what_cannot_be_forwarded_is_lost_and_counted)
{
	connect_equal();
	publish("whatever");
	peer_say(one, ":1\r\n");
	publish("whatever");
	peer_close(one);
	publish("whatever");
	fake_log();
	pass(30 * SECOND);
	ck_assert_ptr_nonnull(
	    strstr(fake_log(), "failures 1, forwarded 1, lost 2\n"));
}
END_TEST

/* 8 MiB of messages, of which each counts for 100 bytes more. */
START_TEST(forwarded_messages_are_bounded)
{
	static char message[901];
	int room = (8 << 20) / 1000;

	memset(message, 'x', sizeof(message) - 1);
	connect_equal();
	for (int i = 0; i < room + 5; i++)
		publish(message);
	while (*peer_heard(one) != '\0')
		fake_run();
	for (int i = 0; i < room; i++)
		peer_say(one, ":1\r\n");
	publish(message);
	ck_assert_str_eq(peer_command(one), "PUBLISH control ...");
	peer_say(one, ":1\r\n");
	distributor_free(distributor);
	distributor = NULL;
	ck_assert_ptr_nonnull(strstr(fake_log(), "forwarded 8389, lost 5\n"));
}
END_TEST

/*
 * Conflicts and errors.
 */

START_TEST(conflict_is_tried_again_at_once)
{
	connect_equal();
	publish("reload:spread:7");
	master_has("c");
	for (int i = 0; i < 9; i++) {
		target_has(one, "x 10");
		ck_assert_str_eq(peer_commands(one),
		    "MULTI, ZREM limits x, ZADD limits 10 c, "
		    "PUBLISH control reload:spread:7, EXEC");
		conflict(one, 3);
	}
	target_has(one, "x 10");
	peer_commands(one);
	execute(one, 3);
	ck_assert_str_eq(peer_commands(one), "");
}
END_TEST

START_TEST(conflict_that_does_not_end_waits_for_the_poll)
{
	connect_equal();
	publish("reload:spread:7");
	master_has("c");
	for (int i = 0; i < 10; i++) {
		target_has(one, "x 10");
		peer_commands(one);
		conflict(one, 3);
	}
	ck_assert_str_eq(peer_commands(one), "");
	pass(30 * SECOND);
	master_has("c");
	target_has(one, "x 10");
	ck_assert_str_eq(peer_commands(one), /* and the notice was kept */
	    "MULTI, ZREM limits x, ZADD limits 10 c, "
	    "PUBLISH control reload:spread:7, EXEC");
}
END_TEST

/* Another client copied the same: the notice was not published, though. */
START_TEST(notice_is_published_after_a_conflict_that_left_no_difference)
{
	connect_equal();
	publish("reload:spread:7");
	master_has("c");
	target_has(one, "x 10");
	peer_commands(one);
	conflict(one, 3);
	target_has(one, "c 10");
	ck_assert_str_eq(
	    peer_commands(one), "UNWATCH, PUBLISH control reload:spread:7");
}
END_TEST

START_TEST(error_in_a_copy_waits_for_the_poll)
{
	connect_equal();
	publish("reload:spread:7");
	master_has("c");
	target_has(one, "");
	peer_commands(one);
	peer_say(
	    one, "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n-NOPERM no\r\n");
	ck_assert_str_eq(peer_commands(one), "");
	pass(30 * SECOND);
	master_has("c");
	target_has(one, "c 10");
	ck_assert_str_eq(
	    peer_commands(one), "UNWATCH, PUBLISH control reload:spread:7");
}
END_TEST

START_TEST(refused_notice_is_published_later)
{
	connect_equal();
	publish("reload:spread:7");
	master_has("a b");
	target_has(one, "a 10 b 20");
	peer_commands(one);
	peer_say(one, "+OK\r\n-NOPERM no\r\n");
	pass(30 * SECOND);
	master_has("a b");
	target_has(one, "a 10 b 20");
	ck_assert_str_eq(
	    peer_commands(one), "UNWATCH, PUBLISH control reload:spread:7");
	peer_say(one, "+OK\r\n:1\r\n");
	pass(30 * SECOND);
	master_has("a b");
	target_has(one, "a 10 b 20");
	ck_assert_str_eq(peer_commands(one), "UNWATCH");
}
END_TEST

START_TEST(key_that_is_no_sorted_set_is_left_alone)
{
	connect_all("a");
	ck_assert_str_eq(peer_commands(one), READS);
	peer_say(one, "+OK\r\n+OK\r\n*0\r\n-WRONGTYPE no\r\n");
	ck_assert_str_eq(peer_commands(one), "UNWATCH");
	ck_assert(!peer_is_left(one));
}
END_TEST

START_TEST(target_that_is_a_replica_is_left)
{
	connect_all("a");
	target_has(one, "");
	peer_commands(one);
	peer_say(
	    one, "+OK\r\n-READONLY no\r\n-READONLY no\r\n-EXECABORT no\r\n");
	ck_assert(peer_is_left(one));
	fake_pass(25 * MS);
	accept_target(&one, ONE);
	target_has(one, "");
}
END_TEST

/*
 * Targets that are down.
 */

START_TEST(target_gets_the_members_once_it_is_back)
{
	connect_equal();
	peer_close(one);
	publish("reload:spread:7");
	master_has("c");
	fake_pass(25 * MS);
	accept_target(&one, ONE);
	target_has(one, "a 10 b 20");
	ck_assert_str_eq(peer_commands(one),
	    "MULTI, ZREM limits a b, ZADD limits 10 c, "
	    "PUBLISH control reload:spread:7, EXEC");
}
END_TEST

/* Whether the transaction was carried out is not known: if it was, its notice
 * may not have been heard. */
START_TEST(notice_of_a_lost_copy_is_published_once_back)
{
	connect_equal();
	publish("reload:spread:7");
	master_has("c");
	target_has(one, "a 10 b 20");
	peer_commands(one);
	peer_close(one);
	fake_pass(25 * MS);
	accept_target(&one, ONE);
	target_has(one, "c 10");
	ck_assert_str_eq(
	    peer_commands(one), "UNWATCH, PUBLISH control reload:spread:7");
	peer_say(one, "+OK\r\n:1\r\n");
	pass(30 * SECOND);
	master_has("c");
	target_has(one, "c 10");
	ck_assert_str_eq(peer_commands(one), "UNWATCH"); /* once */
}
END_TEST

START_TEST(acknowledged_notice_is_not_repeated)
{
	connect_equal();
	publish("reload:spread:7");
	master_has("a b");
	target_has(one, "a 10 b 20");
	peer_commands(one);
	peer_say(one, "+OK\r\n:1\r\n");
	peer_close(one);
	fake_pass(25 * MS);
	accept_target(&one, ONE);
	target_has(one, "a 10 b 20");
	ck_assert_str_eq(peer_commands(one), "UNWATCH");
}
END_TEST

START_TEST(notice_of_a_copy_is_not_repeated)
{
	connect_equal();
	publish("reload:spread:7");
	master_has("c");
	target_has(one, "");
	peer_commands(one);
	execute(one, 2);
	peer_close(one);
	fake_pass(25 * MS);
	accept_target(&one, ONE);
	target_has(one, "c 10");
	ck_assert_str_eq(peer_commands(one), "UNWATCH");
}
END_TEST

/* A server that was away may have lost what was sent before. */
START_TEST(notice_that_waited_is_published_though_it_is_weaker)
{
	connect_equal();
	publish("reload:spread:10");
	master_has("a b");
	target_has(one, "a 10 b 20");
	peer_commands(one);
	peer_say(one, "+OK\r\n:1\r\n");
	peer_close(one);
	publish("reload:spread:60");
	master_has("a b");
	fake_pass(25 * MS);
	accept_target(&one, ONE);
	target_has(one, "a 10 b 20");
	ck_assert_str_eq(
	    peer_commands(one), "UNWATCH, PUBLISH control reload:spread:60");
}
END_TEST

START_TEST(target_is_read_once_when_it_is_back)
{
	connect_equal();
	publish("reload:spread:60");
	master_has("c");
	target_has(one, "a 10 b 20");
	peer_commands(one);
	publish("reload:spread:70");
	master_has("d");
	peer_close(one); /* to be read again after the copy */
	fake_pass(25 * MS);
	accept_target(&one, ONE);
	target_has(one, "c 10");
	ck_assert_str_eq(peer_commands(one),
	    "MULTI, ZREM limits c, ZADD limits 10 d, "
	    "PUBLISH control reload:spread:60, EXEC");
	execute(one, 3);
	ck_assert_str_eq(peer_commands(one), "");
}
END_TEST

START_TEST(backoff_ends_when_the_target_has_the_members)
{
	connect_equal();
	peer_close(one);
	ck_assert_int_eq(fake_chance_bound(), 50 * MS);
	fake_pass(25 * MS);
	accept_target(&one, ONE);
	peer_close(one);
	ck_assert_int_eq(fake_chance_bound(), 100 * MS);
	fake_pass(50 * MS);
	accept_target(&one, ONE);
	target_has(one, "a 10 b 20");
	peer_close(one);
	ck_assert_int_eq(fake_chance_bound(), 50 * MS);
}
END_TEST

START_TEST(backoff_ends_when_the_master_was_read)
{
	connect_equal();
	peer_close(master);
	ck_assert_int_eq(fake_chance_bound(), 50 * MS);
	fake_pass(25 * MS);
	accept_master();
	peer_close(master);
	ck_assert_int_eq(fake_chance_bound(), 100 * MS);
	fake_pass(50 * MS);
	accept_master();
	master_has("a b");
	peer_close(master);
	ck_assert_int_eq(fake_chance_bound(), 50 * MS);
}
END_TEST

START_TEST(strongest_notice_waits_for_the_target)
{
	connect_equal();
	peer_close(one);
	publish("reload:spread:70");
	master_has("a b");
	publish("reload:spread:7");
	master_has("a b");
	publish("reload:spread:70");
	master_has("a b");
	fake_pass(25 * MS);
	accept_target(&one, ONE);
	target_has(one, "a 10 b 20");
	ck_assert_str_eq(
	    peer_commands(one), "UNWATCH, PUBLISH control reload:spread:7");
}
END_TEST

START_TEST(target_that_is_down_delays_no_other)
{
	stop();
	start(SERVERS SECOND_TARGET);
	connect_all("a");
	target_has(one, "");
	ck_assert_str_eq(peer_commands(two), READS);
	peer_close(two);
	ck_assert_str_eq(peer_commands(one),
	    "MULTI, ZADD limits 10 a, PUBLISH control reload, EXEC");
	execute(one, 2);
	publish("reload");
	master_has("b");
	target_has(one, "a 10");
	ck_assert_str_eq(peer_commands(one),
	    "MULTI, ZREM limits a, ZADD limits 10 b, "
	    "PUBLISH control reload, EXEC");
	fake_pass(25 * MS);
	accept_target(&two, TWO);
	target_has(two, "");
	ck_assert_str_eq(peer_commands(two),
	    "MULTI, ZADD limits 10 b, PUBLISH control reload, EXEC");
}
END_TEST

START_TEST(silent_target_is_left)
{
	connect_all("a");
	ck_assert_str_eq(peer_commands(one), READS);
	pass(5 * SECOND);
	ck_assert(peer_is_left(one));
	fake_pass(25 * MS);
	accept_target(&one, ONE);
	ck_assert_str_eq(peer_commands(one), READS);
}
END_TEST

/*
 * The master.
 */

/* An accident on one server must not become one on all. */
START_TEST(empty_key_is_not_copied)
{
	connect_equal();
	publish("reload:spread:7");
	master_has("");
	/* Targets are held to what the master had. */
	target_has(one, "x 10");
	ck_assert_str_eq(peer_commands(one),
	    "MULTI, ZREM limits x, ZADD limits 10 a 20 b, "
	    "PUBLISH control reload, EXEC");
	execute(one, 3);
	pass(30 * SECOND);
	master_has("c");
	target_has(one, "a 10 b 20");
	ck_assert_str_eq(peer_commands(one), /* and the notice was kept */
	    "MULTI, ZREM limits a b, ZADD limits 10 c, "
	    "PUBLISH control reload:spread:7, EXEC");
}
END_TEST

START_TEST(empty_key_is_not_copied_at_the_start)
{
	connect_all("");
	ck_assert_str_eq(peer_commands(one), "");
}
END_TEST

START_TEST(targets_are_held_to_what_a_lost_master_had)
{
	connect_equal();
	peer_close(master);
	peer_close(channel);
	fake_pass(25 * MS);
	ck_assert_uint_eq(fake_dials(MASTER), 2);
	fake_pass(30 * SECOND);
	target_has(one, "x 10");
	ck_assert_str_eq(peer_commands(one),
	    "MULTI, ZREM limits x, ZADD limits 10 a 20 b, "
	    "PUBLISH control reload, EXEC");
}
END_TEST

START_TEST(reload_survives_the_loss_of_the_master)
{
	connect_equal();
	publish("reload:spread:7");
	ck_assert_str_eq(peer_commands(master), READS_LIMITS);
	peer_close(master);
	fake_pass(25 * MS);
	accept_master();
	master_has("a b");
	target_has(one, "a 10 b 20");
	ck_assert_str_eq(
	    peer_commands(one), "UNWATCH, PUBLISH control reload:spread:7");
}
END_TEST

START_TEST(master_is_read_after_each_reconnect_of_the_channel)
{
	connect_equal();
	peer_close(channel);
	fake_pass(25 * MS);
	ck_assert_str_eq(peer_commands(master), "");
	accept_master();
	ck_assert_str_eq(peer_commands(master), "");
	acknowledge();
	master_has("a b");
}
END_TEST

START_TEST(master_that_is_not_the_one_is_left)
{
	connect_equal();
	publish("reload");
	peer_commands(master);
	peer_say(master, "-MASTERDOWN no\r\n");
	ck_assert(peer_is_left(master));
}
END_TEST

START_TEST(caller_may_have_the_master_read)
{
	connect_equal();
	distributor_reload(distributor);
	fake_run();
	master_has("c");
	target_has(one, "c 10");
	ck_assert_str_eq(peer_commands(one), "UNWATCH");
}
END_TEST

/*
 * Overrides.
 */

/* Both have the limit "a", and the target has these overrides. */
static void
read_overrides(const char *masters, const char *targets)
{
	publish("reload:immediate");
	master_has_both("a b", masters);
	target_has_both(one, "a 10 b 20", targets);
}

START_TEST(overrides_are_copied_without_the_limits)
{
	connect_equal();
	read_overrides("x deny y x10", "");
	ck_assert_str_eq(peer_commands(one),
	    "MULTI, DEL limits:overrides, HSET limits:overrides x deny y x10, "
	    "PUBLISH control reload:immediate, EXEC");
	execute(one, 3);
	ck_assert_ptr_nonnull(
	    strstr(fake_log(), "target one: copied 2 overrides\n"));
	read_overrides("y x10", "x deny y x10");
	ck_assert_str_eq(peer_commands(one),
	    "MULTI, DEL limits:overrides, HSET limits:overrides y x10, "
	    "PUBLISH control reload:immediate, EXEC");
	execute(one, 3);
	read_overrides("", "y x10");
	ck_assert_str_eq(peer_commands(one),
	    "MULTI, DEL limits:overrides, PUBLISH control reload:immediate, "
	    "EXEC");
	execute(one, 2);
}
END_TEST

START_TEST(overrides_are_copied_with_the_limits)
{
	connect_equal();
	publish("reload");
	master_has_both("c", "x deny");
	target_has_both(one, "a 10", "y deny");
	ck_assert_str_eq(peer_commands(one),
	    "MULTI, ZREM limits a, ZADD limits 10 c, DEL limits:overrides, "
	    "HSET limits:overrides x deny, PUBLISH control reload, EXEC");
}
END_TEST

/* A hash has no order. */
START_TEST(equal_overrides_are_left_alone)
{
	connect_equal();
	pass(30 * SECOND);
	master_has_both("a b", "x deny y allow");
	target_has_both(one, "a 10 b 20", "y allow x deny");
	ck_assert_str_eq(peer_commands(one), "UNWATCH");
	peer_say(one, "+OK\r\n");
	pass(30 * SECOND);
	master_has_both("a b", "x deny y allow");
	target_has_both(one, "a 10 b 20", "y deny x allow");
	ck_assert_str_eq(peer_commands(one),
	    "MULTI, DEL limits:overrides, HSET limits:overrides x deny y "
	    "allow, "
	    "PUBLISH control reload, EXEC");
}
END_TEST

START_TEST(overrides_of_an_empty_master_are_not_copied)
{
	connect_equal();
	pass(30 * SECOND);
	master_has_both("a b", "x deny");
	target_has_both(one, "a 10 b 20", "x deny");
	ck_assert_str_eq(peer_commands(one), "UNWATCH");
	peer_say(one, "+OK\r\n");
	pass(30 * SECOND);
	master_has_both("", "");
	target_has_both(one, "a 10 b 20", "x deny");
	ck_assert_str_eq(peer_commands(one), "UNWATCH");
}
END_TEST

/* The master has the limit "c" only; and its overrides are this reply. */
static void
master_says_of_overrides(const char *reply)
{
	ck_assert_str_eq(peer_commands(master), READS_LIMITS);
	write_list(master, "c");
	fake_run();
	ck_assert_str_eq(peer_commands(master), READS_OVERRIDES);
	peer_say(master, "%s", reply);
}

/* The key is no hash, or this user may not read it, or there are too many. */
START_TEST(overrides_that_cannot_be_read_keep_no_limits_back)
{
	static char many[2 * 202 + 1];

	for (int i = 0; i < 202; i++)
		strcat(many, "x ");
	connect_equal();
	read_overrides("x deny", "x deny");
	peer_commands(one);
	peer_say(one, "+OK\r\n:1\r\n");
	publish("reload");
	master_says_of_overrides("-WRONGTYPE no\r\n");
	target_has_both(one, "a 10", "x deny");
	ck_assert_str_eq(peer_commands(one),
	    "MULTI, ZREM limits a, ZADD limits 10 c, PUBLISH control reload, "
	    "EXEC");
	execute(one, 3);
	publish("reload");
	master_has_both("d", many);
	target_has_both(one, "c 10", "x deny");
	ck_assert_str_eq(peer_commands(one),
	    "MULTI, ZREM limits c, ZADD limits 10 d, PUBLISH control reload, "
	    "EXEC");
}
END_TEST

START_TEST(limits_are_copied_where_overrides_are_too_large_a_reply)
{
	connect_equal();
	publish("reload:spread:7");
	master_says_of_overrides("*99999999\r\n");
	ck_assert(peer_is_left(master));
	target_has(one, "a 10 b 20");
	ck_assert_str_eq(peer_commands(one),
	    "MULTI, ZREM limits a b, ZADD limits 10 c, "
	    "PUBLISH control reload:spread:7, EXEC");
}
END_TEST

START_TEST(target_that_refuses_overrides_gets_the_limits)
{
	connect_equal();
	publish("reload");
	master_has_both("c", "x deny");
	ck_assert_str_eq(peer_commands(one), READS);
	peer_say(one, "+OK\r\n-NOPERM no\r\n-NOPERM no\r\n*0\r\n");
	ck_assert_str_eq(peer_commands(one),
	    "MULTI, ZADD limits 10 c, PUBLISH control reload, EXEC");
	ck_assert_ptr_nonnull(strstr(
	    fake_log(), "target one: overrides not copied: NOPERM no\n"));
}
END_TEST

START_TEST(ends_at_any_time)
{
	connect_equal();
	publish("reload");
	master_has("c");
	target_has(one, "");
	publish("whatever");
	publish("reload");
}
END_TEST

Suite *
distributor_suite(void)
{
	Suite *suite = suite_create("distributor");
	TCase *tcase = tcase_create("distributor");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, copies_what_the_master_has);
	tcase_add_test(tcase, removes_what_the_master_has_not);
	tcase_add_test(tcase, order_is_a_difference);
	tcase_add_test(tcase, equal_target_is_left_alone);
	tcase_add_test(tcase, poll_finds_what_was_not_announced);
	tcase_add_test(
	    tcase, copy_is_announced_with_the_spread_of_the_settings);
	tcase_add_test(tcase, reload_copies_and_announces_at_once);
	tcase_add_test(tcase, reload_without_news_is_announced);
	tcase_add_test(
	    tcase, weaker_reload_without_news_is_not_announced_again);
	tcase_add_test(tcase, weaker_reload_is_forgotten);
	tcase_add_test(tcase, reload_during_a_read_makes_another);
	tcase_add_test(tcase, reload_during_a_copy_makes_another);
	tcase_add_test(tcase, other_messages_are_forwarded);
	tcase_add_test(tcase, what_cannot_be_forwarded_is_lost_and_counted);
	tcase_add_test(tcase, forwarded_messages_are_bounded);
	tcase_add_test(tcase, conflict_is_tried_again_at_once);
	tcase_add_test(tcase, conflict_that_does_not_end_waits_for_the_poll);
	tcase_add_test(tcase,
	    notice_is_published_after_a_conflict_that_left_no_difference);
	tcase_add_test(tcase, error_in_a_copy_waits_for_the_poll);
	tcase_add_test(tcase, refused_notice_is_published_later);
	tcase_add_test(tcase, key_that_is_no_sorted_set_is_left_alone);
	tcase_add_test(tcase, target_that_is_a_replica_is_left);
	tcase_add_test(tcase, target_gets_the_members_once_it_is_back);
	tcase_add_test(tcase, notice_of_a_lost_copy_is_published_once_back);
	tcase_add_test(tcase, acknowledged_notice_is_not_repeated);
	tcase_add_test(tcase, notice_of_a_copy_is_not_repeated);
	tcase_add_test(
	    tcase, notice_that_waited_is_published_though_it_is_weaker);
	tcase_add_test(tcase, target_is_read_once_when_it_is_back);
	tcase_add_test(tcase, backoff_ends_when_the_target_has_the_members);
	tcase_add_test(tcase, backoff_ends_when_the_master_was_read);
	tcase_add_test(tcase, strongest_notice_waits_for_the_target);
	tcase_add_test(tcase, target_that_is_down_delays_no_other);
	tcase_add_test(tcase, silent_target_is_left);
	tcase_add_test(tcase, empty_key_is_not_copied);
	tcase_add_test(tcase, empty_key_is_not_copied_at_the_start);
	tcase_add_test(tcase, targets_are_held_to_what_a_lost_master_had);
	tcase_add_test(tcase, reload_survives_the_loss_of_the_master);
	tcase_add_test(
	    tcase, master_is_read_after_each_reconnect_of_the_channel);
	tcase_add_test(tcase, master_that_is_not_the_one_is_left);
	tcase_add_test(tcase, caller_may_have_the_master_read);
	tcase_add_test(tcase, overrides_are_copied_without_the_limits);
	tcase_add_test(tcase, overrides_are_copied_with_the_limits);
	tcase_add_test(tcase, equal_overrides_are_left_alone);
	tcase_add_test(tcase, overrides_of_an_empty_master_are_not_copied);
	tcase_add_test(
	    tcase, overrides_that_cannot_be_read_keep_no_limits_back);
	tcase_add_test(
	    tcase, limits_are_copied_where_overrides_are_too_large_a_reply);
	tcase_add_test(tcase, target_that_refuses_overrides_gets_the_limits);
	tcase_add_test(tcase, ends_at_any_time);
	suite_add_tcase(suite, tcase);
	return suite;
}
