#include "upstream/upstream_headers.h"
#include "suites.h"

#include "base/attr.h"
#include "upstream/retry_after.h"

#include <string.h>

#define SECOND INT64_C(1000000)

/* Sun, 06 Nov 1994 08:49:37 GMT */
#define NOW (INT64_C(784111777) * SECOND)

static struct upstream_head head;

static int
take(const char *line)
{
	return upstream_headers_take(&head, line, strlen(line), NOW);
}

static struct buf passing;

/* Take a head, line by line; return what passes. */
static const char *
pass(const char *text, const char *list, const char *also)
{
	while (*text) {
		size_t len = strcspn(text, "\n") + 1;

		ck_assert_int_eq(
		    upstream_headers_take(&head, text, len, NOW), 0);
		text += len;
	}
	ck_assert(head.is_whole);
	ck_assert_int_eq(upstream_headers_filter(
			     &passing, upstream_headers_of(&head), list, also),
	    0);
	ck_assert_int_eq(buf_add(&passing, "", 1), 0);
	return buf_data(&passing);
}

static void
tear_down(void)
{
	upstream_headers_clear(&head);
	buf_free(&passing);
}

START_TEST(what_belongs_to_a_connection_does_not_pass)
{
	ck_assert_str_eq(
	    pass("HTTP/1.1 200 OK\r\nX-A: 1\r\nConnection: x-b, close\r\n"
		 "X-B: 2\r\nKeep-Alive: 3\r\nTransfer-Encoding: chunked\r\n"
		 "Content-Length: 4\r\nUpgrade: h2c\r\nTrailer: x\r\n"
		 "Proxy-Authenticate: Basic\r\nAlt-Svc: h2\r\nDate: x\r\n"
		 "X-C:\t5 \r\n\r\n",
		"*", ""),
	    "X-A: 1\r\nDate: x\r\nX-C: 5\r\n");
	ck_assert_int_eq(head.status, 200);
}
END_TEST

START_TEST(only_headers_of_the_list_pass)
{
	ck_assert_str_eq(pass("HTTP/2 204 \r\nx-a: 1\r\nx-b: 2\r\nvary: x\r\n"
			      "\r\n",
			     "X-B etag", "vary"),
	    "x-b: 2\r\nvary: x\r\n");
	ck_assert_int_eq(head.status, 204);
}
END_TEST

START_TEST(interim_response_leaves_nothing_behind)
{
	ck_assert_str_eq(pass("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
			      "HTTP/1.1 404 No\r\nX-A: 1\r\nDate: x\r\n\r\n"
			      "X-Trailer: 1\r\n",
			     "*", ""),
	    "X-A: 1\r\nDate: x\r\n");
	ck_assert_int_eq(head.status, 404);
}
END_TEST

