#include "base/attr.h"
#include "fake/fake.h"
#include "server/conn.h"
#include "server/serve.h"
#include "serving.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME "redis.example:6379"

#define MS     INT64_C(1000)
#define SECOND INT64_C(1000000)

#define SETTINGS                                                               \
	"[store]\ntype = redis\n"                                              \
	"[redis]\nhost = redis.example\nsocket_timeout = 50ms\n"               \
	"[limits]\nunmatched = error\n"

#define ONE_AT_A_TIME                                                          \
	"[store]\ntype = redis\n"                                              \
	"[redis]\nhost = redis.example\ninflight = 1\n"

/* Two algorithms are two scripts: their batches go separate ways. */
#define LIMITS                                                                 \
	"[key]\nmatch = key:*\ncapacity = 1000\nrate = 1/h\n"                  \
	"[window]\nmatch = window:*\nalgorithm = fixed_window\n"               \
	"capacity = 1000\nwindow = 1h\n"                                       \
	"[line]\nmatch = line:*\ncapacity = 1\nrecharge = 10s\nqueue = 1m\n"

static struct peer *server;  /* of the store */
static struct peer *sweeper; /* the same server, of the sweep */

/* The links dial one by one, and in any order: the sweep starts with INFO, and
 * the store with a call that waits and has ${call} in it, or, for NULL, none.
 */
static void
accept_store_with(const char *call)
{
	for (;;) {
		struct peer *peer = peer_accept(NAME);
		const char *command;

		peer_greet(peer);
		command = peer_command(peer);
		if (!command || strncmp(command, "EVAL", 4) == 0) {
			ck_assert_int_eq(command != NULL, call != NULL);
			ck_assert(!call || strstr(command, call));
			peer_free(server);
			server = peer;
			return;
		}
		ck_assert_str_eq(command, "INFO");
		peer_say(peer, "$-1\r\n");
		peer_free(sweeper);
		sweeper = peer;
	}
}

static void
accept_store(void)
{
	accept_store_with(NULL);
}

static void
start_with(const char *settings, const char *limits)
{
	serve(settings, limits);
	accept_store();
}

static void
start(const char *settings)
{
	start_with(settings, LIMITS);
}

static void
set_up(void)
{
	fake_start();
	server = sweeper = NULL;
	start(SETTINGS);
}

static void
stop(void)
{
	stop_serving();
	peer_free(server);
	peer_free(sweeper);
	server = sweeper = NULL;
}

static void
tear_down(void)
{
	stop();
	fake_end();
}

static void
restart(const char *settings)
{
	stop();
	start(settings);
}

/* Reply to a batch of ${count} buckets, all of them empty. */
static void
write_buckets(int count)
{
	char text[65536];
	int len = sprintf(text, "*%d\r\n$10\r\n%lld\r\n$1\r\n0\r\n", count + 2,
	    (long long)(FAKE_START_US / SECOND));

	for (int i = 0; i < count; i++)
		len += sprintf(text + len, "$-1\r\n");
	peer_write(server, text, (size_t)len);
}

static void
reply_buckets(int count)
{
	write_buckets(count);
	fake_run();
}

/* How many calls of scripts came; they are forgotten. */
static int
count_calls(void)
{
	const char *command;
	int count = 0;

	while ((command = peer_command(server))) {
		ck_assert_msg(strncmp(command, "EVAL", 4) == 0, "%s", command);
		count++;
	}
	return count;
}

/* The levels and sources in all responses, as "3 redis, 4 fallback". */
static const char *
levels_heard(struct peer *client)
{
	static char levels[65536];
	size_t len = 0;
	const char *at = peer_heard(client);

	levels[0] = '\0';
	while ((at = strstr(at, "level="))) {
		const char *from = strstr(at, "from=");

		len += (size_t)sprintf(levels + len, "%s%d %.*s",
		    len > 0 ? ", " : "", atoi(at + 6),
		    (int)strcspn(from + 5, "\n"), from + 5);
		at = from;
	}
	return levels;
}

static size_t
count_lines(struct peer *client)
{
	size_t count = 0;

	for (const char *at = peer_heard(client); (at = strchr(at, '\n')); at++)
		count++;
	return count;
}

/*
 * Starting.
 */

START_TEST(settles_once_connected)
{
	stop();
	serve(SETTINGS, LIMITS);
	ck_assert(!pool_is_settled(pool));
	accept_store();
	ck_assert(pool_is_settled(pool));
}
END_TEST

START_TEST(settles_once_it_cannot_connect)
{
	stop();
	serve(SETTINGS, LIMITS);
	fake_dial_fail(NAME, "a test says so");
	fake_dial_fail(NAME, "a test says so");
	ck_assert(!pool_is_settled(pool));
	fake_run();
	ck_assert(pool_is_settled(pool));
}
END_TEST

/*
 * Batches.
 */

START_TEST(requests_of_a_turn_are_one_call)
{
	struct peer *clients[] = {client_comes(), client_comes()};

	peer_write(clients[0], "CONSUME key:1\nCONSUME key:2\n", 28);
	peer_write(clients[1], "CONSUME key:3 7\n", 16);
	fake_run();
	ck_assert_int_eq(count_calls(), 1);
	ck_assert_str_eq(peer_heard(clients[0]), "");
	reply_buckets(3);
	ck_assert_str_eq(levels_heard(clients[0]), "1 redis, 1 redis");
	ck_assert_str_eq(levels_heard(clients[1]), "7 redis");
	ck_assert_int_eq(stat_of("batches"), 1);
	ck_assert_int_eq(stat_of("batch_buckets"), 3);
}
END_TEST

