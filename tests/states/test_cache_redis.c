#include "fake/fake.h"
#include "fake/note.h"
#include "fake/peer.h"
#include "suites.h"

#include "base/clock.h"
#include "redis/topology.h"
#include "upstream/cache_redis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND INT64_C(1000000)

static const struct loop_events no_events;
static struct shard_options options;
static struct topology topology;
static struct loop *loop;
static struct dialer *dialer;
static struct cache_redis *redis;
static struct peer *server, *channel;

static void
on_purged(void *arg, const char *name, const char *glob)
{
	(void)arg;
	note("purged %s %s", name ? name : "all", glob ? glob : "-");
}

static void
subscribe(void)
{
	channel = peer_accept("/redis");
	peer_greet(channel);
	ck_assert_str_eq(peer_commands(channel), "SUBSCRIBE p:cache:purge");
	peer_say(
	    channel, "*3\r\n$9\r\nsubscribe\r\n$13\r\np:cache:purge\r\n:1\r\n");
}

static void
start(unsigned partitions)
{
	static const struct cache_redis_events events = {on_purged};

	ck_assert_int_eq(
	    topology_open(&topology,
		&(struct topology_options){.kind = "single",
		    .endpoint = {.unix_socket_path = "/redis", .host = ""},
		    .hosts = "",
		    .partitions = partitions}),
	    0);
	redis = cache_redis_new(loop, dialer, &options, &events, NULL);
	ck_assert_ptr_nonnull(redis);
	server = peer_accept("/redis");
	peer_greet(server);
	subscribe();
	noted();
}

static void
set_up(void)
{
	fake_start();
	options = (struct shard_options){
	    .link = {.password = "",
		.connect_timeout_us = SECOND,
		.socket_timeout_us = SECOND},
	    .prefix = "p:",
	    .topology = &topology,
	};
	loop = loop_new(&no_events, NULL);
	dialer = dialer_new(loop);
}

static void
tear_down(void)
{
	cache_redis_free(redis);
	redis = NULL;
	topology_close(&topology);
	topology = (struct topology){0};
	peer_free(server);
	peer_free(channel);
	dialer_free(dialer);
	loop_free(loop);
	fake_end();
}

static struct part
part_of(const char *text)
{
	return (struct part){text, strlen(text)};
}

static struct headers
headers_of(const char *text)
{
	return (struct headers){text, strlen(text)};
}

static void
on_found(struct cache_lookup *lookup, struct stored_response *response)
{
	ck_assert_ptr_null(lookup->call);
	if (response)
		note("%s: %.*s, %.*s", lookup->name, (int)response->body.len,
		    response->body.bytes, (int)response->selecting.len,
		    response->selecting.bytes);
	else
		note("%s: none", lookup->name);
	response_unref(response);
}

static struct cache_lookup
lookup_of(const char *target, const char *request)
{
	return (struct cache_lookup){
	    .name = "up",
	    .target = part_of(target),
	    .request = headers_of(request),
	    .most = 100000,
	    .done = on_found,
	};
}

static void
look_up(struct cache_lookup *lookup)
{
	ck_assert_int_eq(cache_redis_find(redis, lookup), 0);
	cache_redis_flush(redis);
	fake_run();
}

static struct stored_response *
response_of(const char *selecting, const char *body)
{
	const int64_t now_us = clock_us();
	const struct freshness freshness = {
	    .received_us = now_us,
	    .fresh_until_us = now_us + 60 * SECOND,
	    .stale_until_us = now_us + 60 * SECOND,
	    .error_until_us = now_us + 60 * SECOND,
	    .kept_until_us = now_us + 60 * SECOND,
	};

	return response_new(200, &freshness, headers_of("A: 1\r\n"),
	    part_of(selecting), part_of(body));
}

static void
put(const char *target, const char *selecting, const char *body)
{
	struct stored_response *response = response_of(selecting, body);

	cache_redis_put(redis, "up", part_of(target), response, 1000);
	response_unref(response);
	cache_redis_flush(redis);
	fake_run();
}

/* The next command is a call of ${script} with these arguments. */
static void
check_call(const struct script *script, const char *arguments)
{
	char expected[500];

	snprintf(expected, sizeof(expected), "EVALSHA %s %s", script->sha,
	    arguments);
	ck_assert_str_eq(peer_commands(server), expected);
}

/* The value that was sent to be stored, the caller's to free. */
static char *
value_heard(void)
{
	const char *heard = peer_heard(server);
	const char *value = strstr(heard, "dripgate-response");

	ck_assert_ptr_nonnull(value);
	peer_say(server, ":0\r\n");
	return strndup(value, (size_t)(strstr(value, "body") + 4 - value));
}

