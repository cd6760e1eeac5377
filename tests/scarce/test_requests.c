/*
 * Requests to a daemon that runs out of memory.
 */
#include "scarce.h"
#include "states/serving.h"
#include "suites.h"

#include "base/attr.h"
#include "fake/fake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SETTINGS                                                               \
	"[admin]\nlisten =\n"                                                  \
	"[upstream:up]\nurl = http://up.example/a\ncache = memory\n"

#define LIMITS                                                                 \
	"[login]\nmatch = login:*\ncapacity = 5\nrecharge = 1h\n"              \
	"[mail]\nmatch = mail:*:*\nalgorithm = fixed_window\n"                 \
	"capacity = 3000\nwindow = 365d\nalso = total:$1,all\n"                \
	"[total]\nmatch = total:*\ncapacity = 9000\nrate = 1/m\n"              \
	"[all]\nmatch = all\ncapacity = 9000\nrate = 1/m\nshadow = yes\n"      \
	"[odd]\nmatch = ~^odd:[0-9]+$\ncapacity = 2\nrate = 30000/s\n"         \
	"block = 5m\non_error = deny\n"                                        \
	"[jobs]\nmatch = jobs:*\nalgorithm = concurrent\ncapacity = 9000\n"    \
	"lease = 1m\n"                                                         \
	"[route:all]\npath = ~^/all/(?<what>[a-z]+)$\n"                        \
	"keys = login:$path.what\n"

/* By then, all that is told now and then was. */
#define PASSED_US INT64_C(2000000)

#define GET(target)                                                            \
	"GET " target " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
#define POST(target, length, body)                                             \
	"POST " target " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"         \
	"Content-Type: application/json\r\nContent-Length: " length            \
	"\r\n\r\n" body

static const struct exchange {
	const char *text;
	const char *begin, *end; /* of its response */
} requests[] = {
    {"PEEK login:1\n", "ALLOW limit=login level=", "from=memory\n"},
    {"MPEEK login:1 1 mail:1:2 1\n", "ALLOW limit=", "\n"},
    {"CONSUME mail:1:2\n",
	"ALLOW limit=mail level=", "from=memory key=mail:1:2\n"},
    {"CONSUME jobs:1\n", "ALLOW limit=jobs level=", "\n"},
    {"RESET login:1\n", "OK", "\n"},
    {"LIMITS\n", "login ", "END\n"},
    {"STATS\n", "", "END\n"},
    {"STATUS\n", "", "END\n"},
    {"TOP\n", "", "END\n"},
    {"HELP\n", "", "END\n"},
    {"EXPLAIN login:1\n", "", "END\n"},
    {"EXPLAIN mail:1:2\n", "", "END\n"},
    {"HELLO 3\r\n", "%7\r\n$6\r\nserver\r\n$8\r\ndripgate\r\n", "\r\n"},
    {"*2\r\n$5\r\nHELLO\r\n$1\r\n2\r\n", "*14\r\n$6\r\nserver\r\n", "\r\n"},
    {"*2\r\n$4\r\nPEEK\r\n$7\r\nlogin:1\r\n", "*9\r\n", "\r\n"},
    {"*4\r\n$4\r\nPEEK\r\n$7\r\nlogin:1\r\n$1\r\n1\r\n$3\r\nMAP\r\n", "*",
	"\r\n"},
    {"*6\r\n$11\r\nCL.THROTTLE\r\n$6\r\ncell:1\r\n$1\r\n5\r\n$2\r\n10\r\n"
     "$2\r\n60\r\n$1\r\n0\r\n",
	"*5\r\n:0\r\n", "\r\n"},
    {"*3\r\n$6\r\nCONFIG\r\n$3\r\nGET\r\n$1\r\n*\r\n", "*", "\r\n"},
    {"*1\r\n$4\r\nINFO\r\n", "$", "\r\n"},
    {"*1\r\n$6\r\nLIMITS\r\n", "*6\r\n$", "\r\n"},
    {"*1\r\n$5\r\nSTATS\r\n", "*", "\r\n"},
    {"*1\r\n$7\r\nCOMMAND\r\n", "*", "\r\n"},
    {"*2\r\n$6\r\nEXISTS\r\n$7\r\nlogin:1\r\n", ":", "\r\n"},
    {"*2\r\n$4\r\nPTTL\r\n$7\r\nlogin:1\r\n", ":", "\r\n"},
    {"*1\r\n$5\r\nMULTI\r\n*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nEXEC\r\n", "+OK\r\n",
	"\r\n"},
    {GET("/peek?key=login:1"), "HTTP/1.1 200 OK\r\n", "}\n"},
    {GET("/explain?key=mail:1:2"), "HTTP/1.1 200 OK\r\n", "\n"},
    {GET("/check/all/of"), "HTTP/1.1 ", ""},
    {GET("/healthz"), "HTTP/1.1 200 OK\r\n", "\n"},
    {GET("/readyz"), "HTTP/1.1 200 OK\r\n", "\n"},
    {GET("/metrics"), "HTTP/1.1 ", ""},
    {GET("/nothing"), "HTTP/1.1 404 Not Found\r\n", ""},
    {POST("/peek", "17", "{\"key\":\"login:1\"}"), "HTTP/1.1 200 OK\r\n",
	"}\n"},
    {POST("/peek", "47",
	 "{\"each\":[{\"key\":\"login:1\"},{\"key\":\"mail:1:2\"}]}"),
	"HTTP/1.1 200 OK\r\n", ""},
    {"CACHE\n", "", "END\n"},
    {"FORGET up:*\n", "", "\n"},
    {"READY\n", "READY", "\n"},
    {"TAKE login:2 1 id=a\n", "", "\n"},
    {"WAIT mail:1:2 1 1\n", "ALLOW ", "\n"},
    {"MONITOR\n", "", "\n"},
    {"*1\r\n$5\r\nCACHE\r\n", "*", "\r\n"},
    {"*1\r\n$6\r\nSTATUS\r\n", "*", "\r\n"},
    {"*2\r\n$7\r\nEXPLAIN\r\n$8\r\nmail:1:2\r\n", "*", "\r\n"},
    {"*1\r\n$4\r\nHELP\r\n", "*", "\r\n"},
    {"*2\r\n$6\r\nCLIENT\r\n$2\r\nID\r\n", ":", "\r\n"},
    {"*1\r\n$7\r\nNOTHING\r\n", "-", "\r\n"},
    {POST("/hold", "30", "{\"key\":\"jobs:1\",\"id\":\"nothing\"}"),
	"HTTP/1.1 ", ""},
};

