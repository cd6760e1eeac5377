/*
 * What talks to Redis runs out of memory: it goes on, or says that it cannot.
 */
#include "scarce.h"
#include "server.h"
#include "suites.h"

#include "base/attr.h"
#include "base/clock.h"
#include "control/roster.h"
#include "control/subscriber.h"
#include "fake/fake.h"
#include "fake/note.h"
#include "fake/peer.h"
#include "limit/rules.h"
#include "redis/link.h"
#include "redis/topology.h"
#include "states/serving.h"
#include "stats/fleet_board.h"
#include "unit/secrets.h"
#include "upstream/cache_redis.h"
#include "upstream/cache_seal.h"
#include "upstream/response_value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECOND INT64_C(1000000)

static const struct loop_events no_events;
static struct loop *loop;
static struct dialer *dialer;

static void
set_up(void)
{
	fake_start();
	loop = loop_new(&no_events, NULL);
	dialer = dialer_new(loop);
	ck_assert(loop && dialer);
}

static void
tear_down(void)
{
	dialer_free(dialer);
	loop_free(loop);
	fake_end();
}

/*
 * Responses that are stored there.
 */

static struct part
part_of(const char *text)
{
	return (struct part){text, strlen(text)};
}

static void
on_found(struct cache_lookup *lookup, struct stored_response *response)
{
	ck_assert_ptr_null(lookup->call);
	note(response ? "found" : "none");
	response_unref(response);
}

static void
on_purged(void *arg, const char *name, const char *glob)
{
	(void)arg;
	(void)name;
	(void)glob;
}

/* Put, look up, remove and purge: each may fail, and none is left over.  Return
 * what was found. */
static const char *
use_cache(struct cache_redis *redis, struct stored_response *response)
{
	const char *found;
	struct cache_lookup lookup = {
	    .name = "up",
	    .target = part_of("/a"),
	    .most = 100000,
	    .done = on_found,
	};
	const bool finds = cache_redis_find(redis, &lookup) == 0;

	cache_redis_put(redis, "up", part_of("/a"), response, 1000);
	cache_redis_remove(redis, "up", part_of("/a"));
	cache_redis_purge(redis, "up", "/*");
	cache_redis_flush(redis);
	server_serve();
	found = noted();
	ck_assert_int_eq(*found != '\0', finds);
	return found;
}

static const char *const scans[] = {
    "*2\r\n$1\r\n0\r\n*2\r\n$2\r\n/a\r\n$2\r\n/b\r\n",
    "*2\r\n$1\r\n0\r\n*2\r\n:1\r\n:2\r\n",
    "*2\r\n$1\r\n0\r\n:1\r\n",
    "*2\r\n:0\r\n*0\r\n",
    "*2\r\n$40\r\n0123456789012345678901234567890123456789\r\n*0\r\n",
    "*1\r\n$1\r\n0\r\n",
    "-ERR no\r\n",
};

static struct key_secrets *secrets;

static struct key_secrets *
one_secret(void)
{
	struct reasons reasons = {0};
	struct key_secrets *one =
	    secrets_of("01234567890123456789012345678901\n", false, &reasons);

	ck_assert_ptr_nonnull(one);
	return one;
}

/* Have the server find it. */
static void
store(struct buf *reply, const struct stored_response *response)
{
	struct buf value = {0};

	ck_assert_int_eq(response_value_write(&value, response, 0), 0);
	ck_assert_int_eq(
	    buf_printf(reply, "*2\r\n$-1\r\n$%zu\r\n%.*s\r\n%c",
		buf_len(&value), (int)buf_len(&value), buf_data(&value), '\0'),
	    0);
	ck_assert_uint_eq(strlen(buf_data(reply)) + 1, buf_len(reply));
	server_finds(buf_data(reply));
	buf_free(&value);
}

static bool
cache_is_used(const void *arg)
{
	static const struct cache_redis_events events = {on_purged};
	const int64_t kept_us = clock_us() + 60 * SECOND;
	struct topology topology;
	const struct shard_options options = {
	    .link = {.password = "",
		.connect_timeout_us = SECOND,
		.socket_timeout_us = SECOND},
	    .prefix = "p:",
	    .secrets = secrets,
	    .topology = &topology,
	};
	struct stored_response *response = response_new(200,
	    &(struct freshness){.received_us = clock_us(),
		.fresh_until_us = kept_us,
		.stale_until_us = kept_us,
		.error_until_us = kept_us,
		.kept_until_us = kept_us},
	    (struct headers){"A: 1\r\n", 6}, part_of(""), part_of("a body"));
	/* What is sealed, and by whom, is none of the server's. */
	const char *expected = secrets ? "none" : "found";
	struct cache_redis *redis;
	struct buf stored = {0};
	bool used = false;

	server_replies(arg);
	ck_assert_ptr_nonnull(response);
	store(&stored, response);
	ck_assert_int_eq(
	    topology_open(&topology,
		&(struct topology_options){.kind = "single",
		    .endpoint = {.unix_socket_path = "/redis", .host = ""},
		    .hosts = "",
		    .partitions = 1}),
	    0);
	scarce_begin();
	redis = cache_redis_new(loop, dialer, &options, &events, NULL);
	if (redis) {
		server_serve();
		used = strcmp(use_cache(redis, response), expected) == 0;
	}
	scarce_end();
	/* What has failed once does not fail for good. */
	if (redis) {
		server_serve();
		ck_assert_str_eq(use_cache(redis, response), expected);
	}
	cache_redis_free(redis);
	response_unref(response);
	buf_free(&stored);
	topology_close(&topology);
	server_leave();
	return used;
}

