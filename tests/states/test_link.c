#include "base/secret.h"
#include "fake/fake.h"
#include "fake/note.h"
#include "fake/peer.h"
#include "redis/link.h"
#include "base/clock.h"
#include "suites.h"

#include <stdio.h>
#include <string.h>

#define NAME "redis.example:6379"

#define CONNECT_US INT64_C(300000)
#define CALL_US    INT64_C(100000)

static const struct loop_events no_events;
static struct link_options options;
static struct loop *loop;
static struct dialer *dialer;
static struct link *link;
static struct peer *server;
static bool drops; /* what comes drops the link */

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

static void
on_message(const redisReply *reply, void *arg)
{
	(void)arg;
	note("message=%s", reply->element[2]->str);
}

/* The name of the call, and what it got. */
static void
on_reply(const redisReply *reply, void *arg)
{
	const char *name = arg;

	if (!reply)
		note("%s=NULL", name);
	else if (reply->type == REDIS_REPLY_INTEGER)
		note("%s=%lld", name, reply->integer);
	else
		note("%s=%s", name, reply->str);
	if (reply && drops)
		link_drop(link, "a test says so");
}

static const struct link_events events = {.up = on_up, .down = on_down};
static const struct link_events events_with_messages = {
    on_up, on_down, on_message};

static void
set_up(void)
{
	fake_start();
	noted();
	options = (struct link_options){
	    .endpoint = {.unix_socket_path = "",
		.host = "redis.example",
		.port = 6379},
	    .password = "",
	    .connect_timeout_us = CONNECT_US,
	    .socket_timeout_us = CALL_US,
	};
	loop = loop_new(&no_events, NULL);
	dialer = dialer_new(loop);
	link = NULL;
	server = NULL;
	drops = false;
}

static void
tear_down(void)
{
	link_free(link);
	peer_free(server);
	dialer_free(dialer);
	loop_free(loop);
	fake_end();
}

static void
make_link(const struct link_events *with)
{
	link = link_new(loop, dialer, &options, with, NULL);
	ck_assert_ptr_nonnull(link);
}

static void
accept_link(void)
{
	peer_free(server);
	server = peer_accept(NAME);
}

/* What a server of its own says to PING and HELLO. */
#define HELLO(mode, role)                                                      \
	"*6\r\n$5\r\nproto\r\n:2\r\n$4\r\nmode\r\n" mode "$4\r\nrole\r\n" role
#define ALONE   "$10\r\nstandalone\r\n"
#define CLUSTER "$7\r\ncluster\r\n"
#define MASTER  "$6\r\nmaster\r\n"
#define REPLICA "$7\r\nreplica\r\n"

/* Let it connect, and greet it. */
static void
accept_and_greet(void)
{
	accept_link();
	peer_greet(server);
}

static void
greet_link(void)
{
	accept_and_greet();
	ck_assert_str_eq(noted(), "up");
}

static void
make_up(void)
{
	make_link(&events);
	greet_link();
}

static int
call_by(const char *name, int64_t deadline_us)
{
	struct command command = {0};
	int result;

	command_start(&command, 2);
	command_add_text(&command, "GET");
	command_add_text(&command, name);
	result = link_call(
	    link, &command, deadline_us, on_reply, (void *)(uintptr_t)name);
	command_free(&command);
	return result;
}

/* Make a call that must be taken. */
static void
call(const char *name)
{
	ck_assert_int_eq(call_by(name, clock_us() + CALL_US), 0);
	link_flush(link);
}

/* Fail once more; return the bound of the pause that follows. */
static int64_t
fail_once(void)
{
	fake_dial_fail(NAME, "a test says so");
	fake_run();
	ck_assert_str_eq(noted(), "down");
	return fake_chance_bound();
}

START_TEST(is_up_once_the_server_has_greeted)
{
	make_link(&events);
	ck_assert_str_eq(noted(), "");
	accept_link();
	ck_assert_pstr_eq(peer_command(server), "PING");
	ck_assert_pstr_eq(peer_command(server), "HELLO 2");
	ck_assert_pstr_eq(peer_command(server), NULL);
	ck_assert_str_eq(noted(), "");
	peer_say(server, "+PONG\r\n");
	ck_assert_str_eq(noted(), "");
	peer_say(server, HELLO(ALONE, MASTER));
	ck_assert_str_eq(noted(), "up");
}
END_TEST

START_TEST(tells_the_server_its_name)
{
	options.node = "web 7\xc3\xa9";
	options.role = "worker-12";
	make_link(&events);
	accept_link();
	ck_assert_pstr_eq(peer_command(server), "PING");
	ck_assert_pstr_eq(
	    peer_command(server), "HELLO 2 SETNAME dripgate-web_7__-worker-12");
	peer_say(server, "+PONG\r\n" HELLO(ALONE, MASTER));
	ck_assert_str_eq(noted(), "up");
}
END_TEST