/* One bucket, many clients: exact results in the order of arrival. */
START_TEST(requests_about_one_bucket_are_decided_in_order)
{
	struct peer *clients[] = {client_comes(), client_comes()};

	peer_write(clients[0], "CONSUME key:1\nPEEK key:1\n", 25);
	peer_write(clients[1], "CONSUME key:1 3\n", 16);
	fake_run();
	ck_assert_int_eq(count_calls(), 1);
	reply_buckets(1);
	ck_assert_str_eq(levels_heard(clients[0]), "1 redis, 1 redis");
	ck_assert_str_eq(levels_heard(clients[1]), "4 redis");
}
END_TEST

/* Have the server run the script once, after which several calls may be out. */
static void
prove_script(struct peer *client)
{
	peer_say(client, "PEEK key:0\n");
	ck_assert_int_eq(count_calls(), 1);
	reply_buckets(1);
	ck_assert_str_eq(levels_heard(client), "0 redis");
}

/* Another daemon brings the script between two calls of ours: the first one,
 * refused, is sent again, and no request falls back. */
START_TEST(one_call_is_out_until_the_server_has_the_script)
{
	struct peer *client = client_comes();

	peer_say(client, "CONSUME key:1\n");
	peer_say(client, "CONSUME key:2\n");
	ck_assert_int_eq(count_calls(), 1);
	peer_say(server, "-NOSCRIPT No matching script.\r\n");
	ck_assert_int_eq(count_calls(), 1);
	reply_buckets(1);
	ck_assert_int_eq(count_calls(), 1);
	reply_buckets(1);
	ck_assert_str_eq(levels_heard(client), "1 redis, 1 redis");
}
END_TEST

START_TEST(server_may_have_lost_the_script_with_the_link)
{
	struct peer *client = client_comes();

	prove_script(client);
	peer_close(server);
	fake_pass(30 * MS);
	accept_store();
	peer_say(client, "CONSUME key:1\n");
	peer_say(client, "CONSUME key:2\n");
	ck_assert_int_eq(count_calls(), 1);
	reply_buckets(1);
	ck_assert_int_eq(count_calls(), 1);
	reply_buckets(1);
	ck_assert_str_eq(levels_heard(client), "1 redis, 1 redis");
}
END_TEST

START_TEST(no_more_calls_are_out_than_may_be)
{
	struct peer *client = client_comes();

	prove_script(client);
	for (int i = 0; i < 6; i++)
		peer_say(client, "CONSUME key:%d\n", i);
	ck_assert_int_eq(count_calls(), 4);
	reply_buckets(1);
	ck_assert_int_eq(count_calls(), 1); /* the fifth and sixth */
	ck_assert_uint_eq(count_lines(client), 1);
	write_buckets(1);
	write_buckets(1);
	write_buckets(1);
	reply_buckets(2);
	ck_assert_uint_eq(count_lines(client), 5);
	ck_assert_int_eq(count_calls(), 0);
}
END_TEST

/*
 * The order of responses.
 */

/* Calls of one script may be out before those of another. */
START_TEST(response_waits_for_those_before_it)
{
	struct peer *client = client_comes();

	peer_say(client, "CONSUME window:1 2\nCONSUME key:1 3\nPING\n");
	ck_assert_int_eq(count_calls(), 2);
	reply_buckets(1);
	ck_assert_str_eq(peer_heard(client), "");
	reply_buckets(1);
	ck_assert_str_eq(peer_heard(client),
	    "ALLOW limit=window level=2 capacity=1000 next=800.000000 retry=0 "
	    "blocked=0 from=redis\n"
	    "ALLOW limit=key level=3 capacity=1000 next=3600.000000 retry=0 "
	    "blocked=0 from=redis\n"
	    "PONG\n");
}
END_TEST

/* The first words of the lines heard, as far as they are of capitals. */
static const char *
words_heard(struct peer *client)
{
	static char words[1000];
	size_t len = 0;
	const char *at = peer_heard(client);

	words[0] = '\0';
	for (; *at; at += strcspn(at, "\n"), at += *at == '\n') {
		size_t word = strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

		if (word > 0)
			len += (size_t)sprintf(words + len, "%s%.*s",
			    len > 0 ? " " : "", (int)word, at);
	}
	return words;
}

START_TEST(text_and_reports_wait_for_the_store_too)
{
	struct peer *client = client_comes();

	peer_say(client,
	    "PING\nCONSUME key:1\nnonsense\nLIMITS\nEXPLAIN key:1\nPING\n");
	ck_assert_str_eq(words_heard(client), "PONG");
	reply_buckets(1);
	ck_assert_str_eq(words_heard(client), "ALLOW ERR END END PONG");
}
END_TEST

/* The same connection may change its mind between requests. */
START_TEST(each_response_has_the_form_of_its_request)
{
	struct peer *client = client_comes();
	const char *heard;

	peer_say(client, "*2\r\n$7\r\nCONSUME\r\n$5\r\nkey:1\r\n"
			 "*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n"
			 "*1\r\n$4\r\nPING\r\n");
	ck_assert_str_eq(peer_heard(client), "");
	reply_buckets(1);
	heard = peer_heard(client);
	ck_assert_msg(*heard == '*', "%s", heard);
	heard = strstr(heard, "\r\n%");
	ck_assert_ptr_nonnull(heard);
	ck_assert_str_eq(heard + strlen(heard) - 7, "+PONG\r\n");
}
END_TEST

/* Requests of a client that are taken at once. */
#define FLOOD 100

/* Ten clients say so many requests each. */
static void
flood_by_ten(struct peer *clients[10])
{
	char text[FLOOD * 14 + 1];

	for (int i = 0; i < 10; i++) {
		for (int j = 0; j < FLOOD; j++)
			sprintf(text + j * 14, "CONSUME key:%d\n", i);
		peer_write(clients[i], text, FLOOD * 14);
	}
	fake_run();
}

/* Have each call replied to after ${us}, until none comes.  Return how many
 * clients' requests the first one had. */
