#include "fake/fake.h"
#include "fake/note.h"
#include "fake/peer.h"
#include "redis/script_call.h"
#include "suites.h"

#define TIMEOUT_US INT64_C(100000)

#define NOSCRIPT "-NOSCRIPT No matching script.\r\n"

static const struct script tally = {
    .name = "tally", .text = "tally text", .sha = "tally"};
static const struct script reader = {.name = "reader",
    .text = "reader text",
    .sha = "reader",
    .read_only = true};

/* A call with its name; ${gone}: no one waits for it. */
struct named {
	struct script_call call;
	const char *name;
	bool gone;
};

static const struct loop_events no_events;
static struct link_options options;
static struct loop *loop;
static struct dialer *dialer;
static struct link *link;
static struct script_calls calls;
static struct peer *server;

static void
on_event(void *arg)
{
	(void)arg;
}

static bool
write_named(struct script_call *call, struct command *command)
{
	struct named *named = CONTAINER_OF(call, struct named, call);

	if (named->gone)
		return false;
	script_begin(command, call, 1);
	command_add_text(command, named->name);
	return true;
}

static void
on_named(struct script_call *call, const redisReply *reply)
{
	struct named *named = CONTAINER_OF(call, struct named, call);

	if (!reply)
		note("%s=NULL", named->name);
	else if (reply->type == REDIS_REPLY_INTEGER)
		note("%s=%lld", named->name, reply->integer);
	else
		note("%s=%.8s", named->name, reply->str);
}

static struct named
named(const char *name, const struct script *script)
{
	return (struct named){
	    .call = {.script = script,
		.timeout_us = TIMEOUT_US,
		.write = write_named,
		.done = on_named},
	    .name = name,
	};
}

static void
send_named(struct named *one)
{
	ck_assert_int_eq(script_call(&calls, &one->call), 0);
	link_flush(link);
}

static void
set_up(void)
{
	static const struct link_events events = {
	    .up = on_event, .down = on_event};

	fake_start();
	noted();
	options = (struct link_options){
	    .endpoint = {.unix_socket_path = "/redis", .host = ""},
	    .password = "",
	    .connect_timeout_us = TIMEOUT_US,
	};
	loop = loop_new(&no_events, NULL);
	dialer = dialer_new(loop);
	link = link_new(loop, dialer, &options, &events, NULL);
	ck_assert_ptr_nonnull(link);
	script_calls_init(&calls, link, SCRIPT_EVALSHA);
	server = peer_accept("/redis");
	peer_greet(server);
}

static void
tear_down(void)
{
	link_free(link);
	script_calls_free(&calls);
	peer_free(server);
	dialer_free(dialer);
	loop_free(loop);
	fake_end();
}

START_TEST(script_is_called_by_its_digest)
{
	struct named a = named("a", &tally), b = named("b", &reader);

	send_named(&a);
	send_named(&b);
	ck_assert_str_eq(
	    peer_commands(server), "EVALSHA tally a, EVALSHA_RO reader b");
	peer_say(server, ":1\r\n:2\r\n");
	ck_assert_str_eq(noted(), "a=1 b=2");
}
END_TEST

START_TEST(forgotten_script_is_sent_with_the_call)
{
	struct named a = named("a", &tally), b = named("b", &reader);

	send_named(&a);
	peer_say(server, NOSCRIPT);
	ck_assert_str_eq(
	    peer_commands(server), "EVALSHA tally a, EVAL tally text a");
	peer_say(server, ":1\r\n");
	send_named(&b);
	peer_say(server, NOSCRIPT ":2\r\n");
	ck_assert_str_eq(peer_commands(server),
	    "EVALSHA_RO reader b, EVAL_RO reader text b");
	ck_assert_str_eq(noted(), "a=1 b=2");
}
END_TEST

#define NO_FUNCTION "-ERR Function not found\r\n"

#define FCALL_TALLY "FCALL dripgate_tally "

#define LOAD_TALLY "FUNCTION LOAD ..." /* it is long */

START_TEST(function_is_loaded_once_it_is_missing)
{
	struct named a = named("a", &tally), b = named("b", &tally),
		     c = named("c", &reader);

	calls.mode = SCRIPT_FUNCTION;
	send_named(&a);
	send_named(&b);
	ck_assert_str_eq(
	    peer_commands(server), FCALL_TALLY "a, " FCALL_TALLY "b");
	peer_say(server, NO_FUNCTION NO_FUNCTION);
	ck_assert_str_eq(peer_commands(server),
	    LOAD_TALLY ", " FCALL_TALLY "a, " FCALL_TALLY "b");
	peer_say(server, "$14\r\ndripgate_tally\r\n:1\r\n:2\r\n");
	send_named(&c);
	ck_assert_str_eq(peer_commands(server), "FCALL_RO dripgate_reader c");
	peer_say(server, ":3\r\n");
	ck_assert_str_eq(noted(), "a=1 b=2 c=3");
}
END_TEST