START_TEST(logs_in_and_selects_in_one_go)
{
	options.username = "gate";
	options.password = "secret";
	options.db = 7;
	make_link(&events);
	accept_link();
	ck_assert_pstr_eq(peer_command(server), "AUTH gate secret");
	ck_assert_pstr_eq(peer_command(server), "SELECT 7");
	ck_assert_pstr_eq(peer_command(server), "PING");
	ck_assert_pstr_eq(peer_command(server), "HELLO 2");
	peer_say(server, "+OK\r\n+OK\r\n+PONG\r\n");
	ck_assert_str_eq(noted(), "");
	peer_say(server, HELLO(ALONE, MASTER));
	ck_assert_str_eq(noted(), "up");
}
END_TEST

START_TEST(password_alone_is_the_default_users)
{
	options.password = "secret";
	make_link(&events);
	accept_link();
	ck_assert_pstr_eq(peer_command(server), "AUTH secret");
}
END_TEST

/* Of a user with "nopass". */
START_TEST(user_may_have_no_password)
{
	options.username = "gate";
	make_link(&events);
	accept_link();
	ck_assert_pstr_eq(peer_command(server), "AUTH gate ");
}
END_TEST

/* Its file may have another one soon, however long the link backs off else. */
START_TEST(password_from_a_file_that_is_refused_is_tried_again_soon)
{
	options.backoff_max_us = 100 * LINK_BACKOFF_MAX_US;
	options.secret = secret_new();
	secret_set(options.secret, "first");
	make_link(&events);
	for (int i = 0; i < 20; i++) {
		accept_link();
		ck_assert_pstr_eq(peer_command(server), "AUTH first");
		ck_assert(!secret_take_refused(options.secret));
		peer_say(server, "-WRONGPASS no\r\n");
		ck_assert(secret_take_refused(options.secret));
		ck_assert_int_le(fake_pass_to_next(), LINK_BACKOFF_MAX_US);
	}
	secret_set(options.secret, "second");
	accept_link();
	ck_assert_pstr_eq(peer_command(server), "AUTH second");
	link_free(link);
	link = NULL;
	secret_free(options.secret);
}
END_TEST

/* An old server, or a proxy; or a user without the right. */
START_TEST(server_need_not_know_hello_nor_let_ping)
{
	options.kind = LINK_TO_MASTER;
	make_link(&events);
	accept_link();
	peer_say(server, "-NOPERM no\r\n-ERR unknown command 'HELLO'\r\n");
	ck_assert_str_eq(noted(), "up");
	ck_assert_str_eq(fake_log(), "");
}
END_TEST

static const struct {
	enum link_kind kind;
	const char *hello;
	const char *log; /* "": it will do */
} servers[] = {
    {true, HELLO(ALONE, MASTER), ""},
    {true, HELLO(ALONE, REPLICA),
	"<4>redis " NAME ": is a replica: buckets need its master\n"},
    {false, HELLO(ALONE, REPLICA), ""},
    {true, HELLO(CLUSTER, MASTER),
	"<4>redis " NAME
	": is a node of a cluster: set topology = cluster, and "
	"hosts\n"},
    {false, HELLO(CLUSTER, MASTER), ""},
    {false, "*2\r\n$4\r\nmode\r\n$8\r\nsentinel\r\n",
	"<4>redis " NAME
	": is a sentinel: set topology = sentinel, and hosts\n"},
    {true, "*0\r\n", ""},
    {true, "*1\r\n$4\r\nmode\r\n", ""},
    {true, "*2\r\n:1\r\n*0\r\n", ""},
    {true, "$4\r\nmode\r\n", ""},
};

START_TEST(server_that_will_not_do_is_told)
{
	bool fine = *servers[_i].log == '\0';

	options.kind = servers[_i].kind;
	make_link(&events);
	accept_link();
	peer_say(server, "+PONG\r\n%s", servers[_i].hello);
	ck_assert_str_eq(noted(), fine ? "up" : "down");
	ck_assert_str_eq(fake_log(), servers[_i].log);
}
END_TEST

static const struct {
	const char *reply;
	bool is_up;
} records[] = {
    {"$-1\r\n", true}, /* nothing stands there */
    {"$12\r\npartitions=4\r\n", true},
    {"$14\r\n partitions=4 \r\n", true},
    {"$12\r\npartitions=8\r\n", false},
    {"$3\r\nfoo\r\n", true}, /* no record */
    {"-NOPERM no\r\n", true},
    {"-WRONGTYPE of another kind\r\n", true},
};

/* Silently: what follows the topology says so. */
START_TEST(server_with_another_topology_will_not_do)
{
	static const struct link_record record = {"topo", "partitions=4"};

	options.record = &record;
	make_link(&events);
	accept_link();
	ck_assert_str_eq(peer_commands(server), "PING, HELLO 2, GET topo");
	peer_say(
	    server, "+PONG\r\n" HELLO(ALONE, MASTER) "%s", records[_i].reply);
	ck_assert_str_eq(noted(), records[_i].is_up ? "up" : "down");
	ck_assert_str_eq(fake_log(), "");
}
END_TEST