static int
reply_to_flood(struct peer *clients[10], int64_t us)
{
	int first = 0, buckets;
	size_t lines = 0;
	const char *command;

	while ((command = peer_command(server))) {
		buckets = 0;
		for (; (command = strstr(command, "key:")); command++)
			buckets++;
		first = first ? first : buckets;
		fake_pass(us);
		reply_buckets(buckets);
		for (int i = 0; i < 10; i++)
			lines += count_lines(clients[i]);
		fake_run();
	}
	for (size_t step = 1; step > 0; lines += step) {
		step = 0;
		for (int i = 0; i < 10; i++)
			step += count_lines(clients[i]);
		fake_run();
	}
	ck_assert_uint_eq(lines, 10 * FLOOD);
	ck_assert_int_eq(stat_of("fallback"), 0);
	return first;
}

/* Redis replies at once, until all that ten clients say is taken on. */
static void
let_redis_be_quick(struct peer *clients[10])
{
	int taken = 0;

	for (int i = 0; i < 10; i++)
		clients[i] = client_comes();
	for (int i = 0; i < 60 && taken < 10; i++) {
		int before = taken;

		flood_by_ten(clients);
		taken = reply_to_flood(clients, 0);
		ck_assert_int_ge(taken, before);
	}
	ck_assert_int_eq(taken, 10);
}

/* Some more may be taken than there is room for: those that came together. */
START_TEST(client_with_many_requests_open_is_not_read_from)
{
	struct peer *clients[10], *client;
	char text[11 * 1000];
	size_t open = CONN_HELD_MAX / sizeof(struct slot);

	let_redis_be_quick(clients);
	client = client_comes();
	for (size_t i = 0; i < sizeof(text); i += 11)
		memcpy(text + i, "PEEK key:1\n", 11);
	peer_write(client, text, sizeof(text));
	fake_run();
	for (size_t i = 0; i < 1000 / (open + SERVE_BATCH); i++) {
		size_t lines = 0, step = 1;

		for (int calls = count_calls(); calls > 0; calls--)
			reply_buckets(1);
		for (; step > 0; lines += step) {
			step = count_lines(client);
			fake_run();
		}
		ck_assert_uint_ge(lines, open);
		ck_assert_uint_le(lines, open + SERVE_BATCH);
	}
	for (int calls; (calls = count_calls()) > 0; fake_run()) {
		for (; calls > 0; calls--)
			reply_buckets(1);
		count_lines(client);
	}
	ck_assert_int_eq(stat_of("peeks"), 1000);
}
END_TEST

/*
 * Waiting.
 */

/* Redis decides at some moment before its reply comes. */
START_TEST(wait_is_held_from_the_reply_on)
{
	struct peer *client = client_comes();

	peer_say(client, "WAIT line:1\nWAIT line:1\n");
	fake_pass(20 * MS);
	ck_assert_int_eq(count_calls(), 1);
	reply_buckets(1);
	ck_assert_str_eq(levels_heard(client), "1 redis");
	fake_pass(10 * SECOND - 1);
	ck_assert_str_eq(peer_heard(client), "");
	fake_pass(1);
	ck_assert_str_eq(levels_heard(client), "1 redis");
}
END_TEST

/* It learns that it would have to wait when it is gone. */
START_TEST(client_that_goes_away_before_the_reply_gives_its_turn_back)
{
	struct peer *client = client_comes();
	const char *command;

	peer_say(client, "WAIT line:1\n");
	ck_assert_int_eq(count_calls(), 1);
	peer_close(client);
	peer_say(server, "*3\r\n$10\r\n1000000000\r\n$1\r\n0\r\n$"
			 "16\r\n1000000010000000\r\n");
	command = peer_command(server);
	ck_assert_ptr_nonnull(command);
	ck_assert_ptr_nonnull(strstr(command, " line:1 1 1=1000000020000000"));
	reply_buckets(1);
	ck_assert_int_eq(stat_of("waits_ended"), 1);
	ck_assert_int_eq(stat_of("waits"), 0);
}
END_TEST

/* Redis is gone: nothing is given back, and the client gets its response. */
START_TEST(who_waits_when_redis_goes_may_still_leave)
{
	struct peer *client = client_comes();

	peer_say(client, "WAIT line:1\nWAIT line:1\n");
	ck_assert_int_eq(count_calls(), 1);
	reply_buckets(1);
	peer_heard(client);
	peer_close(server);
	fake_pass(SECOND);
	peer_shutdown(client);
	fake_run();
	ck_assert_ptr_nonnull(strstr(peer_heard(client),
	    "DENY limit=line level=1 capacity=1 next=10.000000 retry=9."));
}
END_TEST

/*
 * Turns.
 */

/* A first call shows how quick the server is: 128 requests, of two clients. */
START_TEST(worker_takes_little_at_first)
{
	struct peer *clients[10];

	for (int i = 0; i < 10; i++)
		clients[i] = client_comes();
	flood_by_ten(clients);
	ck_assert_int_eq(reply_to_flood(clients, 0), 2);
}
END_TEST

/* What Redis is seen to decide in a quarter of the time-out; the rest waits in
 * the sockets. */
START_TEST(worker_takes_no_more_than_redis_answers_in_time)
{
	struct peer *clients[10];
	int taken = 10;

	let_redis_be_quick(clients);
	for (int i = 0; i < 5; i++) {
		flood_by_ten(clients);
		taken = reply_to_flood(clients, 40 * MS);
	}
	ck_assert_int_ge(taken, 1);
	ck_assert_int_le(taken, 4);
}
END_TEST

START_TEST(worker_takes_more_where_redis_is_quick)
{
	struct peer *clients[10];

	let_redis_be_quick(clients);
	flood_by_ten(clients);
	ck_assert_int_eq(reply_to_flood(clients, 10 * MS), 10);
	flood_by_ten(clients);
	ck_assert_int_eq(reply_to_flood(clients, 10 * MS), 10);
}
END_TEST

