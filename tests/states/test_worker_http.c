#include "fake/fake.h"
#include "base/attr.h"
#include "serving.h"
#include "suites.h"

#include <stdio.h>
#include <string.h>

#define SECOND INT64_C(1000000)

#define SETTINGS                                                               \
	"[listen]\nidle_timeout = 60s\nline_timeout = 10s\n"                   \
	"[admin]\nlisten =\n"

#define LIMITS "[key]\nmatch = key:*\ncapacity = 1000000\nrate = 1/h\n"

#define GET(target) "GET " target " HTTP/1.1\r\nHost: x\r\n\r\n"

static void
set_up(void)
{
	fake_start();
	serve(SETTINGS, LIMITS);
}

static void
tear_down(void)
{
	stop_serving();
	fake_end();
}

/* The statuses of the responses that came, with blanks between them, and
 * "close" behind each that says so. */
static const char *
statuses(struct peer *client)
{
	static char text[200];
	const char *at = peer_heard(client);

	text[0] = '\0';
	while ((at = strstr(at, "HTTP/1.1 "))) {
		const char *end = strstr(at, "\r\n\r\n");
		const char *close = strstr(at, "\r\nConnection: close\r\n");
		size_t used = strlen(text);

		ck_assert_ptr_nonnull(end);
		snprintf(text + used, sizeof(text) - used, "%s%.3s%s",
		    used > 0 ? " " : "", at + 9,
		    close && close < end ? " close" : "");
		at = end;
	}
	return text;
}