/* Those that not all listeners offer. */
static const struct {
	enum offer offer;
	struct exchange exchange;
} others[] = {
    {OFFER_ADMIN, {GET("/"), "HTTP/1.1 200 OK\r\n", ""}},
    {OFFER_ADMIN, {"GET /events HTTP/1.1\r\nHost: x\r\n\r\n",
		      "HTTP/1.1 200 OK\r\n", " count=0\n\n\r\n"}},
    {OFFER_ADMIN, {GET("/metrics"), "HTTP/1.1 200 OK\r\n", ""}},
    {OFFER_ADMIN, {GET("/status"), "HTTP/1.1 200 OK\r\n", "\n"}},
    {OFFER_ADMIN, {GET("/stats"), "HTTP/1.1 200 OK\r\n", "\n"}},
    {OFFER_ADMIN, {GET("/limits"), "HTTP/1.1 200 OK\r\n", "\n"}},
    {OFFER_ADMIN, {GET("/top"), "HTTP/1.1 200 OK\r\n", ""}},
    {OFFER_POLICY, {"request=smtpd_access_policy\nclient_address=192.0.2.1\n\n",
		       "action=", "\n\n"}},
};

static enum offer offer;

static void
set_up(void)
{
	struct peer *client;

	fake_start();
	serve(SETTINGS, LIMITS);
	ck_assert(serve_upstreams());
	/* For what tells of it. */
	client = client_comes();
	peer_say(client, "CONSUME login:5 6\nCONSUME odd:5\n");
	ck_assert_str_eq(peer_heard(client),
	    "DENY limit=login level=0 capacity=5 next=0 retry=never blocked=0 "
	    "from=memory\nALLOW limit=odd level=1 capacity=2 next=0.000034 "
	    "retry=0 blocked=0 from=memory\n");
	client_goes();
}

static void
tear_down(void)
{
	stop_serving();
	fake_end();
}

/* A lease takes memory. */
#define NO_LEASE "DENY limit=jobs level=0 capacity=9000 next=0 retry=1.000000 "

static bool
is_error(const char *response)
{
	return strncmp(response, "ERR ", 4) == 0 || *response == '-' ||
	       strncmp(response, "HTTP/1.1 5", 10) == 0 ||
	       strncmp(response, NO_LEASE, strlen(NO_LEASE)) == 0;
}

static bool
has_ends(const char *response, const struct exchange *request)
{
	size_t len = strlen(response), end = strlen(request->end);

	return strncmp(response, request->begin, strlen(request->begin)) == 0 &&
	       len >= end && strcmp(response + len - end, request->end) == 0;
}

/* It is responded to, whole, or with an error, or the connection ends; and
 * others are served. */
static bool
request_is_served(const void *arg)
{
	const struct exchange *request = arg;
	struct peer *client = client_offered(offer), *other;
	char *response;
	bool whole;

	scarce_begin();
	peer_say(client, "%s", request->text);
	fake_pass(PASSED_US);
	scarce_end();
	response = strdup(peer_heard(client));
	whole = has_ends(response, request);
	ck_assert_msg(whole || is_error(response) || peer_is_left(client),
	    "to %s: %.2000s", request->text, response);
	ck_assert_msg(
	    whole || scarce_fails(), "to %s: %s", request->text, response);
	free(response);
	client_goes();
	other = client_comes();
	peer_say(other, "PING\n");
	ck_assert_str_eq(peer_heard(other), "PONG\n");
	client_goes();
	other = client_offered(offer);
	peer_say(other, "%s", request->text);
	response = strdup(peer_heard(other));
	ck_assert_msg(has_ends(response, request), "then, to %s: %.2000s",
	    request->text, response);
	free(response);
	client_goes();
	return whole;
}

START_TEST(request_is_served_or_refused_and_others_are_served)
{
	offer = OFFER_ANY;
	scarce_survive(request_is_served, &requests[_i]);
}
END_TEST

START_TEST(so_is_one_of_another_listener)
{
	offer = others[_i].offer;
	scarce_survive(request_is_served, &others[_i].exchange);
}
END_TEST

Suite *
requests_suite(void)
{
	Suite *suite = suite_create("requests");
	TCase *tcase = tcase_create("requests");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase,
	    request_is_served_or_refused_and_others_are_served, 0,
	    COUNT(requests));
	tcase_add_loop_test(
	    tcase, so_is_one_of_another_listener, 0, COUNT(others));
	suite_add_tcase(suite, tcase);
	return suite;
}