/* A report is written when it is its turn, and the turn is over in time. */
START_TEST(reports_that_waited_do_not_come_at_once)
{
	struct peer *client = client_comes();
	size_t ends = 0;

	peer_write(client, "CONSUME key:1\n", 14);
	for (int i = 0; i < 200; i++)
		peer_write(client, "LIMITS\n", 7);
	fake_run();
	write_buckets(1);
	fake_look_takes(100);
	ck_assert(fake_turn());
	for (const char *at = peer_heard(client); (at = strstr(at, "END\n"));
	     at++)
		ends++;
	ck_assert_uint_le(ends, 20);
	fake_run();
}
END_TEST

/* The most that waits to be sent is 64 KiB, also of reports that were asked for
 * long ago: those beyond are written when the client reads. */
START_TEST(reports_that_waited_are_not_all_written_to_who_does_not_read)
{
	struct peer *client = client_comes();
	const char *at;
	long connections = 0;
	size_t step = 1;

	peer_write(client, "CONSUME key:1\n", 14);
	for (int i = 0; i < 255; i++)
		peer_write(client, "STATS\n", 6);
	fake_run();
	reply_buckets(1);
	for (int i = 0; i < 100; i++)
		(void)client_comes();
	for (; step > 0; fake_run()) {
		at = peer_heard(client);
		step = strlen(at);
		for (; (at = strstr(at, "\nconnections ")); at++)
			connections = strtol(at + 13, NULL, 10);
	}
	ck_assert_int_gt(connections, 100);
}
END_TEST

/*
 * Deadlines.
 */

START_TEST(request_falls_back_when_there_is_no_reply)
{
	struct peer *client = client_comes();

	peer_say(client, "CONSUME key:1 5\n");
	fake_pass(50 * MS - 1);
	ck_assert_str_eq(peer_heard(client), "");
	fake_pass(1);
	ck_assert_str_eq(levels_heard(client), "5 fallback");
	ck_assert_int_eq(stat_of("fallback"), 1);
	fake_pass(SECOND);
	ck_assert_str_eq(peer_heard(client), "");
}
END_TEST

/* The server has the whole time from when it was asked, the client from when
 * it asked. */
START_TEST(request_that_waited_does_not_bring_the_link_down)
{
	struct peer *client;

	restart(ONE_AT_A_TIME);
	client = client_comes();
	peer_say(client, "CONSUME key:1\n");
	fake_pass(40 * MS);
	peer_say(client, "CONSUME key:2\n");
	fake_pass(5 * MS);
	reply_buckets(1);
	ck_assert_str_eq(levels_heard(client), "1 redis");
	ck_assert_int_eq(count_calls(), 2);
	fake_pass(15 * MS);
	peer_say(client, "CONSUME key:4\n"); /* has time until 110 */
	fake_pass(30 * MS - 1);
	ck_assert_str_eq(peer_heard(client), "");
	fake_pass(1);
	ck_assert_str_eq(levels_heard(client), "1 fallback");
	reply_buckets(1); /* late, and of no use */
	ck_assert(!peer_is_left(server));
	ck_assert_int_eq(count_calls(), 1);
	ck_assert_str_eq(peer_heard(client), "");
	peer_say(client, "CONSUME key:3\n");
	reply_buckets(1);
	reply_buckets(1);
	ck_assert_str_eq(levels_heard(client), "1 redis, 1 redis");
}
END_TEST

START_TEST(batch_that_no_request_waits_for_is_not_sent)
{
	struct peer *client;

	restart(ONE_AT_A_TIME);
	client = client_comes();
	peer_say(client, "CONSUME key:1\n");
	fake_pass(2 * MS);
	peer_say(client, "CONSUME key:2\nCONSUME window:3\n");
	fake_pass(47 * MS);
	reply_buckets(1); /* at 49 ms: key:2 goes out */
	ck_assert_int_eq(count_calls(), 2);
	fake_pass(3 * MS);
	ck_assert_str_eq(
	    levels_heard(client), "1 redis, 1 fallback, 1 fallback");
	reply_buckets(1);
	ck_assert_int_eq(count_calls(), 0);
	ck_assert(!peer_is_left(server));
	peer_say(client, "CONSUME window:4\n");
	ck_assert_int_eq(count_calls(), 1);
	reply_buckets(1);
	ck_assert_str_eq(levels_heard(client), "1 redis");
}
END_TEST

/* A batch that is still being filled when its queries have results takes no
 * more of them. */
START_TEST(request_after_a_deadline_goes_into_a_new_batch)
{
	struct peer *client;

	restart(ONE_AT_A_TIME);
	client = client_comes();
	peer_say(client, "CONSUME key:1\n");
	fake_pass(2 * MS);
	peer_say(client, "CONSUME key:2\nCONSUME window:3\n");
	fake_pass(47 * MS);
	reply_buckets(1); /* at 49 ms: key:2 goes out, window:3 waits */
	fake_pass(3 * MS);
	ck_assert_str_eq(
	    levels_heard(client), "1 redis, 1 fallback, 1 fallback");
	peer_say(client, "CONSUME key:9 9\nCONSUME window:3 2\n");
	count_calls();
	reply_buckets(1); /* key:2 */
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(count_calls(), 1);
		reply_buckets(1);
	}
	ck_assert_str_eq(levels_heard(client), "9 redis, 2 redis");
}
END_TEST

/*
 * Several keys in one decision.
 */

#define CHECK "GET /check/two HTTP/1.1\r\nHost: x\r\n\r\n"

#define TWO_LIMITS(on_error)                                                   \
	LIMITS "[a]\nmatch = a:*\nalgorithm = fixed_window\ncapacity = 9\n"    \
	       "window = 1h\non_error = " on_error                             \
	       "\n[b]\nmatch = b:*\nalgorithm = fixed_window\ncapacity = 9\n"  \
	       "window = 1h\non_error = " on_error                             \
	       "\n[route:two]\npath = /two\nkeys = a:1 b:1\n"

static const struct {
	const char *limits;
	bool denies;
} on_errors[] = {
    {TWO_LIMITS("allow"), false},
    {TWO_LIMITS("deny"), true},
    {TWO_LIMITS("memory"), false},
};