/* A proxy that does not know HELLO; but a server may be restarted, too. */
START_TEST(server_that_closes_at_hello_is_greeted_without)
{
	make_link(&events);
	for (int i = 0; i < 2; i++) {
		accept_link();
		ck_assert_pstr_eq(peer_command(server), "PING");
		ck_assert_pstr_eq(peer_command(server), "HELLO 2");
		peer_write(server, "+PONG\r\n", 7);
		peer_close(server);
		ck_assert_str_eq(noted(), "down");
		fake_pass_to_next();
		accept_link();
		ck_assert_pstr_eq(peer_command(server), "PING");
		ck_assert_pstr_eq(peer_command(server), NULL);
		if (i == 0) {
			peer_close(server);
			ck_assert_str_eq(noted(), "down");
			fake_pass_to_next();
		}
	}
	peer_say(server, "+PONG\r\n");
	ck_assert_str_eq(noted(), "up");
	fake_pass(1000000);
	peer_close(server);
	accept_link();
	ck_assert_pstr_eq(peer_command(server), "PING");
	ck_assert_pstr_eq(peer_command(server), NULL);
}
END_TEST

static const struct {
	const char *said;
	const char *log;
} tls[] = {
    {"", ": closed the connection without a word, as ports for TLS do"},
    {"\x15\x03\x01", ": is a port for TLS"},
};

START_TEST(port_for_tls_is_told)
{
	make_link(&events);
	accept_link();
	peer_say(server, "%s", tls[_i].said);
	peer_close(server);
	ck_assert_str_eq(noted(), "down");
	ck_assert_ptr_nonnull(strstr(fake_log(), tls[_i].log));
}
END_TEST

START_TEST(error_in_the_greeting_is_a_failure)
{
	make_link(&events);
	accept_link();
	peer_say(server, "-LOADING the dataset\r\n");
	ck_assert_str_eq(noted(), "down");
	ck_assert_pstr_eq(peer_command(server), "PING");
	ck_assert_pstr_eq(peer_command(server), "HELLO 2");
	ck_assert(peer_is_left(server));
}
END_TEST

/* The reply to PING came with it, and is of no use. */
START_TEST(wrong_password_is_a_failure)
{
	options.password = "secret";
	make_link(&events);
	accept_link();
	peer_say(server, "-WRONGPASS no\r\n+OK\r\n");
	ck_assert_str_eq(noted(), "down");
	fake_pass(LINK_BACKOFF_MIN_US);
	ck_assert_uint_eq(fake_dials(NAME), 1);
}
END_TEST

/* Nothing else would ever wake it. */
START_TEST(dialing_without_memory_fails_when_the_time_is_over)
{
	fake_dial_without_memory();
	make_link(&events);
	fake_pass(CONNECT_US - 1);
	ck_assert_str_eq(noted(), "");
	fake_pass(1);
	ck_assert_str_eq(noted(), "down");
	ck_assert_ptr_nonnull(strstr(fake_log(), "Cannot allocate memory"));
	while (fake_dials(NAME) == 0)
		fake_pass_to_next();
	greet_link();
}
END_TEST

START_TEST(call_is_refused_unless_up)
{
	make_link(&events);
	ck_assert_int_eq(call_by("a", clock_us() + CALL_US), -1);
	greet_link();
	peer_close(server);
	ck_assert_str_eq(noted(), "down");
	ck_assert_int_eq(call_by("a", clock_us() + CALL_US), -1);
	fake_pass(CALL_US);
	ck_assert_str_eq(noted(), "");
}
END_TEST

START_TEST(command_without_memory_is_refused)
{
	struct command command = {.failed = true};

	make_up();
	ck_assert_int_eq(
	    link_call(link, &command, clock_us() + CALL_US, on_reply, NULL),
	    -1);
	call("a");
	ck_assert_pstr_eq(peer_command(server), "GET a");
	peer_say(server, ":1\r\n");
	ck_assert_str_eq(noted(), "a=1");
}
END_TEST

START_TEST(replies_go_to_calls_in_order)
{
	make_up();
	call("a");
	call("b");
	call("c");
	ck_assert_pstr_eq(peer_command(server), "GET a");
	ck_assert_pstr_eq(peer_command(server), "GET b");
	ck_assert_pstr_eq(peer_command(server), "GET c");
	peer_say(server, ":1\r\n$3\r\ntwo\r\n");
	ck_assert_str_eq(noted(), "a=1 b=two");
	call("d");
	peer_say(server, "-ERR three\r\n:4\r\n");
	ck_assert_str_eq(noted(), "c=ERR three d=4");
}
END_TEST