START_TEST(stored_responses_are_of_use_again)
{
	scarce_each(cache_is_used, scans[_i]);
}
END_TEST

START_TEST(those_that_are_sealed_are_of_use_again)
{
	secrets = one_secret();
	scarce_each(cache_is_used, scans[0]);
	key_secrets_free(secrets);
	secrets = NULL;
}
END_TEST

/* What is sealed opens again. */
static bool
text_is_sealed(const void *arg)
{
	const struct part about = part_of("about"), text = part_of(arg);
	struct buf sealed = {0}, opened = {0};
	struct cache_seal *seal;
	bool done;

	scarce_begin();
	seal = cache_seal_new(secrets);
	done = seal && cache_seal_add(seal, about, text, &sealed) == 0 &&
	       cache_seal_open(seal, about,
		   (struct part){buf_data(&sealed), buf_len(&sealed)},
		   &opened) == 0;
	scarce_end();
	if (done)
		ck_assert_mem_eq(buf_data(&opened), text.bytes, text.len);
	ck_assert_uint_eq(buf_len(&opened), done ? text.len : 0);
	cache_seal_free(seal);
	buf_free(&sealed);
	buf_free(&opened);
	return done;
}

START_TEST(sealed_text_opens_or_not)
{
	secrets = one_secret();
	scarce_each(text_is_sealed, "a text that is sealed");
	key_secrets_free(secrets);
	secrets = NULL;
}
END_TEST

/*
 * Limits that come from there.
 */

static void
on_rules(struct rules *rules, struct rules_changes *changes, void *arg)
{
	(void)changes;
	(void)arg;
	if (rules)
		note("%zu", rules_count(rules));
	rules_unref(rules);
}

#define DIGEST "$40\r\n0123456789012345678901234567890123456789\r\n"
#define LOGIN  "$39\r\nlogin match=login:* capacity=5 rate=1/s\r\n"
#define WRONG  "$37\r\nlogin match=login:* capacity=x rate=1\r\n"
#define OVER                                                                   \
	"*4\r\n$4\r\nmark\r\n$7\r\nlogin:1\r\n"                                \
	"$21\r\nx10 1764250000 me@a\nz\r\n$8\r\n60000000\r\n"

static const char *const sets[] = {
    "*2\r\n" DIGEST LOGIN,
    "*3\r\n" DIGEST ":7\r\n" LOGIN,
    "*4\r\n" DIGEST ":7\r\n" LOGIN OVER,
    "*3\r\n" DIGEST ":7\r\n" WRONG,
    "*2\r\n" DIGEST ":7\r\n",
    "*1\r\n" DIGEST,
    "*3\r\n" DIGEST LOGIN ":7\r\n",
    "*3\r\n" DIGEST LOGIN "*4\r\n:1\r\n:2\r\n:3\r\n:4\r\n",
    "*3\r\n" DIGEST LOGIN "*2\r\n:1\r\n:2\r\n",
    "*1\r\n$3\r\nabc\r\n",
    "*0\r\n",
    ":1\r\n",
    "-TOOLARGE more than 1 members\r\n",
};

static bool
limits_come(const void *arg)
{
	struct config *config = config_of(
	    "[limits]\nsource = redis\n[control]\nhost = redis.example\n"
	    "poll = 30s\nnode_name = node\nstate_dir = /nowhere\n");
	struct subscriber_options options = config_subscriber(config);
	struct subscriber *subscriber;
	bool came = false;

	options.node_id = "";
	server_replies(arg);
	scarce_begin();
	subscriber = subscriber_new(loop, dialer, &options, on_rules, NULL);
	if (subscriber)
		server_serve();
	scarce_end();
	if (subscriber) {
		came = subscriber_is_settled(subscriber);
		for (int i = 0; i < 30 && !came; i++) {
			fake_pass(SECOND);
			server_serve();
			came = subscriber_is_settled(subscriber);
		}
		ck_assert(came);
	}
	subscriber_free(subscriber);
	config_free(config);
	server_leave();
	return came;
}

START_TEST(limits_come_in_the_end)
{
	scarce_each(limits_come, sets[_i]);
}
END_TEST

/*
 * The fleet, for the status page.
 */