/* The keys of the next call of a script, with commas between; "" if there is
 * none. */
static const char *
call_heard(void)
{
	static const char *const keys[] = {"a:1", "b:1", "key:8", "key:9"};
	static char text[40];
	const char *command = peer_command(server);

	text[0] = '\0';
	for (size_t i = 0; command && i < COUNT(keys); i++)
		if (strstr(command, keys[i]))
			sprintf(text + strlen(text), "%s%s",
			    text[0] ? ", " : "", keys[i]);
	return text;
}

/* Of the one response that came; 0: none did. */
static int
status_heard(struct peer *client)
{
	const char *text = peer_heard(client);

	if (!*text)
		return 0;
	ck_assert_int_eq(strncmp(text, "HTTP/1.1 ", 9), 0);
	ck_assert_ptr_null(strstr(text + 1, "HTTP/1.1 "));
	return atoi(text + 9);
}

static void
expect_call(const char *keys)
{
	ck_assert_str_eq(call_heard(), keys);
	reply_buckets(1);
}

/* A check waits in a batch that is being filled, while two calls take their
 * time; then its time is over, and the link is still up: nothing of it is ever
 * sent, and on_error decides. */
START_TEST(check_whose_batch_is_given_up_is_decided_by_on_error)
{
	struct peer *client, *other;

	stop();
	start_with(ONE_AT_A_TIME, on_errors[_i].limits);
	other = client_comes();
	client = client_comes();
	peer_say(other, "CONSUME key:9\n");
	fake_pass(2 * MS);
	peer_say(other, "CONSUME key:8\n");
	peer_say(client, CHECK);
	fake_pass(47 * MS);
	expect_call("key:9");
	ck_assert_str_eq(call_heard(), "key:8");
	ck_assert_int_eq(status_heard(client), 0);
	fake_pass(3 * MS);
	ck_assert_str_eq(levels_heard(other), "1 redis, 1 fallback");
	ck_assert_int_eq(
	    status_heard(client), on_errors[_i].denies ? 429 : 200);
	reply_buckets(1); /* key:8, late and of no use */
	fake_pass(SECOND);
	ck_assert_str_eq(call_heard(), "");
	ck_assert_str_eq(peer_heard(client), "");
	ck_assert_str_eq(peer_heard(other), "");
	ck_assert_int_eq(stat_of("redis_ready"), 1);
}
END_TEST

/* All its keys, and what the client asks next, are one call. */
START_TEST(check_and_the_request_behind_it_are_one_call)
{
	struct peer *client;

	stop();
	start_with(SETTINGS, on_errors[0].limits);
	client = client_comes();
	peer_say(
	    client, CHECK "GET /peek?key=key:9 HTTP/1.1\r\nHost: x\r\n\r\n");
	ck_assert_str_eq(call_heard(), "a:1, b:1, key:9");
	ck_assert_str_eq(call_heard(), "");
	ck_assert_int_eq(status_heard(client), 0);
	reply_buckets(3);
	ck_assert_ptr_nonnull(strstr(peer_heard(client), "\"limit\":\"a\""));
	ck_assert_str_eq(call_heard(), "");
}
END_TEST

/* The script of one may be refused, and sent again: what is asked behind it
 * waits for that, whichever script it needs. */
START_TEST(what_is_behind_the_first_call_for_several_keys_waits_for_it)
{
	struct peer *client;

	stop();
	start_with(SETTINGS, on_errors[0].limits);
	client = client_comes();
	peer_say(client, "MCONSUME a:1 1 b:1 1\n");
	ck_assert_int_eq(count_calls(), 1);
	peer_say(client, "CONSUME b:1\n");
	ck_assert_int_eq(count_calls(), 0);
	reply_buckets(2);
	ck_assert_int_eq(count_calls(), 1);
	peer_say(client, "MCONSUME a:1 1 b:1 1\n");
	ck_assert_int_eq(count_calls(), 0);
	reply_buckets(1);
	ck_assert_int_eq(count_calls(), 1);
	reply_buckets(2);
	peer_say(client, "CONSUME b:1\n");
	peer_say(client, "MCONSUME a:1 1 b:1 1\n");
	ck_assert_int_eq(count_calls(), 2);
}
END_TEST

/*
 * Trouble.
 */

START_TEST(lost_link_answers_all_requests_once)
{
	struct peer *client = client_comes();

	for (int i = 0; i < 6; i++) /* four are out, two wait */
		peer_say(client, "CONSUME key:%d\n", i);
	ck_assert_int_eq(stat_of("redis_ready"), 1);
	peer_close(server);
	ck_assert_int_eq(stat_of("redis_ready"), 0);
	ck_assert_str_eq(levels_heard(client),
	    "1 fallback, 1 fallback, 1 fallback, "
	    "1 fallback, 1 fallback, 1 fallback");
	peer_say(client, "CONSUME key:0\n");
	ck_assert_str_eq(levels_heard(client), "2 fallback");
	fake_pass(30 * MS);
	accept_store();
	peer_say(client, "CONSUME key:0 9\n");
	ck_assert_int_eq(count_calls(), 1);
	reply_buckets(1);
	ck_assert_str_eq(levels_heard(client), "9 redis");
	fake_pass(SECOND);
	ck_assert_str_eq(peer_heard(client), "");
}
END_TEST

/* Redis closes connections that are idle for longer than its timeout. */
static void
close_while_idle(void)
{
	fake_pass(SECOND);
	peer_close(server);
}

START_TEST(request_waits_for_an_idle_link_to_reconnect)
{
	struct peer *client = client_comes();

	close_while_idle();
	peer_say(client, "CONSUME key:1\n");
	ck_assert_str_eq(peer_heard(client), "");
	accept_store_with(" key:1");
	reply_buckets(1);
	ck_assert_str_eq(levels_heard(client), "1 redis");
	ck_assert_int_eq(stat_of("fallback"), 0);
}
END_TEST