static void
say_found(const char *value)
{
	peer_say(server, "*2\r\n$-1\r\n$%zu\r\n%s\r\n", strlen(value), value);
}

START_TEST(what_was_stored_is_found)
{
	struct cache_lookup lookup = lookup_of("/a?b", "");
	char *value;

	start(1);
	put("/a?b", "", "a body");
	value = value_heard();
	peer_commands(server);
	look_up(&lookup);
	ck_assert_str_eq(peer_commands(server), "HMGET p:cache:up:/a?b vary ");
	say_found(value);
	ck_assert_str_eq(noted(), "up: a body, ");
	free(value);
}
END_TEST

/* Look up what is stored as ${value}. */
static void
find(const char *target, const char *value)
{
	struct cache_lookup lookup = lookup_of(target, "");

	look_up(&lookup);
	peer_commands(server);
	say_found(value);
	ck_assert_str_eq(noted(), "up: a body, ");
}

START_TEST(uses_are_noted_together)
{
	char *value;

	start(1);
	put("/a", "", "a body");
	value = value_heard();
	peer_commands(server);
	find("/b", value);
	find("/a", value);
	find("/c?d", value);
	ck_assert_str_eq(peer_commands(server), "");
	fake_pass(SECOND / 10);
	check_call(&script_cache_touch, "1 p:cache:up: /b /a /c?d");
	peer_say(server, "$-1\r\n");
	fake_pass(SECOND);
	ck_assert_str_eq(peer_commands(server), "");
	free(value);
}
END_TEST

START_TEST(use_of_a_target_is_noted_once_a_second)
{
	char *value;

	start(1);
	put("/a", "", "a body");
	value = value_heard();
	peer_commands(server);
	for (unsigned i = 0; i < 2; i++) {
		find("/a", value);
		find("/a", value);
		fake_pass(SECOND / 10);
		check_call(&script_cache_touch, "1 p:cache:up: /a");
		peer_say(server, "$-1\r\n");
		find("/a", value);
		fake_pass(SECOND * 8 / 10);
		find("/a", value);
		ck_assert_str_eq(peer_commands(server), "");
		fake_pass(SECOND / 10);
	}
	free(value);
}
END_TEST

START_TEST(many_uses_do_not_wait)
{
	char target[8], *value;

	start(1);
	put("/a", "", "a body");
	value = value_heard();
	peer_commands(server);
	for (unsigned i = 0; i < 63; i++) {
		snprintf(target, sizeof(target), "/%u", i);
		find(target, value);
	}
	cache_redis_flush(redis);
	fake_run();
	ck_assert_str_eq(peer_commands(server), "");
	find("/a", value);
	cache_redis_flush(redis);
	fake_run();
	ck_assert_ptr_nonnull(
	    strstr(peer_commands(server), "1 p:cache:up: /0 /1"));
	free(value);
}
END_TEST

START_TEST(uses_are_noted_before_more_is_stored)
{
	char *value;
	const char *commands;

	start(1);
	put("/a", "", "a body");
	value = value_heard();
	peer_commands(server);
	find("/a", value);
	put("/b", "", "a body");
	commands = peer_commands(server);
	ck_assert_ptr_nonnull(strstr(commands, script_cache_touch.sha));
	ck_assert_ptr_nonnull(strstr(commands, script_cache_put.sha));
	ck_assert(strstr(commands, script_cache_touch.sha) <
		  strstr(commands, script_cache_put.sha));
	free(value);
}
END_TEST

START_TEST(what_is_too_long_is_a_miss)
{
	struct cache_lookup lookup = lookup_of("/a", "");
	char *value;

	start(1);
	put("/a", "", "a body");
	value = value_heard();
	peer_commands(server);
	lookup.most = strlen(value) - 1;
	look_up(&lookup);
	peer_commands(server);
	say_found(value);
	ck_assert_str_eq(noted(), "up: none");
	fake_pass(SECOND);
	ck_assert_str_eq(peer_commands(server), "");
	free(value);
}
END_TEST

