/*
 * Workers that begin, and change what they do, while memory runs out.
 */
#include "scarce.h"
#include "server.h"
#include "states/serving.h"
#include "suites.h"

#include "base/attr.h"
#include "fake/fake.h"

#include <string.h>

#define LIMITS                                                                 \
	"[login]\nmatch = login:*\ncapacity = 5\nrecharge = 1h\n"              \
	"[jobs]\nmatch = jobs:*\nalgorithm = concurrent\ncapacity = 9\n"       \
	"lease = 1m\n"
#define OTHERS "[new]\nmatch = new:*\ncapacity = 5\nrecharge = 1h\n"

#define SECOND INT64_C(1000000)

static void
peek_is(const char *key, const char *begin)
{
	struct peer *client = client_comes();
	const char *response;

	peer_say(client, "PEEK %s\n", key);
	server_serve();
	response = peer_heard(client);
	ck_assert_msg(
	    strncmp(response, begin, strlen(begin)) == 0, "%s", response);
	client_goes();
}

/* All workers begin, or none is left. */
static bool
pool_begins(const void *arg)
{
	struct config *config = config_of(arg);
	struct rules *rules = rules_of(LIMITS);
	bool begins;

	scarce_begin();
	pool = pool_start(&config->gate, 2, rules);
	scarce_stop();
	begins = pool != NULL;
	if (begins) {
		server_serve();
		peek_is("login:1", "ALLOW limit=login ");
	}
	stop_serving();
	server_leave();
	config_free(config);
	return begins;
}

static const char *const beginnings[] = {
    "[http]\ntrusted_proxies = 10.0.0.0/8\n",
    "[store]\ntype = redis\n[redis]\nunix_socket_path = /redis\n",
};

START_TEST(workers_begin_all_or_none)
{
	scarce_each(pool_begins, beginnings[_i]);
}
END_TEST

/* What has failed once is done a moment later. */
static bool
pool_changes(const void *arg)
{
	const struct topology_options where = {.kind = "sharded",
	    .endpoint = {.host = ""},
	    .hosts = "one:1 two:2 three:3",
	    .partitions = 8};
	struct rules *rules = rules_of(OTHERS);
	bool placed;

	serve(arg, LIMITS);
	ck_assert(serve_upstreams());
	server_serve();
	scarce_begin();
	pool_set_rules(pool, rules, NULL);
	placed = pool_set_topology(pool, &where) == 0;
	fake_pass(SECOND);
	scarce_stop();
	if (!placed)
		ck_assert_int_eq(pool_set_topology(pool, &where), 0);
	server_serve();
	peek_is("new:1", "ALLOW limit=new ");
	peek_is("login:1", "ALLOW limit=- ");
	stop_serving();
	server_leave();
	return placed;
}

START_TEST(limits_and_servers_change_in_the_end)
{
	scarce_each(pool_changes,
	    "[store]\ntype = redis\n[redis]\ntopology = sharded\n"
	    "hosts = one:1 two:2\npartitions = 8\n"
	    "[upstream:up]\nurl = http://up.example\ncache = redis\n");
}
END_TEST

Suite *
pool_suite(void)
{
	Suite *suite = suite_create("pool");
	TCase *tcase = tcase_create("pool");

	tcase_add_checked_fixture(tcase, fake_start, fake_end);
	tcase_add_loop_test(
	    tcase, workers_begin_all_or_none, 0, COUNT(beginnings));
	tcase_add_test(tcase, limits_and_servers_change_in_the_end);
	suite_add_tcase(suite, tcase);
	return suite;
}
