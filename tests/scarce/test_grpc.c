/*
 * Calls of gRPC, as the fuzzer has them, to a daemon that runs out of memory:
 * what follows the preface.
 */
#include "scarce.h"
#include "states/serving.h"
#include "suites.h"

#include "base/attr.h"
#include "fake/fake.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <string.h>

WRAP(int, nghttp2_session_callbacks_new,
    (nghttp2_session_callbacks * *callbacks), (callbacks), ENOMEM,
    NGHTTP2_ERR_NOMEM)
WRAP(int, nghttp2_option_new, (nghttp2_option * *option), (option), ENOMEM,
    NGHTTP2_ERR_NOMEM)

#define SETTINGS "[admin]\nlisten =\n"
#define LIMITS   "[web]\nmatch = web/*\ncapacity = 9000\nrecharge = 1h\n"

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

static const char *const calls[] = {"authorization", "authorization_call",
    "authorization_raw", "call", "compressed", "continued", "goaway", "message",
    "no_method", "override", "reflection_call", "reset", "settings_zero_window",
    "trailers", "two", "two_of_one", "watch_call"};

struct call {
	size_t len;
	char bytes[4000];
};

static void
read_call(struct call *call, const char *name)
{
	char path[100];
	FILE *file;

	snprintf(path, sizeof(path), "tests/fuzz/corpus/grpc/%s", name);
	file = fopen(path, "r");
	ck_assert_msg(file, "%s: run this in the root of the source", path);
	call->len = strlen(PREFACE);
	memcpy(call->bytes, PREFACE, call->len);
	call->len += fread(
	    call->bytes + call->len, 1, sizeof(call->bytes) - call->len, file);
	fclose(file);
}

/* Whatever becomes of the call, and of the drain behind it. */
static bool
call_is_served(const void *arg)
{
	const struct call *call = arg;
	struct peer *client, *other;

	serve(SETTINGS, LIMITS);
	client = client_comes();
	scarce_begin();
	(void)peer_try_write(client, call->bytes, call->len);
	fake_run();
	scarce_end();
	other = client_comes();
	peer_say(other, "PING\n");
	ck_assert_str_eq(peer_heard(other), "PONG\n");
	peer_close(other);
	scarce_begin();
	pool_drain(pool, false);
	fake_pass(INT64_C(10000000));
	scarce_end();
	ck_assert(pool_is_drained(pool));
	(void)peer_heard(client);
	ck_assert(peer_is_left(client));
	stop_serving();
	return true;
}

START_TEST(call_ends_and_others_are_served)
{
	static struct call call;

	read_call(&call, calls[_i]);
	scarce_survive(call_is_served, &call);
}
END_TEST

Suite *
grpc_suite(void)
{
	Suite *suite = suite_create("grpc");
	TCase *tcase = tcase_create("grpc");

	tcase_add_checked_fixture(tcase, fake_start, fake_end);
	tcase_add_loop_test(
	    tcase, call_ends_and_others_are_served, 0, COUNT(calls));
	suite_add_tcase(suite, tcase);
	return suite;
}