START_TEST(reply_may_come_byte_by_byte)
{
	static const char bytes[] = "$3\r\none\r\n:2\r\n";

	make_up();
	call("a");
	call("b");
	for (const char *at = bytes; *at; at++) {
		ck_assert_str_eq(noted(), at == bytes + 9 ? "a=one" : "");
		peer_say(server, "%c", *at);
	}
	ck_assert_str_eq(noted(), "b=2");
}
END_TEST

START_TEST(nothing_is_sent_before_the_flush)
{
	make_up();
	ck_assert_int_eq(call_by("a", clock_us() + CALL_US), 0);
	fake_run();
	ck_assert_pstr_eq(peer_command(server), NULL);
	link_flush(link);
	ck_assert_pstr_eq(peer_command(server), "GET a");
}
END_TEST

/* More than the socket takes. */
START_TEST(sends_the_rest_when_there_is_room)
{
	static char key[4 << 20];
	char name[] = "a";
	struct command command = {0};
	size_t heard = 0;

	memset(key, 'k', sizeof(key) - 1);
	make_up();
	command_start(&command, 1);
	command_add_text(&command, key);
	ck_assert_int_eq(
	    link_call(link, &command, clock_us() + CALL_US, on_reply, name), 0);
	link_flush(link);
	for (size_t step = 1; step > 0; heard += step) {
		fake_run();
		step = strlen(peer_heard(server));
	}
	ck_assert_uint_eq(heard, buf_len(&command.bytes));
	peer_say(server, ":1\r\n");
	ck_assert_str_eq(noted(), "a=1");
	command_free(&command);
}
END_TEST

START_TEST(missed_deadline_closes_the_connection)
{
	make_up();
	call("a");
	fake_pass(CALL_US - 1);
	ck_assert_str_eq(noted(), "");
	ck_assert(!peer_is_left(server));
	fake_pass(1);
	ck_assert_str_eq(noted(), "a=NULL down");
	ck_assert_pstr_eq(peer_command(server), "GET a");
	ck_assert(peer_is_left(server));
}
END_TEST

START_TEST(all_in_flight_get_null_once)
{
	make_up();
	call("a");
	fake_pass(CALL_US / 2);
	call("b");
	call("c");
	fake_pass(CALL_US / 2);
	ck_assert_str_eq(noted(), "a=NULL b=NULL c=NULL down");
	fake_pass(CALL_US / 2 - 1);
	ck_assert_str_eq(noted(), "");
}
END_TEST

/* Calls have deadlines of their own, not that of the one before. */
START_TEST(earlier_deadline_of_a_later_call_counts)
{
	make_up();
	call("a");
	ck_assert_int_eq(call_by("b", clock_us() + 1000), 0);
	link_flush(link);
	fake_pass(999);
	ck_assert_str_eq(noted(), "");
	fake_pass(1);
	ck_assert_str_eq(noted(), "a=NULL b=NULL down");
}
END_TEST

START_TEST(deadline_that_was_met_is_of_no_effect)
{
	make_up();
	call("a");
	fake_pass(CALL_US / 2);
	peer_say(server, ":1\r\n");
	call("b");
	fake_pass(CALL_US - 1);
	ck_assert_str_eq(noted(), "a=1");
	peer_say(server, ":2\r\n");
	fake_pass(10 * CALL_US);
	ck_assert_str_eq(noted(), "b=2");
}
END_TEST

/* What has come is read before the clock is looked at. */
START_TEST(reply_counts_that_came_while_the_machine_was_busy)
{
	make_up();
	call("a");
	peer_write(server, ":1\r\n", 4);
	fake_stall(10 * CALL_US);
	fake_run();
	ck_assert_str_eq(noted(), "a=1");
}
END_TEST

/* Also if that is more than is read at a time. */
START_TEST(large_reply_counts_that_came_while_the_machine_was_busy)
{
	static char bytes[50000];
	int head = sprintf(bytes, "$%zu\r\n", sizeof(bytes) - 10);

	make_up();
	call("a");
	memset(bytes + head, 'x', sizeof(bytes) - 10);
	memcpy(bytes + sizeof(bytes) - 2, "\r\n", 2);
	ck_assert_int_eq(head, 8);
	peer_write(server, bytes, sizeof(bytes));
	fake_stall(10 * CALL_US);
	fake_run();
	ck_assert_ptr_nonnull(strstr(noted(), "a=xxx"));
}
END_TEST

START_TEST(late_reply_never_reaches_another_call)
{
	struct peer *before;

	make_up();
	call("a");
	fake_pass(CALL_US);
	ck_assert_str_eq(noted(), "a=NULL down");
	before = server;
	server = NULL;
	fake_pass_to_next();
	greet_link();
	call("b");
	ck_assert(peer_is_left(before) || peer_command(before));
	ck_assert_pstr_eq(peer_command(server), "GET b");
	peer_say(server, ":2\r\n");
	ck_assert_str_eq(noted(), "b=2");
	peer_free(before);
}
END_TEST