static const struct {
	const char *reply;
	const char *begin; /* of what is shown */
} fleets[] = {
    {"*2\r\n$1\r\n0\r\n*0\r\n", "fleet count=0 "},
    {"*2\r\n$1\r\n5\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n", "fleet count="},
    {"*2\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n$46\r\n"
     "0123456789012345678901234567890123456789 1 7 1\r\n",
	"fleet count=1 "},
    {"*2\r\n$1\r\n0\r\n:1\r\n", ""},
    {"*2\r\n:1\r\n*0\r\n", ""},
    {"*1\r\n:1\r\n", ""},
    {"-ERR no\r\n", ""},
};

static const char *shown;

static void
on_link(void *arg)
{
	(void)arg;
}

static bool
fleet_is_read(const void *arg)
{
	struct fleet_board *board = fleet_board_new();
	const struct roster_options options = {.key = "limits:nodes",
	    .digest = "",
	    .timeout_us = SECOND,
	    .board = board};
	const struct link_options link_options = {
	    .endpoint = {.unix_socket_path = "/redis", .host = ""},
	    .password = "",
	    .connect_timeout_us = SECOND,
	    .socket_timeout_us = SECOND};
	static const struct link_events events = {
	    .up = on_link, .down = on_link};
	struct link *link =
	    link_new(loop, dialer, &link_options, &events, NULL);
	struct roster *roster;
	struct buf text = {0};

	server_replies(arg);
	ck_assert(board && link);
	server_serve();
	ck_assert_int_eq(fleet_board_write(board, clock_us(), &text), 0);
	scarce_begin();
	roster = roster_new(loop, link, &options);
	server_serve();
	scarce_end();
	ck_assert(roster || scarce_fails());
	ck_assert_int_eq(fleet_board_write(board, clock_us(), &text), 0);
	ck_assert_int_eq(buf_add(&text, "", 1), 0);
	if (!scarce_fails())
		ck_assert_msg(
		    strncmp(buf_data(&text), shown, strlen(shown)) == 0, "%s",
		    buf_data(&text));
	buf_free(&text);
	link_free(link);
	roster_free(roster);
	fleet_board_free(board);
	server_leave();
	return roster != NULL;
}

START_TEST(fleet_is_shown)
{
	shown = fleets[_i].begin;
	scarce_each(fleet_is_read, fleets[_i].reply);
}
END_TEST

/*
 * Decisions.
 */

static const char *const stores[] = {
    "[redis]\nunix_socket_path = /redis\n",
    "[redis]\nunix_socket_path = /redis\nscript = function\n",
    "[redis]\nunix_socket_path = /redis\nwait_replicas = 1\n",
    "[redis]\nunix_socket_path = /redis\npartitions = 4\n",
    "[redis]\ntopology = sentinel\nhosts = one:1 two:2\nmaster_name = main\n",
    "[redis]\ntopology = sharded\nhosts = one:1 two:2\n"
    "partitions = 32\n",
};

static bool
buckets_are_in_redis(const void *arg)
{
	char settings[500];
	struct peer *client;
	const char *response;
	bool decided;

	server_replies("*0\r\n");
	snprintf(settings, sizeof(settings),
	    "[store]\ntype = redis\nprefix = p:\n%s", (const char *)arg);
	serve(settings, "[login]\nmatch = login:*\ncapacity = 5\nrate = 1/s\n");
	server_serve();
	client = client_comes();
	scarce_begin();
	peer_say(client, "CONSUME login:1\nMCONSUME login:2 1 login:3 1\n");
	server_serve();
	scarce_end();
	response = peer_heard(client);
	decided = strncmp(response, "ALLOW ", 6) == 0;
	ck_assert_msg(decided || scarce_fails(), "%s", response);
	ck_assert_msg(decided || strncmp(response, "ERR ", 4) == 0 ||
			  peer_is_left(client),
	    "%s", response);
	stop_serving();
	server_leave();
	return decided;
}

START_TEST(decision_is_made_or_refused)
{
	scarce_survive(buckets_are_in_redis, stores[_i]);
}
END_TEST

Suite *
redis_suite(void)
{
	Suite *suite = suite_create("redis");
	TCase *tcase = tcase_create("redis");
	TCase *serving = tcase_create("serving");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(
	    tcase, stored_responses_are_of_use_again, 0, COUNT(scans));
	tcase_add_test(tcase, those_that_are_sealed_are_of_use_again);
	tcase_add_test(tcase, sealed_text_opens_or_not);
	tcase_add_loop_test(tcase, fleet_is_shown, 0, COUNT(fleets));
	tcase_add_loop_test(tcase, limits_come_in_the_end, 0, COUNT(sets));
	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(serving, fake_start, fake_end);
	tcase_add_loop_test(
	    serving, decision_is_made_or_refused, 0, COUNT(stores));
	suite_add_tcase(suite, serving);
	return suite;
}