START_TEST(request_waits_for_an_idle_link_no_longer_than_for_redis)
{
	struct peer *client = client_comes();

	close_while_idle();
	peer_say(client, "CONSUME key:1\n");
	fake_pass(50 * MS - 1);
	ck_assert_str_eq(peer_heard(client), "");
	fake_pass(1);
	ck_assert_str_eq(levels_heard(client), "1 fallback");
	accept_store();
	ck_assert_int_eq(count_calls(), 0);
	peer_say(client, "CONSUME key:1\n");
	ck_assert_int_eq(count_calls(), 1);
}
END_TEST

START_TEST(request_falls_back_once_an_idle_link_cannot_reconnect)
{
	struct peer *client = client_comes();

	close_while_idle();
	peer_say(client, "CONSUME key:1\n");
	while (fake_dials(NAME) > 0) /* the sweep's, too */
		fake_dial_fail(NAME, "a test says so");
	fake_run();
	ck_assert_str_eq(levels_heard(client), "1 fallback");
}
END_TEST

/* A batch that was decided shows a server that is well; being up does not. */
START_TEST(decided_batch_ends_the_backoff)
{
	struct peer *client = client_comes();

	peer_close(server);
	ck_assert_int_eq(fake_chance_bound(), 50 * MS);
	fake_pass(30 * MS);
	accept_store();
	peer_close(server);
	ck_assert_int_eq(fake_chance_bound(), 100 * MS);
	fake_pass(60 * MS);
	accept_store();
	peer_say(client, "CONSUME key:1\n");
	count_calls();
	reply_buckets(1);
	peer_close(server);
	ck_assert_int_eq(fake_chance_bound(), 50 * MS);
}
END_TEST

START_TEST(refused_batch_that_no_request_waits_for_is_not_sent)
{
	struct peer *client = client_comes();

	prove_script(client);
	peer_say(client, "CONSUME key:1\n");
	fake_pass(20 * MS);
	peer_say(client, "CONSUME key:2\n");
	ck_assert_int_eq(count_calls(), 2);
	peer_say(server, "-NOSCRIPT No matching script.\r\n");
	fake_pass(30 * MS);
	ck_assert_str_eq(levels_heard(client), "1 fallback");
	peer_say(server, "-NOSCRIPT No matching script.\r\n");
	ck_assert_int_eq(count_calls(), 1);
	reply_buckets(1);
	ck_assert_str_eq(levels_heard(client), "1 redis");
}
END_TEST

START_TEST(reset_cannot_fall_back)
{
	struct peer *client = client_comes();

	peer_close(server);
	peer_say(client, "RESET key:1\n");
	ck_assert_int_eq(strncmp(peer_heard(client), "ERR unavailable", 15), 0);
}
END_TEST

START_TEST(forgotten_script_is_sent_along_once)
{
	struct peer *client = client_comes();

	peer_say(client, "CONSUME key:1\n");
	ck_assert_int_eq(strncmp(peer_command(server), "EVALSHA ", 8), 0);
	peer_say(server, "-NOSCRIPT No matching script.\r\n");
	ck_assert_int_eq(strncmp(peer_command(server), "EVAL ... ", 9), 0);
	reply_buckets(1);
	ck_assert_str_eq(levels_heard(client), "1 redis");
	peer_say(client, "CONSUME key:2\n");
	ck_assert_int_eq(strncmp(peer_command(server), "EVALSHA ", 8), 0);
}
END_TEST

START_TEST(script_forgotten_twice_is_not_sent_again)
{
	struct peer *client = client_comes();

	peer_say(client, "CONSUME key:1\n");
	peer_say(server, "-NOSCRIPT No matching script.\r\n");
	ck_assert_int_eq(count_calls(), 2);
	peer_say(server, "-NOSCRIPT No matching script.\r\n");
	ck_assert_int_eq(count_calls(), 0);
	ck_assert_str_eq(levels_heard(client), "1 fallback");
}
END_TEST

START_TEST(refused_batch_falls_back)
{
	struct peer *client = client_comes();

	peer_say(client, "CONSUME key:1\n");
	peer_say(server, "-OOM command not allowed\r\n");
	ck_assert_str_eq(levels_heard(client), "1 fallback");
	ck_assert(!peer_is_left(server) || peer_command(server));
	count_calls();
	peer_say(client, "CONSUME key:2\n");
	ck_assert_int_eq(count_calls(), 1);
	reply_buckets(1);
	ck_assert_str_eq(levels_heard(client), "1 redis");
}
END_TEST

static const char *const of_others[] = {
    "-READONLY You can't write against a replica\r\n",
    "-NOREPLICAS Not enough good replicas to write.\r\n",
};

START_TEST(server_that_is_not_the_one_is_left)
{
	struct peer *client = client_comes();

	peer_say(client, "CONSUME key:1\nCONSUME window:1\n");
	count_calls();
	peer_say(server, "%s", of_others[_i]);
	ck_assert_str_eq(levels_heard(client), "1 fallback, 1 fallback");
	ck_assert(peer_is_left(server));
}
END_TEST

START_TEST(reply_that_is_not_the_scripts_closes)
{
	struct peer *client = client_comes();

	peer_say(client, "CONSUME key:1\n");
	count_calls();
	peer_say(server, "+OK\r\n");
	ck_assert_str_eq(levels_heard(client), "1 fallback");
	ck_assert(peer_is_left(server));
}
END_TEST

START_TEST(foreign_value_concerns_its_bucket_alone)
{
	struct peer *client = client_comes();

	peer_say(client, "CONSUME key:1\nCONSUME key:2\n");
	peer_say(server,
	    "*4\r\n$10\r\n1000000000\r\n$1\r\n0\r\n$-1\r\n$5\r\nhello\r\n");
	ck_assert_str_eq(levels_heard(client), "1 redis, 1 fallback");
	ck_assert_int_eq(stat_of("foreign_values"), 1);
	ck_assert(!peer_is_left(server) || count_calls() == 1);
}
END_TEST