START_TEST(response_without_a_date_gets_one)
{
	ck_assert_str_eq(pass("HTTP/1.1 200 OK\r\n\r\n", "*", ""),
	    "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
}
END_TEST

static const char *const bad[] = {
    "HTTP/1.1 OK\r\n",
    "HTTP/1.1 99 x\r\n",
    "HTTP/1.1 600 x\r\n",
    "HTTP/1.1\r\n",
    "no colon\r\n",
    ": no name\r\n",
    "a name: x\r\n",
    "name : x\r\n",
    "X: a\rSet-Cookie: b\r\n",
    "X: \x01\r\n",
    "X: \x7f\r\n",
    " folded: x\r\n",
    "X/Y: a\r\n",
    "X[: a\r\n",
    "X{: a\r\n",
    "\x7f: a\r\n",
    "Content-Length:\r\n",
    "Content-Length: +5\r\n",
    "Content-Length: 0x5\r\n",
    "Content-Length: 5 bytes\r\n",
    "Content-Length: 5, 5\r\n",
    "Content-Length: 99999999999999999999\r\n",
};

START_TEST(malformed_line_makes_the_response_bad)
{
	ck_assert_int_eq(take("HTTP/1.1 200 OK\r\n"), 0);
	ck_assert_int_eq(take(bad[_i]), -1);
	ck_assert(head.is_bad);
}
END_TEST

START_TEST(protocol_is_not_switched)
{
	ck_assert_int_eq(take("HTTP/1.1 101 Switching\r\n"), 0);
	ck_assert_int_eq(take("Upgrade: x\r\n"), 0);
	ck_assert_int_eq(take("\r\n"), -1);
	ck_assert(head.is_bad);
}
END_TEST

START_TEST(head_is_bounded)
{
	char line[UPSTREAM_HEAD_MAX];

	ck_assert_int_eq(take("HTTP/1.1 200 OK\r\n"), 0);
	for (int i = 0; i < UPSTREAM_FIELDS_MAX; i++)
		ck_assert_int_eq(take("A: b\r\n"), 0);
	ck_assert_int_eq(take("A: b\r\n"), -1);
	upstream_headers_clear(&head);
	ck_assert_int_eq(take("HTTP/1.1 200 OK\r\n"), 0);
	memset(line, 'x', sizeof(line));
	memcpy(line, "A: ", 3);
	ck_assert_int_eq(
	    upstream_headers_take(&head, line, sizeof(line), NOW), 0);
	ck_assert_int_eq(take("A: b\r\n"), -1);
}
END_TEST

START_TEST(request_headers_are_picked_from_the_list)
{
	static const char lines[] =
	    "Host: x\r\nACCEPT: a\r\nCookie: c\r\nX-Hop: 1\r\n"
	    "Connection: close, x-hop\r\n"
	    "Accept-Language:  de \r\naccept: b\r\n\r\n";
	struct buf out = {0};

	ck_assert_int_eq(
	    upstream_headers_pick(&out, (struct headers){lines, strlen(lines)},
		"Accept accept-language cookie x-hop", "Cookie"),
	    0);
	ck_assert_int_eq(buf_add(&out, "", 1), 0);
	ck_assert_str_eq(buf_data(&out),
	    "ACCEPT: a\r\nAccept-Language: de\r\naccept: b\r\n");
	buf_free(&out);
}
END_TEST

static const struct {
	const char *value;
	int64_t us;
} delays[] = {
    {"0", 0},
    {"120", 120 * SECOND},
    {"1.5", 2 * SECOND},
    {"99999999999999", RETRY_AFTER_MAX_US},
    {"9999999999999999999", RETRY_AFTER_MAX_US},
    {"99999999999999999999999999", RETRY_AFTER_MAX_US},
    {"Sun, 06 Nov 1994 08:50:37 GMT", 60 * SECOND},
    {"Sunday, 06-Nov-94 08:50:37 GMT", 60 * SECOND},
    {"Sun Nov  6 08:50:37 1994", 60 * SECOND},
    {"Sun, 06 Nov 1994 08:49:00 GMT", 0},
    {"Sun, 06 Nov 2044 08:49:00 GMT", RETRY_AFTER_MAX_US},
    {"soon", 0},
    {"-5", 0},
    {"", 0},
    {"12 parsecs", 0},
};

START_TEST(retry_after_is_seconds_or_a_date)
{
	ck_assert_int_eq(
	    retry_after_read(
		(struct part){delays[_i].value, strlen(delays[_i].value)}, NOW),
	    delays[_i].us);
}
END_TEST

static const struct {
	const char *value;
	int64_t us;
} resets[] = {
    {"30", 30 * SECOND},
    {"0", 0},
    {"1700000030", 30 * SECOND},
    {"1699999999", 0},
    {"999999999999999", 0},
    {"99999999999999999999999999", 0},
    {"x", 0},
};

START_TEST(reset_is_seconds_or_a_time)
{
	ck_assert_int_eq(retry_after_reset((struct part){resets[_i].value,
					       strlen(resets[_i].value)},
			     INT64_C(1700000000) * SECOND),
	    resets[_i].us);
}
END_TEST

START_TEST(names_may_have_digits_and_signs)
{
	ck_assert_str_eq(pass("HTTP/1.1 200 OK\r\nX-09az!#$%&'*+-.^_`|~: 1\r\n"
			      "Date: x\r\n\r\n",
			     "*", ""),
	    "X-09az!#$%&'*+-.^_`|~: 1\r\nDate: x\r\n");
}
END_TEST

static const struct {
	const char *field;
	bool is_used_up;
	int64_t reset_us;
} budgets[] = {
    {"RateLimit-Remaining: 0\r\n", true, 0},
    {"RateLimit-Remaining: 1\r\n", false, 0},
    {"X-RateLimit-Remaining: none\r\n", false, 0},
    {"X-RateLimit-Remaining: -1\r\n", false, 0},
    {"RateLimit-Reset: 3\r\n", false, 3 * SECOND},
    {"X-RateLimit-Reset: soon\r\n", false, 0},
};

START_TEST(what_is_left_is_read)
{
	ck_assert_int_eq(take("HTTP/1.1 200 OK\r\n"), 0);
	ck_assert_int_eq(take(budgets[_i].field), 0);
	ck_assert_int_eq(head.is_used_up, budgets[_i].is_used_up);
	ck_assert_int_eq(head.reset_us, budgets[_i].reset_us);
}
END_TEST

/* As the RFC quotes: a comma, or a quote behind a backslash, ends nothing. */
START_TEST(members_of_a_list_may_be_quoted)
{
	static const char *const members[] = {
	    "\"a,\\\",b\"", "c", "\"d\\\\\"", "\"e,"};
	struct part rest = {"\"a,\\\",b\", c,, \"d\\\\\" ,\"e,", 0}, member;

	rest.len = strlen(rest.bytes);
	for (size_t i = 0; i < COUNT(members); i++) {
		ck_assert(part_next_member(&rest, &member));
		ck_assert_uint_eq(member.len, strlen(members[i]));
		ck_assert_mem_eq(member.bytes, members[i], member.len);
	}
	ck_assert(!part_next_member(&rest, &member));
}
END_TEST

START_TEST(what_is_for_us_is_read)
{
	pass("HTTP/1.1 429 x\r\nRetry-After: 7\r\nX-RateLimit-Remaining: 0\r\n"
	     "X-RateLimit-Reset: 9\r\nDate: x\r\n\r\n",
	    "x-none", "");
	ck_assert_int_eq(head.retry_us, 7 * SECOND);
	ck_assert(head.is_used_up);
	ck_assert_int_eq(head.reset_us, 9 * SECOND);
	ck_assert(head.has_date);
}
END_TEST

Suite *
upstream_headers_suite(void)
{
	Suite *suite = suite_create("upstream_headers");
	TCase *tcase = tcase_create("headers");

	tcase_add_checked_fixture(tcase, NULL, tear_down);
	tcase_add_test(tcase, what_belongs_to_a_connection_does_not_pass);
	tcase_add_test(tcase, only_headers_of_the_list_pass);
	tcase_add_test(tcase, interim_response_leaves_nothing_behind);
	tcase_add_test(tcase, response_without_a_date_gets_one);
	tcase_add_loop_test(
	    tcase, malformed_line_makes_the_response_bad, 0, COUNT(bad));
	tcase_add_test(tcase, protocol_is_not_switched);
	tcase_add_test(tcase, head_is_bounded);
	tcase_add_test(tcase, request_headers_are_picked_from_the_list);
	tcase_add_loop_test(
	    tcase, retry_after_is_seconds_or_a_date, 0, COUNT(delays));
	tcase_add_loop_test(
	    tcase, reset_is_seconds_or_a_time, 0, COUNT(resets));
	tcase_add_test(tcase, what_is_for_us_is_read);
	tcase_add_test(tcase, names_may_have_digits_and_signs);
	tcase_add_loop_test(tcase, what_is_left_is_read, 0, COUNT(budgets));
	tcase_add_test(tcase, members_of_a_list_may_be_quoted);
	suite_add_tcase(suite, tcase);
	return suite;
}