START_TEST(what_is_not_there_is_a_miss)
{
	static const char *const replies[] = {
	    "-WRONGTYPE Operation against a key\r\n",
	    "-OOM command not allowed\r\n",
	    ":1\r\n",
	    "*0\r\n",
	    "*1\r\n:1\r\n",
	    "*1\r\n$0\r\n\r\n",
	    "*1\r\n$1\r\nx\r\n",
	    "$5\r\nhello\r\n",
	    "$0\r\n\r\n",
	    "$-1\r\n",
	    "*2\r\n$-1\r\n$-1\r\n",
	    "*2\r\n:1\r\n:1\r\n",
	    "*2\r\n$0\r\n\r\n$-1\r\n",
	    "*2\r\n$1\r\nx\r\n$-1\r\n",
	    "*2\r\n$-1\r\n$5\r\nhello\r\n",
	    "*2\r\n$-1\r\n$0\r\n\r\n",
	};

	start(1);
	for (size_t i = 0; i < COUNT(replies); i++) {
		struct cache_lookup lookup = lookup_of("/a", "");

		look_up(&lookup);
		peer_say(server, "%s", replies[i]);
		ck_assert_str_eq(noted(), "up: none");
	}
}
END_TEST

/* 5feb...: what selects it may be a secret, and is not seen in Redis. */
START_TEST(variant_is_found_by_a_second_call)
{
	struct cache_lookup lookup = lookup_of("/a", "Lang: de\r\n");
	char *value;

	start(1);
	put("/a", "lang:de\n", "a body");
	ck_assert_ptr_null(strstr(peer_coming(server), "lang:de"));
	value = value_heard();
	peer_commands(server);
	look_up(&lookup);
	ck_assert_str_eq(peer_commands(server), "HMGET p:cache:up:/a vary ");
	peer_say(server, "*2\r\n$5\r\nlang\n\r\n$-1\r\n");
	ck_assert_str_eq(noted(), "");
	ck_assert_str_eq(peer_commands(server), "HMGET p:cache:up:/a vary ...");
	peer_say(server, "*2\r\n$5\r\nlang\n\r\n$%zu\r\n%s\r\n", strlen(value),
	    value);
	ck_assert_str_eq(noted(), "up: a body, lang:de\n");
	/* No third one. */
	look_up(&lookup);
	peer_say(server, "*2\r\n$5\r\nlang\n\r\n$-1\r\n");
	peer_say(server, "*2\r\n$5\r\nlang\n\r\n$-1\r\n");
	ck_assert_str_eq(noted(), "up: none");
	free(value);
}
END_TEST

START_TEST(partitions_have_their_own_sets)
{
	struct cache_lookup lookup = lookup_of("/a", "");

	start(16);
	put("/a", "", "a body");
	ck_assert_ptr_nonnull(strstr(peer_coming(server), "}:/a p:cache:up:{"));
	peer_commands(server);
	peer_say(server, ":0\r\n");
	look_up(&lookup);
	ck_assert_ptr_nonnull(
	    strstr(peer_coming(server), "HMGET p:cache:up:{"));
	ck_assert_ptr_nonnull(strstr(peer_coming(server), "}:/a vary "));
	peer_say(server, "*2\r\n$-1\r\n$-1\r\n");
	ck_assert_str_eq(noted(), "up: none");
}
END_TEST

START_TEST(cancelled_lookup_is_not_told)
{
	struct cache_lookup lookup = lookup_of("/a", "");

	start(1);
	look_up(&lookup);
	cache_lookup_cancel(&lookup);
	cache_lookup_cancel(&lookup);
	peer_say(server, "$-1\r\n");
	ck_assert_str_eq(noted(), "");
}
END_TEST

START_TEST(lost_connection_is_a_miss)
{
	struct cache_lookup lookup = lookup_of("/a", "");

	start(1);
	look_up(&lookup);
	peer_close(server);
	ck_assert_str_eq(noted(), "up: none");
	ck_assert_int_eq(cache_redis_find(redis, &lookup), -1);
	put("/a", "", "a body");
	ck_assert_uint_eq(cache_redis_failed(redis), 1);
}
END_TEST

START_TEST(server_that_is_the_wrong_one_is_left_for_the_right_one)
{
	static const char *const replies[] = {
	    "-READONLY You can't write against a read only replica.\r\n",
	    "-MOVED 7 a:1\r\n",
	    "-LOADING Redis is loading\r\n",
	};
	struct cache_lookup lookup = lookup_of("/a", "");
	struct cache_lookup next = lookup_of("/b", "");

	start(1);
	look_up(&lookup);
	look_up(&next);
	peer_commands(server);
	peer_say(server, "%s", replies[_i]);
	ck_assert_str_eq(noted(), "up: none up: none");
	peer_free(server);
	fake_pass(SECOND);
	server = peer_accept("/redis");
	peer_greet(server);
	look_up(&lookup);
	ck_assert_ptr_nonnull(strstr(peer_commands(server), ":/a vary "));
	cache_lookup_cancel(&lookup);
}
END_TEST