/*
 * Clients that go, and daemons that end, with requests under way.
 */

START_TEST(reply_to_a_client_that_went_is_dropped)
{
	struct peer *gone = client_comes();
	struct peer *client = client_comes();

	peer_write(
	    gone, "PING\nCONSUME key:1\nCONSUME key:2\nEXPLAIN key:1\n", 47);
	peer_write(client, "CONSUME key:1 2\n", 16);
	fake_run();
	peer_reset(gone);
	ck_assert_uint_eq(pool_clients(pool), 1);
	reply_buckets(2);
	ck_assert_str_eq(levels_heard(client), "3 redis");
	peer_say(client, "PEEK key:3\n");
	reply_buckets(1);
	ck_assert_str_eq(levels_heard(client), "0 redis");
}
END_TEST

/* The slots of requests are used again: a reply that was waited for by a client
 * that went reaches no other. */
START_TEST(reply_to_a_client_that_went_reaches_no_other)
{
	struct peer *gone = client_comes();
	struct peer *client;

	peer_say(gone, "PING\nCONSUME key:1 7\n");
	peer_reset(gone);
	ck_assert_uint_eq(pool_clients(pool), 0);
	client = client_comes();
	peer_say(client, "CONSUME key:2 2\n");
	reply_buckets(1);
	ck_assert_str_eq(levels_heard(client), "");
	reply_buckets(1);
	ck_assert_str_eq(levels_heard(client), "2 redis");
}
END_TEST

START_TEST(client_that_ends_its_input_gets_its_response)
{
	struct peer *client = client_comes();

	peer_say(client, "CONSUME key:1\n");
	peer_shutdown(client);
	ck_assert(!peer_is_left(client));
	reply_buckets(1);
	ck_assert_str_eq(levels_heard(client), "1 redis");
	ck_assert(peer_is_left(client));
	ck_assert_uint_eq(pool_clients(pool), 0);
}
END_TEST

START_TEST(quit_waits_for_the_store)
{
	struct peer *client = client_comes();

	peer_say(client, "CONSUME key:1\nQUIT\n");
	fake_pass(10 * MS);
	ck_assert(!peer_is_left(client));
	reply_buckets(1);
	ck_assert_str_eq(levels_heard(client), "1 redis");
	ck_assert(peer_is_left(client));
}
END_TEST

START_TEST(client_that_waits_for_the_store_is_not_idle)
{
	struct peer *client;

	restart("[listen]\nidle_timeout = 1s\n"
		"[store]\ntype = redis\n"
		"[redis]\nhost = redis.example\nsocket_timeout = 30s\n");
	client = client_comes();
	peer_say(client, "CONSUME key:1\n");
	fake_pass(10 * SECOND);
	reply_buckets(1);
	ck_assert_str_eq(levels_heard(client), "1 redis");
	fake_pass(2 * SECOND);
	ck_assert(peer_is_left(client));
}
END_TEST

START_TEST(client_that_waits_for_its_turn_is_not_idle)
{
	struct peer *clients[10];

	restart("[listen]\nidle_timeout = 1s\n"
		"[store]\ntype = redis\n"
		"[redis]\nhost = redis.example\nsocket_timeout = 30s\n");
	for (int i = 0; i < 10; i++)
		clients[i] = client_comes();
	flood_by_ten(clients);
	fake_pass(10 * SECOND);
	ck_assert_uint_eq(pool_clients(pool), 10);
	ck_assert_int_eq(reply_to_flood(clients, 0), 2);
	ck_assert_uint_eq(pool_clients(pool), 10);
}
END_TEST

/* All lines that come without time passing. */
static size_t
count_all_lines(struct peer *client)
{
	size_t count = 0, step;

	while ((step = count_lines(client)) > 0) {
		count += step;
		fake_run();
	}
	return count;
}

/* Nor is one whose requests were read. */
START_TEST(client_whose_requests_wait_is_not_idle)
{
	char text[200 * 14 + 1];
	struct peer *client;
	size_t lines;

	restart("[listen]\nidle_timeout = 1s\n"
		"[store]\ntype = redis\n"
		"[redis]\nhost = redis.example\nsocket_timeout = 30s\n");
	client = client_comes();
	for (int i = 0; i < 200; i++)
		sprintf(text + i * 14, "CONSUME key:0\n");
	peer_write(client, text, sizeof(text) - 1);
	for (int i = 0; i < 3; i++)
		peer_write(client_given(), text, sizeof(text) - 1);
	fake_run();
	ck_assert_ptr_nonnull(peer_command(server));
	reply_buckets(1); /* now all room is the others' */
	lines = count_all_lines(client);
	ck_assert_uint_lt(lines, 200);
	fake_pass(10 * SECOND);
	ck_assert_uint_eq(pool_clients(pool), 4);
	while (peer_command(server))
		reply_buckets(1);
	ck_assert_uint_eq(lines + count_all_lines(client), 200);
}
END_TEST

START_TEST(drain_waits_for_the_store)
{
	struct peer *client;

	restart("[store]\ntype = redis\n"
		"[redis]\nhost = redis.example\nsocket_timeout = 30s\n");
	client = client_comes();
	peer_say(client, "CONSUME key:1\n");
	pool_drain(pool, false);
	fake_pass(5 * SECOND);
	ck_assert(!pool_is_drained(pool));
	ck_assert(!peer_is_left(client));
	reply_buckets(1);
	ck_assert_str_eq(levels_heard(client), "1 redis");
	fake_pass(3 * SECOND);
	ck_assert(peer_is_left(client));
	ck_assert(pool_is_drained(pool));
}
END_TEST