/* Half a reply of the old connection is not the start of one of the new. */
START_TEST(half_a_reply_ends_with_its_connection)
{
	make_up();
	call("a");
	peer_say(server, "$10\r\nhalf");
	peer_close(server);
	ck_assert_str_eq(noted(), "a=NULL down");
	fake_pass_to_next();
	greet_link();
	call("b");
	peer_say(server, ":2\r\n");
	ck_assert_str_eq(noted(), "b=2");
}
END_TEST

/* What was queued and not sent is not sent to the next connection. */
START_TEST(queued_command_ends_with_its_connection)
{
	make_up();
	ck_assert_int_eq(call_by("a", clock_us() + CALL_US), 0);
	peer_close(server);
	ck_assert_str_eq(noted(), "a=NULL down");
	fake_pass_to_next();
	greet_link();
	ck_assert_pstr_eq(peer_command(server), NULL);
}
END_TEST

START_TEST(closed_connection_fails_all_calls)
{
	make_up();
	call("a");
	call("b");
	peer_close(server);
	ck_assert_str_eq(noted(), "a=NULL b=NULL down");
	fake_pass_to_next();
	ck_assert_uint_eq(fake_dials(NAME), 1);
}
END_TEST

/* What came before the end is delivered. */
START_TEST(last_replies_count)
{
	make_up();
	call("a");
	call("b");
	peer_write(server, ":1\r\n", 4);
	peer_close(server);
	ck_assert_str_eq(noted(), "a=1 b=NULL down");
}
END_TEST

/* Redis closes connections that are idle for longer than its timeout. */
#define IDLE_US 1000000

START_TEST(close_while_idle_is_no_failure)
{
	make_up();
	for (int i = 0; i < 3; i++) {
		fake_pass(IDLE_US);
		ck_assert(link_is_up(link));
		peer_close(server);
		ck_assert(!link_is_up(link));
		ck_assert_uint_eq(fake_dials(NAME), 1);
		accept_and_greet();
		ck_assert(link_is_up(link));
		call("a");
		ck_assert_pstr_eq(peer_command(server), "GET a");
		peer_say(server, ":1\r\n");
		ck_assert_str_eq(noted(), "a=1");
	}
	ck_assert_str_eq(fake_log(), "");
}
END_TEST

START_TEST(calls_wait_for_the_reconnection)
{
	make_up();
	fake_pass(IDLE_US);
	peer_close(server);
	call("a");
	fake_pass(CALL_US);
	call("b");
	fake_pass(CALL_US / 2);
	ck_assert_str_eq(noted(), "");
	accept_and_greet();
	ck_assert_pstr_eq(peer_command(server), "GET a");
	ck_assert_pstr_eq(peer_command(server), "GET b");
	fake_pass(CALL_US - 1);
	peer_say(server, ":1\r\n:2\r\n");
	ck_assert_str_eq(noted(), "a=1 b=2");
	ck_assert_str_eq(fake_log(), "");
}
END_TEST

START_TEST(calls_that_waited_have_their_deadline)
{
	make_up();
	fake_pass(IDLE_US);
	peer_close(server);
	call("a");
	fake_pass(CALL_US);
	accept_and_greet();
	fake_pass(CALL_US - 1);
	ck_assert_str_eq(noted(), "");
	fake_pass(1);
	ck_assert_str_eq(noted(), "a=NULL down");
}
END_TEST

/* A command that was sent, or given up, must not run with a later one. */
START_TEST(calls_that_waited_are_sent_once)
{
	make_up();
	fake_pass(IDLE_US);
	peer_close(server);
	call("a");
	accept_and_greet();
	ck_assert_str_eq(peer_commands(server), "GET a");
	peer_say(server, ":1\r\n");
	fake_pass(IDLE_US);
	peer_close(server);
	call("b");
	accept_and_greet();
	ck_assert_str_eq(peer_commands(server), "GET b");
	peer_say(server, ":2\r\n");
	fake_pass(IDLE_US);
	peer_close(server);
	call("c");
	fake_dial_fail(NAME, "a test says so");
	fake_run();
	ck_assert_str_eq(noted(), "a=1 b=2 c=NULL down");
	fake_pass_to_next();
	greet_link();
	fake_pass(IDLE_US);
	peer_close(server);
	call("d");
	accept_and_greet();
	ck_assert_str_eq(peer_commands(server), "GET d");
}
END_TEST

START_TEST(reconnection_that_fails_is_a_failure)
{
	make_up();
	fake_pass(IDLE_US);
	peer_close(server);
	call("a");
	call("b");
	fake_dial_fail(NAME, "a test says so");
	fake_run();
	ck_assert_str_eq(noted(), "a=NULL b=NULL down");
	ck_assert_str_eq(fake_log(), "<4>redis " NAME ": a test says so\n");
	ck_assert_int_eq(call_by("c", clock_us() + CALL_US), -1);
	fake_pass_to_next();
	greet_link();
	ck_assert_pstr_eq(peer_command(server), NULL);
}
END_TEST

