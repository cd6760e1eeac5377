#include "base/attr.h"
#include "fake/fake.h"
#include "fake/peer.h"
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
	suite_add_tcase(suite, tcase);
	return suite;
}