START_TEST(client_to_hand_over_gets_its_response_first)
{
	struct peer *client = client_comes();

	peer_say(client, "CONSUME key:1\n");
	pool_drain(pool, true);
	fake_pass(20 * MS);
	peer_say(client, "CONSUME key:2\n");
	fake_pass(10 * MS);
	ck_assert(!pool_is_drained(pool));
	ck_assert_int_eq(count_calls(), 1);
	reply_buckets(1);
	ck_assert_str_eq(levels_heard(client), "1 redis");
	fake_pass(40 * MS);
	ck_assert(pool_is_drained(pool));
	ck_assert(!peer_is_left(client));
	ck_assert_str_eq(handover_unread(), "CONSUME key:2");
}
END_TEST

START_TEST(pool_may_stop_at_any_time)
{
	struct peer *client = client_comes();

	for (int i = 0; i < 6; i++)
		peer_say(client, "CONSUME key:%d\nEXPLAIN window:%d\n", i, i);
	peer_write(client, "CONSUME key:7\n", 14);
}
END_TEST

/* Those that were asked under the old limits are decided by them. */
START_TEST(limits_may_change_with_requests_under_way)
{
	struct peer *client = client_comes();

	prove_script(client);
	peer_say(client, "CONSUME key:1\n");
	pool_set_rules(pool,
	    rules_of("[new]\nmatch = *\ncapacity = 2\nrate = 1/s\n"), NULL);
	peer_say(client, "CONSUME key:1\n");
	ck_assert_int_eq(count_calls(), 2);
	reply_buckets(1);
	ck_assert_ptr_nonnull(strstr(peer_heard(client), "limit=key level=1"));
	reply_buckets(1);
	ck_assert_ptr_nonnull(strstr(peer_heard(client), "limit=new level=1"));
}
END_TEST

Suite *
worker_redis_suite(void)
{
	Suite *suite = suite_create("worker_redis");
	TCase *tcase = tcase_create("worker_redis");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, wait_is_held_from_the_reply_on);
	tcase_add_test(
	    tcase, client_that_goes_away_before_the_reply_gives_its_turn_back);
	tcase_add_test(tcase, who_waits_when_redis_goes_may_still_leave);
	tcase_add_test(tcase, settles_once_connected);
	tcase_add_test(tcase, settles_once_it_cannot_connect);
	tcase_add_test(tcase, requests_of_a_turn_are_one_call);
	tcase_add_test(tcase, requests_about_one_bucket_are_decided_in_order);
	tcase_add_test(tcase, one_call_is_out_until_the_server_has_the_script);
	tcase_add_test(tcase, server_may_have_lost_the_script_with_the_link);
	tcase_add_test(tcase, no_more_calls_are_out_than_may_be);
	tcase_add_test(tcase, response_waits_for_those_before_it);
	tcase_add_test(tcase, text_and_reports_wait_for_the_store_too);
	tcase_add_test(tcase, each_response_has_the_form_of_its_request);
	tcase_add_test(tcase, client_with_many_requests_open_is_not_read_from);
	tcase_add_test(tcase, worker_takes_no_more_than_redis_answers_in_time);
	tcase_add_test(tcase, worker_takes_little_at_first);
	tcase_add_test(tcase, worker_takes_more_where_redis_is_quick);
	tcase_add_test(tcase, reports_that_waited_do_not_come_at_once);
	tcase_add_test(tcase,
	    reports_that_waited_are_not_all_written_to_who_does_not_read);
	tcase_add_test(tcase, request_falls_back_when_there_is_no_reply);
	tcase_add_test(tcase, request_that_waited_does_not_bring_the_link_down);
	tcase_add_test(tcase, batch_that_no_request_waits_for_is_not_sent);
	tcase_add_test(tcase, request_after_a_deadline_goes_into_a_new_batch);
	tcase_add_loop_test(tcase,
	    check_whose_batch_is_given_up_is_decided_by_on_error, 0,
	    COUNT(on_errors));
	tcase_add_test(tcase, check_and_the_request_behind_it_are_one_call);
	tcase_add_test(
	    tcase, what_is_behind_the_first_call_for_several_keys_waits_for_it);
	tcase_add_test(tcase, lost_link_answers_all_requests_once);
	tcase_add_test(tcase, request_waits_for_an_idle_link_to_reconnect);
	tcase_add_test(
	    tcase, request_waits_for_an_idle_link_no_longer_than_for_redis);
	tcase_add_test(
	    tcase, request_falls_back_once_an_idle_link_cannot_reconnect);
	tcase_add_test(tcase, decided_batch_ends_the_backoff);
	tcase_add_test(
	    tcase, refused_batch_that_no_request_waits_for_is_not_sent);
	tcase_add_test(tcase, reset_cannot_fall_back);
	tcase_add_test(tcase, forgotten_script_is_sent_along_once);
	tcase_add_test(tcase, script_forgotten_twice_is_not_sent_again);
	tcase_add_test(tcase, refused_batch_falls_back);
	tcase_add_loop_test(
	    tcase, server_that_is_not_the_one_is_left, 0, COUNT(of_others));
	tcase_add_test(tcase, reply_that_is_not_the_scripts_closes);
	tcase_add_test(tcase, foreign_value_concerns_its_bucket_alone);
	tcase_add_test(tcase, reply_to_a_client_that_went_is_dropped);
	tcase_add_test(tcase, reply_to_a_client_that_went_reaches_no_other);
	tcase_add_test(tcase, client_that_ends_its_input_gets_its_response);
	tcase_add_test(tcase, quit_waits_for_the_store);
	tcase_add_test(tcase, client_that_waits_for_the_store_is_not_idle);
	tcase_add_test(tcase, client_that_waits_for_its_turn_is_not_idle);
	tcase_add_test(tcase, client_whose_requests_wait_is_not_idle);
	tcase_add_test(tcase, drain_waits_for_the_store);
	tcase_add_test(tcase, client_to_hand_over_gets_its_response_first);
	tcase_add_test(tcase, pool_may_stop_at_any_time);
	tcase_add_test(tcase, limits_may_change_with_requests_under_way);
	suite_add_tcase(suite, tcase);
	return suite;
}