START_TEST(reconnection_is_given_up_in_time)
{
	make_up();
	fake_pass(IDLE_US);
	peer_close(server);
	call("a");
	fake_pass(CONNECT_US - 1);
	ck_assert_str_eq(noted(), "");
	fake_pass(1);
	ck_assert_str_eq(noted(), "a=NULL down");
}
END_TEST

/* The loop does not know it yet. */
START_TEST(call_after_a_close_while_idle_is_not_lost)
{
	make_up();
	call("a");
	peer_say(server, ":1\r\n");
	ck_assert_str_eq(noted(), "a=1");
	fake_pass(IDLE_US);
	peer_free(server);
	server = NULL;
	call("b");
	accept_and_greet();
	ck_assert_pstr_eq(peer_command(server), "GET b");
	peer_say(server, ":2\r\n");
	ck_assert_str_eq(noted(), "b=2");
}
END_TEST

/* It would be for ever, at full speed. */
START_TEST(close_soon_after_the_greeting_is_a_failure)
{
	make_up();
	fake_pass(IDLE_US / 4);
	peer_close(server);
	ck_assert_str_eq(noted(), "down");
	ck_assert_uint_eq(fake_dials(NAME), 0);
}
END_TEST

START_TEST(close_with_a_call_in_flight_is_a_failure)
{
	make_up();
	fake_pass(IDLE_US);
	call("a");
	peer_close(server);
	ck_assert_str_eq(noted(), "a=NULL down");
}
END_TEST

/* What was published meanwhile is missed. */
START_TEST(close_of_a_subscription_is_a_failure)
{
	make_link(&events_with_messages);
	greet_link();
	fake_pass(IDLE_US);
	peer_close(server);
	ck_assert_str_eq(noted(), "down");
}
END_TEST

START_TEST(free_while_calls_wait_for_the_reconnection)
{
	make_up();
	fake_pass(IDLE_US);
	peer_close(server);
	call("a");
	link_free(link);
	link = NULL;
	ck_assert_str_eq(noted(), "a=NULL");
}
END_TEST

START_TEST(reply_without_a_call_closes)
{
	make_up();
	peer_say(server, ":1\r\n");
	ck_assert_str_eq(noted(), "down");
	ck_assert(peer_is_left(server));
}
END_TEST

START_TEST(malformed_reply_closes)
{
	make_up();
	call("a");
	peer_say(server, "hello\r\n");
	ck_assert_str_eq(noted(), "a=NULL down");
}
END_TEST

START_TEST(too_large_reply_closes)
{
	options.reply_max_bytes = 1000;
	make_up();
	call("a");
	peer_say(server, "$%d\r\n", 1001);
	ck_assert_str_eq(noted(), "a=NULL down");
}
END_TEST

START_TEST(drop_fails_calls_at_once)
{
	make_up();
	call("a");
	link_drop(link, "a test says so");
	ck_assert_str_eq(noted(), "a=NULL down");
	link_drop(link, "a test says so");
	ck_assert_str_eq(noted(), "");
	fake_pass_to_next();
	ck_assert_uint_eq(fake_dials(NAME), 1);
	link_drop(link, "a test says so");
	ck_assert_str_eq(noted(), "");
	ck_assert_uint_eq(fake_dials(NAME), 1);
}
END_TEST

/* Replies behind the one that made it drop are not delivered. */
START_TEST(drop_from_within_a_reply)
{
	make_up();
	call("a");
	call("b");
	drops = true;
	peer_say(server, ":1\r\n:2\r\n");
	ck_assert_str_eq(noted(), "a=1 b=NULL down");
	fake_pass_to_next();
	drops = false;
	greet_link();
}
END_TEST

START_TEST(hanging_dial_is_given_up_in_time)
{
	make_link(&events);
	fake_pass(CONNECT_US - 1);
	ck_assert_str_eq(noted(), "");
	ck_assert_uint_eq(fake_dials(NAME), 1);
	fake_pass(1);
	ck_assert_str_eq(noted(), "down");
	ck_assert_uint_eq(fake_dials(NAME), 0);
}
END_TEST

/* Connecting and greeting have one time-out together. */
START_TEST(silent_server_is_given_up_in_time)
{
	make_link(&events);
	fake_pass(CONNECT_US / 2);
	accept_link();
	fake_pass(CONNECT_US / 2 - 1);
	ck_assert_str_eq(noted(), "");
	fake_pass(1);
	ck_assert_str_eq(noted(), "down");
	ck_assert_pstr_eq(peer_command(server), "PING");
	ck_assert_pstr_eq(peer_command(server), "HELLO 2");
	ck_assert(peer_is_left(server));
}
END_TEST