START_TEST(function_that_cannot_be_loaded_is_an_error)
{
	struct named a = named("a", &tally);

	calls.mode = SCRIPT_FUNCTION;
	send_named(&a);
	peer_say(server, NO_FUNCTION);
	peer_say(server, "-NOPERM no\r\n" NO_FUNCTION);
	ck_assert_str_eq(noted(), "a=ERR Func");
	ck_assert_str_eq(peer_commands(server),
	    FCALL_TALLY "a, " LOAD_TALLY ", " FCALL_TALLY "a");
}
END_TEST

START_TEST(server_without_functions_gets_scripts)
{
	struct named a = named("a", &tally), b = named("b", &tally),
		     c = named("c", &tally);

	calls.mode = SCRIPT_FUNCTION;
	send_named(&a);
	send_named(&b);
	peer_commands(server);
	peer_say(server, "-ERR unknown command 'FCALL', with args\r\n"
			 "-ERR unknown command 'FCALL', with args\r\n");
	ck_assert_str_eq(
	    peer_commands(server), "EVAL tally text a, EVAL tally text b");
	peer_say(server, ":1\r\n:2\r\n");
	send_named(&c);
	ck_assert_str_eq(peer_commands(server), "EVALSHA tally c");
	peer_say(server, ":3\r\n");
	ck_assert_str_eq(noted(), "a=1 b=2 c=3");
}
END_TEST

START_TEST(second_refusal_is_the_reply)
{
	struct named a = named("a", &tally);

	send_named(&a);
	peer_say(server, NOSCRIPT);
	peer_say(server, NOSCRIPT);
	ck_assert_str_eq(noted(), "a=NOSCRIPT");
	ck_assert_str_eq(
	    peer_commands(server), "EVALSHA tally a, EVAL tally text a");
}
END_TEST

START_TEST(other_errors_are_replies)
{
	struct named a = named("a", &tally);

	send_named(&a);
	peer_say(server, "-ERR no\r\n");
	ck_assert_str_eq(noted(), "a=ERR no");
}
END_TEST

/* All that was sent has its reply first, and what is called meanwhile waits. */
START_TEST(calls_keep_their_order_when_sent_again)
{
	struct named a = named("a", &tally), b = named("b", &tally),
		     c = named("c", &tally);

	send_named(&a);
	send_named(&b);
	peer_say(server, NOSCRIPT);
	send_named(&c);
	ck_assert_str_eq(
	    peer_commands(server), "EVALSHA tally a, EVALSHA tally b");
	peer_say(server, NOSCRIPT);
	ck_assert_str_eq(peer_commands(server),
	    "EVAL tally text a, EVAL tally text b, EVALSHA tally c");
	peer_say(server, ":1\r\n:2\r\n:3\r\n");
	ck_assert_str_eq(noted(), "a=1 b=2 c=3");
}
END_TEST

/* Another client brought the script back: a must not run after b. */
START_TEST(refused_call_is_given_up_if_a_later_one_ran)
{
	struct named a = named("a", &tally), b = named("b", &tally),
		     c = named("c", &tally);

	send_named(&a);
	send_named(&b);
	peer_say(server, NOSCRIPT);
	send_named(&c);
	peer_commands(server);
	peer_say(server, ":2\r\n");
	ck_assert_str_eq(noted(), "a=NULL b=2");
	ck_assert_str_eq(peer_commands(server), "EVALSHA tally c");
	peer_say(server, ":3\r\n");
	ck_assert_str_eq(noted(), "c=3");
}
END_TEST

START_TEST(another_script_that_ran_changes_nothing)
{
	struct named a = named("a", &tally), b = named("b", &reader);

	send_named(&a);
	send_named(&b);
	peer_commands(server);
	peer_say(server, NOSCRIPT ":2\r\n");
	ck_assert_str_eq(noted(), "b=2");
	ck_assert_str_eq(peer_commands(server), "EVAL tally text a");
	peer_say(server, ":1\r\n");
	ck_assert_str_eq(noted(), "a=1");
}
END_TEST

