#include "base/attr.h"
#include "base/clock.h"
#include "fake/fake.h"
#include "fake/note.h"
#include "fake/peer.h"
#include "limit/rules.h"
#include "net/loop.h"
#include "serving.h"
#include "stats/servers.h"
#include "store/redis/shard.h"
#include "suites.h"

#include <stdio.h>
#include <string.h>

#define NAME "redis.example:6379"

#define MS INT64_C(1000)

#define SETTINGS                                                               \
	"[store]\ntype = redis\n"                                              \
	"[redis]\nhost = redis.example\nsocket_timeout = 50ms\n"

#define LIMIT "[key]\nmatch = key:*\ncapacity = 9\nrecharge = 1m\n"

static const struct loop_events no_events;
static struct config *config;
static struct loop *loop;
static struct dialer *dialer;
static struct topology topology;
static struct shard_options options;
static struct shard_common common;
static struct shard *shard;
static struct rules *rules;
static struct peer *server;

static void
on_settled(void *arg)
{
	(void)arg;
}

static void
on_outage(void *arg, bool is_over)
{
	(void)arg;
	(void)is_over;
}

static void
on_sent(void *arg, unsigned entries)
{
	(void)arg;
	note("sent %u", entries);
}

static void
set_up(void)
{
	static const struct shard_events events = {
	    .settled = on_settled, .outage = on_outage, .sent = on_sent};
	struct topology_options where;

	fake_start();
	noted();
	loop = loop_new(&no_events, NULL);
	dialer = dialer_new(loop);
	config = config_of(SETTINGS);
	rules = rules_of(LIMIT);
	options = config->gate.redis;
	options.servers = servers_new();
	where = options.where;
	where.endpoint = options.link.endpoint;
	ck_assert_int_eq(topology_open(&topology, &where), 0);
	options.topology = &topology;
	common = (struct shard_common){.loop = loop,
	    .dialer = dialer,
	    .options = &options,
	    .events = &events};
	shard = shard_new(&common, 0);
	ck_assert_ptr_nonnull(shard);
	server = peer_accept(NAME);
	peer_greet(server);
	ck_assert(shard_is_ready(shard));
}

static void
tear_down(void)
{
	shard_free(shard);
	servers_free(options.servers);
	topology_close(&topology);
	rules_unref(rules);
	config_free(config);
	peer_free(server);
	dialer_free(dialer);
	loop_free(loop);
	fake_end();
}

static void
ask(struct query *query, void (*done)(struct query *), struct query *next,
    int64_t now_us)
{
	*query = (struct query){.rules = rules,
	    .limit = rules_at(rules, 0),
	    .key = key_make("key:1", 5),
	    .op = OP_CONSUME,
	    .amount = 1,
	    .now_us = now_us,
	    .done = done,
	    .owner = next};
	ck_assert(!shard_query(shard, query));
}

static void
on_last(struct query *query)
{
	ck_assert_int_eq(query->result, RESULT_UNAVAILABLE);
	note("last");
}

/* Ask again, by the time that it was when this turn of the loop began. */
static void
on_first(struct query *query)
{
	struct query *next = query->owner;

	note("done");
	ask(next, next->owner ? on_first : on_last, next->owner, query->now_us);
}

/* A check asks the next question once the last one has its result: it must not
 * join a batch that is being given up, which it would wait for in vain. */
START_TEST(query_that_follows_a_time_out_has_a_batch_of_its_own)
{
	struct query queries[4];

	queries[1].owner = &queries[2];
	queries[2].owner = &queries[3];
	queries[3].owner = NULL;
	ask(&queries[0], on_first, &queries[1], clock_us() - 10 * MS);
	shard_flush(shard);
	ck_assert_str_eq(noted(), "sent 1");
	fake_pass(41 * MS);
	ck_assert_str_eq(noted(), "done done done last");
}
END_TEST

/* More than fit into one batch, so that one is full before the turn's end. */
#define STEPS 300

static struct query queries[1 + 2 * STEPS];
static char keys[COUNT(queries)][16];

static void
on_any(struct query *query)
{
	(void)query;
}

static struct query *
query_number(size_t i, struct query *mate)
{
	snprintf(keys[i], sizeof(keys[i]), "key:%zu", i);
	queries[i] = (struct query){.rules = rules,
	    .limit = rules_at(rules, 0),
	    .key = key_make(keys[i], strlen(keys[i])),
	    .op = OP_CONSUME,
	    .amount = 1,
	    .now_us = clock_us(),
	    .done = on_any,
	    .mate = mate};
	return &queries[i];
}

START_TEST(what_came_before_several_keys_is_sent_before_them)
{
	const char *command;

	ck_assert(!shard_query(shard, query_number(0, NULL)));
	for (size_t i = 1; i < COUNT(queries); i += 2)
		ck_assert(!shard_query(
		    shard, query_number(i, query_number(i + 1, NULL))));
	shard_flush(shard);
	command = peer_command(server);
	ck_assert_ptr_nonnull(command);
	ck_assert_msg(strstr(command, " key:0"), "%s", command);
}
END_TEST

Suite *
shard_suite(void)
{
	Suite *suite = suite_create("shard");
	TCase *tcase = tcase_create("shard");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(
	    tcase, query_that_follows_a_time_out_has_a_batch_of_its_own);
	tcase_add_test(
	    tcase, what_came_before_several_keys_is_sent_before_them);
	suite_add_tcase(suite, tcase);
	return suite;
}