START_TEST(backoff_doubles_up_to_its_most)
{
	static const int64_t bounds[] = {
	    50000, 100000, 200000, 400000, 500000, 500000};

	make_link(&events);
	fake_chance(1);
	for (size_t i = 0; i < COUNT(bounds); i++) {
		ck_assert_int_eq(fail_once(), bounds[i]);
		ck_assert_uint_eq(fake_dials(NAME), 0);
		ck_assert_int_eq(fake_pass_to_next(), bounds[i] - 1);
		ck_assert_uint_eq(fake_dials(NAME), 1);
	}
}
END_TEST

START_TEST(backoff_most_is_an_option)
{
	options.backoff_max_us = 75000;
	make_link(&events);
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(fail_once(), i == 0 ? 50000 : 75000);
		fake_pass_to_next();
	}
}
END_TEST

/* A look-up that failed went to no server that could be spared. */
START_TEST(backoff_is_short_while_the_name_is_unknown)
{
	options.backoff_max_us = 5000000;
	make_link(&events);
	for (int i = 0; i < 10; i++) {
		fake_dial_fail_lookup(NAME, "a test says so");
		fake_run();
		fake_pass_to_next();
	}
	ck_assert_int_eq(fake_chance_bound(), LINK_UNKNOWN_MAX_US);
	fake_dial_fail(NAME, "a test says so");
	fake_run();
	ck_assert_int_eq(fake_chance_bound(), 5000000);
}
END_TEST

/* Where there are many links, all of them look their names up. */
START_TEST(backoff_grows_while_the_name_is_unknown)
{
	options.backoff_max_us = 800000;
	make_link(&events);
	for (int i = 0; i < 10; i++) {
		fake_dial_fail_lookup(NAME, "a test says so");
		fake_run();
		fake_pass_to_next();
	}
	ck_assert_int_eq(fake_chance_bound(), 800000);
}
END_TEST

/* Full jitter: from no pause at all to all of it. */
START_TEST(backoff_is_a_random_part)
{
	make_link(&events);
	fake_chance(0);
	fail_once();
	ck_assert_uint_eq(fake_dials(NAME), 1);
	fake_chance(0.25);
	ck_assert_int_eq(fail_once(), 100000);
	ck_assert_int_eq(fake_pass_to_next(), 25000);
}
END_TEST

START_TEST(being_up_does_not_end_the_backoff)
{
	make_link(&events);
	fail_once();
	fake_pass_to_next();
	fail_once();
	fake_pass_to_next();
	greet_link();
	peer_close(server);
	ck_assert_str_eq(noted(), "down");
	ck_assert_int_eq(fake_chance_bound(), 200000);
}
END_TEST

START_TEST(being_proven_ends_the_backoff)
{
	make_link(&events);
	fail_once();
	fake_pass_to_next();
	fail_once();
	fake_pass_to_next();
	greet_link();
	link_proven(link);
	peer_close(server);
	ck_assert_str_eq(noted(), "down");
	ck_assert_int_eq(fake_chance_bound(), 50000);
}
END_TEST

/* At its start, every ten seconds, and when it is over. */
START_TEST(outage_is_logged_now_and_then)
{
	options.connect_timeout_us = INT64_C(3600000000);
	make_link(&events);
	fail_once();
	ck_assert_str_eq(fake_log(), "<4>redis " NAME ": a test says so\n");
	for (int i = 0; i < 9; i++) {
		fake_pass(1000000);
		fail_once();
		ck_assert_str_eq(fake_log(), "");
	}
	fake_pass(1000000);
	fail_once();
	ck_assert_str_eq(fake_log(), "<4>redis " NAME ": a test says so\n");
	fake_pass_to_next();
	greet_link();
	ck_assert_str_eq(fake_log(), "");
	link_proven(link);
	ck_assert_str_eq(fake_log(), "<6>redis " NAME ": replies again\n");
	link_proven(link);
	ck_assert_str_eq(fake_log(), "");
}
END_TEST

START_TEST(published_messages_answer_no_call)
{
	static const char said[] = "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi"
				   "\r\n";

	make_link(&events_with_messages);
	greet_link();
	peer_say(server, "%s", said);
	ck_assert_str_eq(noted(), "message=hi");
	call("a");
	peer_say(server, "%s:1\r\n%s", said, said);
	ck_assert_str_eq(noted(), "message=hi a=1 message=hi");
}
END_TEST

START_TEST(free_fails_calls_and_calls_no_event)
{
	make_up();
	call("a");
	call("b");
	link_free(link);
	link = NULL;
	ck_assert_str_eq(noted(), "a=NULL b=NULL");
}
END_TEST

START_TEST(free_at_any_time)
{
	make_link(&events); /* while it dials */
	link_free(link);
	make_link(&events); /* while it greets */
	accept_link();
	link_free(link);
	make_link(&events); /* while it backs off */
	fail_once();
	link_free(link);
	make_link(&events); /* connected, and does not know it yet */
	peer_free(server);
	server = peer_connect(NAME);
	link_free(link);
	link_free(NULL);
	link = NULL;
	ck_assert_str_eq(noted(), "");
}
END_TEST