static const char *const begun[] = {"GET ", "GET /peek?key=key:1 HTTP/1.1\r\n",
    "POST /peek HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    "Content-Length: 9\r\n\r\n"};

START_TEST(request_that_does_not_end_in_time_gets_a_response)
{
	struct peer *client = client_comes();

	peer_say(
	    client, GET("/healthz") GET("/peek?key=key:1") "%s", begun[_i]);
	fake_pass(9 * SECOND);
	ck_assert_str_eq(statuses(client), "200 200");
	fake_pass(3 * SECOND);
	ck_assert_str_eq(statuses(client), "408 close");
	ck_assert(peer_is_left(client));
	fake_pass(3 * SECOND);
	ck_assert_uint_eq(pool_clients(pool), 0);
	ck_assert_int_eq(stat_of("clients_idle"), 1);
}
END_TEST

/* However slowly its bytes come. */
START_TEST(time_of_a_request_counts_from_its_first_byte)
{
	struct peer *client = client_comes();

	for (int i = 0; i < 9; i++) {
		peer_say(client, "%s", i == 0 ? "GET /peek?key=key:" : "1");
		fake_pass(SECOND);
	}
	ck_assert_str_eq(statuses(client), "");
	peer_say(client, "1");
	fake_pass(2 * SECOND);
	ck_assert_str_eq(statuses(client), "408 close");
}
END_TEST

START_TEST(body_that_does_not_come_is_not_waited_for)
{
	struct peer *client = client_comes();

	peer_say(client, "POST /peek HTTP/1.1\r\nHost: x\r\nContent-Type: "
			 "application/json\r\nContent-Length: 65536\r\n\r\n{");
	for (int i = 0; i < 8; i++) {
		peer_say(client, " ");
		fake_pass(SECOND);
	}
	ck_assert_str_eq(statuses(client), "");
	fake_pass(4 * SECOND);
	ck_assert_str_eq(statuses(client), "408 close");
}
END_TEST

START_TEST(connection_between_requests_may_be_idle)
{
	struct peer *client = client_comes();

	peer_say(client, GET("/healthz"));
	fake_pass(50 * SECOND);
	peer_say(client, GET("/healthz"));
	ck_assert_str_eq(statuses(client), "200 200");
	fake_pass(62 * SECOND);
	ck_assert(peer_is_left(client));
	ck_assert_str_eq(peer_heard(client), "");
}
END_TEST

START_TEST(connection_is_handed_over_between_requests)
{
	struct peer *client = client_comes();

	peer_say(client, GET("/healthz"));
	pool_drain(pool, true);
	fake_run();
	peer_say(client, "%s", "NEXT\n");
	fake_pass(SECOND);
	ck_assert(pool_is_drained(pool));
	ck_assert_str_eq(statuses(client), "200");
	ck_assert(!peer_is_left(client));
	ck_assert_str_eq(handover_unread(), "NEXT");
}
END_TEST

/* Head, body and all. */
START_TEST(begun_request_is_responded_to_before)
{
	struct peer *client = client_comes();

	peer_say(client, "POST /peek HTTP/1.1\r\nHost: x\r\nContent-Type: "
			 "application/json\r\nTransfer-Encoding: chunked\r\n"
			 "\r\n8\r\n{\"key\":\"\r\n");
	pool_drain(pool, true);
	fake_pass(100000);
	ck_assert(!pool_is_drained(pool));
	peer_say(client, "7\r\nkey:1\"}\r\n0\r\n\r\nNEXT\n");
	fake_pass(40000);
	ck_assert_str_eq(statuses(client), "200");
	ck_assert(pool_is_drained(pool));
	ck_assert_str_eq(handover_unread(), "NEXT");
}
END_TEST

START_TEST(client_is_told_to_go_where_none_is_handed_over)
{
	struct peer *client = client_comes(), *idle = client_comes();

	peer_say(client, "GET /heal");
	peer_say(idle, GET("/healthz"));
	pool_drain(pool, false);
	fake_pass(200000);
	peer_say(client, "thz HTTP/1.1\r\nHost: x\r\n\r\n");
	ck_assert_str_eq(statuses(client), "200 close");
	ck_assert(peer_is_left(client));
	ck_assert_str_eq(statuses(idle), "200");
	ck_assert(peer_is_left(idle));
	fake_pass(3 * SECOND);
	ck_assert(pool_is_drained(pool));
}
END_TEST

START_TEST(ready_until_the_end_begins)
{
	struct peer *client = client_comes();

	peer_say(client, GET("/readyz"));
	ck_assert_ptr_nonnull(strstr(peer_heard(client), "READY memory\n"));
	peer_say(client, "GET /readyz HTTP/1.1\r\n");
	pool_drain(pool, false);
	peer_say(client, "Host: x\r\n\r\n");
	ck_assert_str_eq(statuses(client), "503 close");
}
END_TEST

/* Its elements are taken as responses go out, and none gets lost. */
START_TEST(list_of_a_client_that_has_said_all_is_complete)
{
	struct peer *client = client_comes();
	char body[12000] = "{\"each\":[";
	size_t count = 0;

	for (int i = 0; i < 600; i++)
		snprintf(body + strlen(body), sizeof(body) - strlen(body),
		    "%s{\"key\":\"key:%d\"}", i > 0 ? "," : "", i);
	snprintf(body + strlen(body), sizeof(body) - strlen(body), "]}");
	peer_say(client,
	    "POST /consume HTTP/1.1\r\nHost: x\r\nContent-Type: "
	    "application/json\r\nContent-Length: %zu\r\n\r\n%s",
	    strlen(body), body);
	peer_shutdown(client);
	for (int i = 0; i < 1000; i++) {
		const char *at = peer_heard(client);
		bool ends = strstr(at, "]\n\r\n0\r\n\r\n") != NULL;

		while ((at = strstr(at, "\"allowed\":true"))) {
			count++;
			at++;
		}
		if (ends)
			break;
		fake_run();
	}
	ck_assert_uint_eq(count, 600);
	ck_assert(peer_is_left(client));
}
END_TEST

Suite *
worker_http_suite(void)
{
	Suite *suite = suite_create("worker_http");
	TCase *tcase = tcase_create("worker_http");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase,
	    request_that_does_not_end_in_time_gets_a_response, 0,
	    (int)COUNT(begun));
	tcase_add_test(tcase, time_of_a_request_counts_from_its_first_byte);
	tcase_add_test(tcase, body_that_does_not_come_is_not_waited_for);
	tcase_add_test(tcase, connection_between_requests_may_be_idle);
	tcase_add_test(tcase, connection_is_handed_over_between_requests);
	tcase_add_test(tcase, begun_request_is_responded_to_before);
	tcase_add_test(tcase, client_is_told_to_go_where_none_is_handed_over);
	tcase_add_test(tcase, ready_until_the_end_begins);
	tcase_add_test(tcase, list_of_a_client_that_has_said_all_is_complete);
	suite_add_tcase(suite, tcase);
	return suite;
}