START_TEST(error_of_a_later_call_changes_nothing)
{
	struct named a = named("a", &tally), b = named("b", &tally);

	send_named(&a);
	send_named(&b);
	peer_commands(server);
	peer_say(server, NOSCRIPT "-ERR no\r\n");
	ck_assert_str_eq(noted(), "b=ERR no");
	ck_assert_str_eq(peer_commands(server), "EVAL tally text a");
	peer_say(server, ":1\r\n");
	ck_assert_str_eq(noted(), "a=1");
}
END_TEST

START_TEST(lost_link_ends_all_calls_once)
{
	struct named a = named("a", &tally), b = named("b", &tally),
		     c = named("c", &tally), d = named("d", &tally);

	send_named(&a);
	send_named(&b);
	send_named(&c);
	peer_say(server, NOSCRIPT);
	send_named(&d); /* b and c are out, a and d wait */
	peer_close(server);
	ck_assert_str_eq(noted(), "a=NULL d=NULL b=NULL c=NULL");
	ck_assert_int_eq(script_call(&calls, &a.call), -1);
	fake_pass(TIMEOUT_US);
	ck_assert_str_eq(noted(), "");
}
END_TEST

/* Its time starts again with it. */
START_TEST(call_that_is_sent_again_has_its_whole_time)
{
	struct named a = named("a", &tally);

	send_named(&a);
	fake_pass(TIMEOUT_US - 1);
	peer_say(server, NOSCRIPT);
	fake_pass(TIMEOUT_US - 1);
	ck_assert_str_eq(noted(), "");
	fake_pass(1);
	ck_assert_str_eq(noted(), "a=NULL");
}
END_TEST

START_TEST(call_that_no_one_waits_for_is_not_sent)
{
	struct named a = named("a", &tally), b = named("b", &tally);

	a.gone = true;
	ck_assert_int_eq(script_call(&calls, &a.call), -1);
	send_named(&b);
	ck_assert_str_eq(peer_commands(server), "EVALSHA tally b");
	peer_say(server, ":2\r\n");
	ck_assert_str_eq(noted(), "b=2");
}
END_TEST

START_TEST(call_that_no_one_waits_for_any_more_is_not_sent_again)
{
	struct named a = named("a", &tally), b = named("b", &tally);

	send_named(&a);
	send_named(&b);
	peer_commands(server);
	peer_say(server, NOSCRIPT);
	a.gone = true;
	peer_say(server, NOSCRIPT);
	ck_assert_str_eq(noted(), "a=NULL");
	ck_assert_str_eq(peer_commands(server), "EVAL tally text b");
	peer_say(server, ":2\r\n");
	ck_assert_str_eq(noted(), "b=2");
}
END_TEST

START_TEST(link_is_freed_with_calls_that_wait)
{
	struct named a = named("a", &tally), b = named("b", &tally),
		     c = named("c", &tally);

	send_named(&a);
	send_named(&b);
	peer_say(server, NOSCRIPT);
	send_named(&c);
	link_free(link);
	link = NULL;
	ck_assert_str_eq(noted(), "a=NULL c=NULL b=NULL");
}
END_TEST

Suite *
script_call_suite(void)
{
	Suite *suite = suite_create("script_call");
	TCase *tcase = tcase_create("script_call");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, script_is_called_by_its_digest);
	tcase_add_test(tcase, forgotten_script_is_sent_with_the_call);
	tcase_add_test(tcase, function_is_loaded_once_it_is_missing);
	tcase_add_test(tcase, function_that_cannot_be_loaded_is_an_error);
	tcase_add_test(tcase, server_without_functions_gets_scripts);
	tcase_add_test(tcase, second_refusal_is_the_reply);
	tcase_add_test(tcase, other_errors_are_replies);
	tcase_add_test(tcase, calls_keep_their_order_when_sent_again);
	tcase_add_test(tcase, refused_call_is_given_up_if_a_later_one_ran);
	tcase_add_test(tcase, another_script_that_ran_changes_nothing);
	tcase_add_test(tcase, error_of_a_later_call_changes_nothing);
	tcase_add_test(tcase, lost_link_ends_all_calls_once);
	tcase_add_test(tcase, call_that_is_sent_again_has_its_whole_time);
	tcase_add_test(tcase, call_that_no_one_waits_for_is_not_sent);
	tcase_add_test(
	    tcase, call_that_no_one_waits_for_any_more_is_not_sent_again);
	tcase_add_test(tcase, link_is_freed_with_calls_that_wait);
	suite_add_tcase(suite, tcase);
	return suite;
}