Suite *
link_suite(void)
{
	Suite *suite = suite_create("link");
	TCase *tcase = tcase_create("link");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, is_up_once_the_server_has_greeted);
	tcase_add_test(tcase, tells_the_server_its_name);
	tcase_add_test(tcase, logs_in_and_selects_in_one_go);
	tcase_add_test(tcase, password_alone_is_the_default_users);
	tcase_add_test(tcase, user_may_have_no_password);
	tcase_add_test(
	    tcase, password_from_a_file_that_is_refused_is_tried_again_soon);
	tcase_add_test(tcase, server_need_not_know_hello_nor_let_ping);
	tcase_add_loop_test(tcase, server_with_another_topology_will_not_do, 0,
	    (int)COUNT(records));
	tcase_add_loop_test(
	    tcase, server_that_will_not_do_is_told, 0, COUNT(servers));
	tcase_add_test(tcase, server_that_closes_at_hello_is_greeted_without);
	tcase_add_loop_test(tcase, port_for_tls_is_told, 0, COUNT(tls));
	tcase_add_test(tcase, error_in_the_greeting_is_a_failure);
	tcase_add_test(tcase, wrong_password_is_a_failure);
	tcase_add_test(
	    tcase, dialing_without_memory_fails_when_the_time_is_over);
	tcase_add_test(tcase, call_is_refused_unless_up);
	tcase_add_test(tcase, command_without_memory_is_refused);
	tcase_add_test(tcase, replies_go_to_calls_in_order);
	tcase_add_test(tcase, reply_may_come_byte_by_byte);
	tcase_add_test(tcase, nothing_is_sent_before_the_flush);
	tcase_add_test(tcase, sends_the_rest_when_there_is_room);
	tcase_add_test(tcase, missed_deadline_closes_the_connection);
	tcase_add_test(tcase, all_in_flight_get_null_once);
	tcase_add_test(tcase, earlier_deadline_of_a_later_call_counts);
	tcase_add_test(tcase, deadline_that_was_met_is_of_no_effect);
	tcase_add_test(
	    tcase, reply_counts_that_came_while_the_machine_was_busy);
	tcase_add_test(
	    tcase, large_reply_counts_that_came_while_the_machine_was_busy);
	tcase_add_test(tcase, late_reply_never_reaches_another_call);
	tcase_add_test(tcase, half_a_reply_ends_with_its_connection);
	tcase_add_test(tcase, queued_command_ends_with_its_connection);
	tcase_add_test(tcase, closed_connection_fails_all_calls);
	tcase_add_test(tcase, last_replies_count);
	tcase_add_test(tcase, close_while_idle_is_no_failure);
	tcase_add_test(tcase, calls_wait_for_the_reconnection);
	tcase_add_test(tcase, calls_that_waited_have_their_deadline);
	tcase_add_test(tcase, calls_that_waited_are_sent_once);
	tcase_add_test(tcase, reconnection_that_fails_is_a_failure);
	tcase_add_test(tcase, reconnection_is_given_up_in_time);
	tcase_add_test(tcase, call_after_a_close_while_idle_is_not_lost);
	tcase_add_test(tcase, close_soon_after_the_greeting_is_a_failure);
	tcase_add_test(tcase, close_with_a_call_in_flight_is_a_failure);
	tcase_add_test(tcase, close_of_a_subscription_is_a_failure);
	tcase_add_test(tcase, free_while_calls_wait_for_the_reconnection);
	tcase_add_test(tcase, reply_without_a_call_closes);
	tcase_add_test(tcase, malformed_reply_closes);
	tcase_add_test(tcase, too_large_reply_closes);
	tcase_add_test(tcase, drop_fails_calls_at_once);
	tcase_add_test(tcase, drop_from_within_a_reply);
	tcase_add_test(tcase, hanging_dial_is_given_up_in_time);
	tcase_add_test(tcase, silent_server_is_given_up_in_time);
	tcase_add_test(tcase, backoff_doubles_up_to_its_most);
	tcase_add_test(tcase, backoff_most_is_an_option);
	tcase_add_test(tcase, backoff_is_short_while_the_name_is_unknown);
	tcase_add_test(tcase, backoff_grows_while_the_name_is_unknown);
	tcase_add_test(tcase, backoff_is_a_random_part);
	tcase_add_test(tcase, being_up_does_not_end_the_backoff);
	tcase_add_test(tcase, being_proven_ends_the_backoff);
	tcase_add_test(tcase, outage_is_logged_now_and_then);
	tcase_add_test(tcase, published_messages_answer_no_call);
	tcase_add_test(tcase, free_fails_calls_and_calls_no_event);
	tcase_add_test(tcase, free_at_any_time);
	suite_add_tcase(suite, tcase);
	return suite;
}