START_TEST(end_tells_who_waits)
{
	struct cache_lookup lookup = lookup_of("/a", "");

	start(1);
	look_up(&lookup);
	put("/a", "", "a body");
	cache_redis_purge(redis, "up", "*");
	cache_redis_free(redis);
	redis = NULL;
	ck_assert_str_eq(noted(), "up: none");
}
END_TEST

START_TEST(full_redis_is_counted)
{
	start(1);
	put("/a", "", "a body");
	peer_commands(server);
	peer_say(server, "-OOM command not allowed\r\n");
	ck_assert_uint_eq(cache_redis_failed(redis), 1);
}
END_TEST

START_TEST(purge_walks_the_set_and_tells_all)
{
	start(1);
	cache_redis_purge(redis, "up", "/a*");
	fake_run();
	ck_assert_str_eq(
	    peer_commands(server), "ZSCAN p:cache:up: 0 COUNT 200");
	peer_say(server,
	    "*2\r\n$2\r\n17\r\n*6\r\n$2\r\n/a\r\n$1\r\n1\r\n$2\r\n/b\r\n"
	    "$1\r\n2\r\n$3\r\n/ac\r\n$1\r\n3\r\n");
	check_call(&script_cache_purge,
	    "3 p:cache:up: p:cache:up:/a p:cache:up:/ac /a /ac");
	peer_say(server, ":2\r\n");
	ck_assert_str_eq(
	    peer_commands(server), "ZSCAN p:cache:up: 17 COUNT 200");
	peer_say(server, "*2\r\n$1\r\n0\r\n*2\r\n$2\r\n/b\r\n$1\r\n1\r\n");
	ck_assert_str_eq(peer_commands(server), "PUBLISH p:cache:purge up /a*");
	peer_say(server, ":1\r\n");
	peer_say(channel,
	    "*3\r\n$7\r\nmessage\r\n$13\r\np:cache:purge\r\n$6\r\nup /a*\r\n");
	ck_assert_str_eq(noted(), "purged up /a*");
}
END_TEST

START_TEST(purge_that_fails_is_told_all_the_same)
{
	start(1);
	cache_redis_purge(redis, "up", "*");
	fake_run();
	peer_commands(server);
	peer_say(server, "-NOPERM\r\n");
	ck_assert_str_eq(peer_commands(server), "PUBLISH p:cache:purge up *");
}
END_TEST

START_TEST(foreign_messages_purge_nothing)
{
	start(1);
	peer_say(channel,
	    "*3\r\n$7\r\nmessage\r\n$13\r\np:cache:purge\r\n$2\r\nup\r\n");
	peer_say(channel,
	    "*3\r\n$7\r\nmessage\r\n$13\r\np:cache:purge\r\n$0\r\n\r\n");
	peer_say(channel,
	    "*3\r\n$7\r\nmessage\r\n$13\r\np:cache:purge\r\n$4\r\nup [\r\n");
	ck_assert_str_eq(noted(), "");
}
END_TEST

START_TEST(what_was_not_heard_counts_as_purged)
{
	start(1);
	peer_close(channel);
	peer_free(channel);
	ck_assert_str_eq(noted(), "");
	fake_pass(SECOND);
	subscribe();
	ck_assert_str_eq(noted(), "purged all -");
}
END_TEST

Suite *
cache_redis_suite(void)
{
	Suite *suite = suite_create("cache_redis");
	TCase *tcase = tcase_create("cache_redis");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, what_was_stored_is_found);
	tcase_add_test(tcase, uses_are_noted_together);
	tcase_add_test(tcase, use_of_a_target_is_noted_once_a_second);
	tcase_add_test(tcase, many_uses_do_not_wait);
	tcase_add_test(tcase, uses_are_noted_before_more_is_stored);
	tcase_add_test(tcase, what_is_too_long_is_a_miss);
	tcase_add_test(tcase, what_is_not_there_is_a_miss);
	tcase_add_test(tcase, variant_is_found_by_a_second_call);
	tcase_add_test(tcase, partitions_have_their_own_sets);
	tcase_add_test(tcase, cancelled_lookup_is_not_told);
	tcase_add_test(tcase, lost_connection_is_a_miss);
	tcase_add_loop_test(tcase,
	    server_that_is_the_wrong_one_is_left_for_the_right_one, 0, 3);
	tcase_add_test(tcase, end_tells_who_waits);
	tcase_add_test(tcase, full_redis_is_counted);
	tcase_add_test(tcase, purge_walks_the_set_and_tells_all);
	tcase_add_test(tcase, purge_that_fails_is_told_all_the_same);
	tcase_add_test(tcase, foreign_messages_purge_nothing);
	tcase_add_test(tcase, what_was_not_heard_counts_as_purged);
	suite_add_tcase(suite, tcase);
	return suite;
}
