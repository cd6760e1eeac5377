/* Routes, as a proxy's /check drives them. */
#include "protocol/http/http_check.h"

#include "base/attr.h"
#include "limit/rules_text.h"
#include "suites.h"

#include <stdio.h>
#include <string.h>

#define LIMIT "[any]\nmatch = *\ncapacity = 1\nrecharge = 1s\n"

static struct rules_scratch *scratch;
static struct rules *rules;
static struct networks trusted;
static struct reasons reasons;
static char found[4000]; /* "route|key key=amount", or what became of it */

static void
start(void)
{
	scratch = rules_scratch_new();
	ck_assert_ptr_nonnull(scratch);
	ck_assert_ptr_null(networks_read(&trusted, "10.0.0.0/8 ::1 unix"));
}

static void
stop(void)
{
	rules_unref(rules);
	rules = NULL;
	rules_scratch_free(scratch);
}

static void
use(const char *routes)
{
	char text[4000];

	rules_unref(rules);
	snprintf(text, sizeof(text), "%s%s", LIMIT, routes);
	rules = rules_from_ini("t.ini", text, strlen(text), &reasons);
	ck_assert_msg(rules, "%s", reasons_first(&reasons));
}

static void
note(const struct route *route, void *arg)
{
	(void)arg;
	strcat(found, route_name(route));
	strcat(found, "|");
}

static struct ip_address
peer(const char *text)
{
	struct ip_address address = {.kind = ADDRESS_UNIX};

	if (*text)
		ck_assert_int_eq(address_read(&address, text, strlen(text)), 0);
	return address;
}

/* Route a request with this request line and these headers. */
static const char *
ask_of(const char *from, const char *client_header, const char *text)
{
	static const char *const words[] = {
	    "nowhere", "free", "denied", "toolong", "toomany", ""};
	char head[20000];
	struct http_reader reader = {0};
	struct http_piece piece;
	struct routed_request routed;
	struct original_routing routing = {.rules = rules,
	    .scratch = scratch,
	    .peer = peer(from),
	    .trusted = &trusted,
	    .client_header = client_header,
	    .visit = note};
	struct http_word rest, query;
	const struct http_problem *problem;
	const char *at, *end, *sign;
	size_t used;

	found[0] = '\0';
	snprintf(head, sizeof(head), "%s\r\nHost: Gate.Example.com:80\r\n\r\n",
	    text);
	ck_assert_int_eq(http_read(&reader, head, strlen(head), &used, &piece),
	    HTTP_HEAD_READ);
	at = piece.bytes + reader.head.target.at;
	end = at + reader.head.target.len;
	sign = memchr(at, '?', (size_t)(end - at));
	ck_assert_int_eq(memcmp(at, "/check", 6), 0);
	rest = (struct http_word){
	    .bytes = at + 6, .len = (size_t)((sign ? sign : end) - at - 6)};
	query = (struct http_word){.bytes = sign ? sign + 1 : end,
	    .len = sign ? (size_t)(end - sign - 1) : 0};
	problem = http_check_route(
	    &routing, &reader.head, &piece, &rest, &query, &routed);
	if (problem)
		return problem->code;
	strcat(found, words[routed.routed]);
	for (unsigned i = 0; i < routed.count; i++)
		sprintf(found + strlen(found), "%s%.*s=%d", i > 0 ? " " : "",
		    (int)routed.keys[i].len, routed.keys[i].bytes,
		    (int)routed.keys[i].amount);
	return found;
}

/* Of a trusted proxy. */
static const char *
ask(const char *text)
{
	return ask_of("10.0.0.9", "X-Forwarded-For", text);
}

/* GET of a path. */
static const char *
get(const char *path)
{
	char text[10000];

	snprintf(text, sizeof(text), "GET /check%s HTTP/1.1", path);
	return ask(text);
}

START_TEST(first_route_that_matches_takes_the_request)
{
	use("[route:user]\npath = /v1/users/{id}\nkeys = u:$path.id\n"
	    "[route:items]\npath = /v1/users/{id}/items/*\n"
	    "keys = i:$path.id\n"
	    "[route:post]\nmethod = POST,PUT\nkeys = p\n"
	    "[route:v1]\npath = /v1/*\nkeys = v1\n"
	    "[route:re]\npath = ~^/r(?<n>[0-9]+)/(?<rest>.*)$\n"
	    "keys = r:$path.n:$path.rest\n"
	    "[route:rest]\nkeys = rest\n");
	ck_assert_str_eq(get("/v1/users/7"), "user|u:7=1");
	ck_assert_str_eq(get("/v1/users/7/items/"), "items|i:7=1");
	ck_assert_str_eq(get("/v1/users/7/items/a/b?c"), "items|i:7=1");
	ck_assert_str_eq(get("/v1/users/7/items"), "v1|v1=1");
	ck_assert_str_eq(get("/v1/users/"), "v1|v1=1");
	ck_assert_str_eq(get("/v1/users/7/"), "v1|v1=1");
	ck_assert_str_eq(ask("PUT /check/v1/x HTTP/1.1"), "post|p=1");
	ck_assert_str_eq(ask("PUT /check/v1/users/1 HTTP/1.1"), "user|u:1=1");
	ck_assert_str_eq(ask("HEAD /check/v1 HTTP/1.1"), "rest|rest=1");
	ck_assert_str_eq(get("/r12/x/y"), "re|r:12:x/y=1");
	ck_assert_str_eq(get("/r/x"), "rest|rest=1");
	use("[route:search]\nmethod = M-SEARCH\nkeys = $method.\n"
	    "[route:two]\npath = /{a1}/{a2}\nkeys = $path.a2\n");
	ck_assert_str_eq(ask("GET /check HTTP/1.1\r\nX-Original-URI: /\r\n"
			     "X-Original-Method: M-SEARCH"),
	    "search|M-SEARCH.=1");
	ck_assert_str_eq(get("/x/y"), "two|y=1");
}
END_TEST

/* Whoever writes a path in another way gets to the same route, as at the server
 * behind. */
START_TEST(a_path_is_cleaned)
{
	static const struct {
		const char *path, *key;
	} paths[] = {
	    {"/a/b", "/a/b"},
	    {"//a///b", "/a/b"},
	    {"/%61/b", "/a/b"},
	    {"/%2561/b", "/%2561/b"},
	    {"/./a/./b", "/a/b"},
	    {"/x/../a/b", "/a/b"},
	    {"/x/%2e%2E/a/b", "/a/b"},
	    {"/x%2f..%2Fa/b", "/a/b"},
	    {"/../../a/b", "/a/b"},
	    {"/a/b/", "/a/b/"},
	    {"/a/b/.", "/a/b/"},
	    {"/a/b/c/..", "/a/b/"},
	    {"/..", "/"},
	    {"/.", "/"},
	    {"/...", "/..."},
	    {"/a/..b", "/a/..b"},
	    {"/%zz%4", "/%25zz%254"},
	    {"/%4z", "/%254z"},
	    {"/%00", "/%00"},
	    {"/caf%C3%A9%20%3A", "/caf%C3%A9%20%3A"},
	    {"/a//", "/a/"},
	};
	char expected[100];

	use("[route:all]\nkeys = $path\n");
	for (size_t i = 0; i < COUNT(paths); i++) {
		snprintf(expected, sizeof(expected), "all|%s=1", paths[i].key);
		ck_assert_str_eq(get(paths[i].path), expected);
	}
}
END_TEST

START_TEST(conditions_must_all_hold)
{
	use("[route:a]\nhost = *.Example.COM\nheader.X-Plan = free*\n"
	    "query.q = a?c\ncookie.sid = *\nkeys = a:$cookie.sid:$query.q\n"
	    "[route:b]\nhost = example.org\nkeys = b\n");
#define ALL "X-Plan: freely\r\nCookie: x=1; sid=42; sid=43"
	ck_assert_str_eq(
	    ask("GET /check/?q=abc HTTP/1.1\r\n" ALL), "a|a:42:abc=1");
	ck_assert_str_eq(
	    ask("GET /check/?x&q=a%62c&q=1 HTTP/1.1\r\n" ALL), "a|a:42:abc=1");
	/* Servers decode names, too. */
	ck_assert_str_eq(
	    ask("GET /check/?%71=abc&q=1 HTTP/1.1\r\n" ALL), "a|a:42:abc=1");
	ck_assert_str_eq(
	    ask("GET /check/?%7=1&q%3D=1&q%=2&q=abc HTTP/1.1\r\n" ALL),
	    "a|a:42:abc=1");
	ck_assert_str_eq(
	    ask("GET /check/?q%3Dabc HTTP/1.1\r\n" ALL), "nowhere");
	ck_assert_str_eq(ask("GET /check/?q=abbc HTTP/1.1\r\n" ALL), "nowhere");
	ck_assert_str_eq(ask("GET /check/ HTTP/1.1\r\n" ALL), "nowhere");
	ck_assert_str_eq(ask("GET /check/?q=abc HTTP/1.1\r\nX-plan: free\r\n"
			     "Cookie: id=1"),
	    "nowhere");
	ck_assert_str_eq(ask("GET /check/?q=abc HTTP/1.1\r\nX-Plan: paid\r\n"
			     "Cookie: sid=1"),
	    "nowhere");
	ck_assert_str_eq(ask("GET /check HTTP/1.1\r\nX-Forwarded-Uri: /?q=abc"
			     "\r\nX-Forwarded-Host: EXAMPLE.org.:8\r\n" ALL),
	    "b|b=1");
}
END_TEST

START_TEST(the_original_request_is_what_the_proxy_says)
{
	use("[route:all]\nkeys = $method:$host:$path\n");
	ck_assert_str_eq(ask("GET /check HTTP/1.1\r\nX-Original-URI: /a?/b\r\n"
			     "X-Original-Method: POST"),
	    "all|POST:gate.example.com:/a=1");
	ck_assert_str_eq(
	    ask("GET /check?deny=403 HTTP/1.1\r\nX-Forwarded-Uri: /a\r\n"
		"X-Forwarded-Method: PUT\r\nX-Forwarded-Host: b"),
	    "all|PUT:b:/a=1");
	/* What only a client can have sent changes nothing. */
	ck_assert_str_eq(ask("GET /check HTTP/1.1\r\nX-Original-URI: /a\r\n"
			     "X-Forwarded-Method: PUT\r\nX-Forwarded-Host: b"),
	    "all|GET:gate.example.com:/a=1");
	ck_assert_str_eq(ask("POST /check/a HTTP/1.1\r\nX-Original-URI: /b\r\n"
			     "X-Forwarded-Uri: /c\r\nX-Forwarded-Host: b"),
	    "all|POST:gate.example.com:/a=1");
	ck_assert_str_eq(ask("GET /check HTTP/1.1\r\nX-Original-URI: /a\r\n"
			     "X-Forwarded-Uri: /a"),
	    "ambiguous");
	ck_assert_str_eq(ask("GET /check HTTP/1.1\r\nX-Original-URI: /a\r\n"
			     "X-Original-URI: /b"),
	    "ambiguous");
	ck_assert_str_eq(
	    ask("GET /check HTTP/1.1\r\nX-Original-URI: /a\r\n"
		"X-Original-Method: GET\r\nX-Original-Method: PUT"),
	    "ambiguous");
	ck_assert_str_eq(ask("GET /check HTTP/1.1\r\nX-Forwarded-Uri: /a\r\n"
			     "X-Forwarded-Host: b\r\nX-Forwarded-Host: c"),
	    "ambiguous");
	ck_assert_str_eq(ask("GET /check HTTP/1.1\r\nX-Forwarded-Uri: /a\r\n"
			     "X-Forwarded-Host: [2001:DB8::1]:8443"),
	    "all|GET:[2001%3Adb8%3A%3A1]:/a=1");
	ck_assert_str_eq(ask("PROPFIND /check HTTP/1.1\r\n"
			     "X-Original-URI: /a"),
	    "all|PROPFIND:gate.example.com:/a=1");
	ck_assert_str_eq(ask("GET /check HTTP/1.1"), "nooriginal");
	ck_assert_str_eq(ask("GET /check HTTP/1.1\r\n"
			     "X-Original-URI: http://x/a/b?c"),
	    "all|GET:gate.example.com:/a/b=1");
}
END_TEST

/* X(who asks, the headers, $client and $client64) */
static const struct {
	const char *peer, *headers, *keys;
} clients[] = {
    {"10.0.0.9", "X-Forwarded-For: 192.0.2.1", "192.0.2.1 192.0.2.1"},
    /* what a client has sent itself is farther left */
    {"10.0.0.9", "X-Forwarded-For: 1.1.1.1, 192.0.2.1", "192.0.2.1 192.0.2.1"},
    {"10.0.0.9", "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 192.0.2.1",
	"192.0.2.1 192.0.2.1"},
    {"10.0.0.9", "X-Forwarded-For: junk,,192.0.2.1", "192.0.2.1 192.0.2.1"},
    /* past proxies that are trusted */
    {"10.0.0.9", "X-Forwarded-For: 1.1.1.1, 192.0.2.1, 10.1.1.1 ,10.2.2.2",
	"192.0.2.1 192.0.2.1"},
    {"10.0.0.9", "X-Forwarded-For: 10.1.1.1, 10.2.2.2", "10.1.1.1 10.1.1.1"},
    {"10.0.0.9", "X-Forwarded-For: 192.0.2.1, junk", "10.0.0.9 10.0.0.9"},
    {"10.0.0.9", "X-Forwarded-For: ", "10.0.0.9 10.0.0.9"},
    {"10.0.0.9", "Forwarded: for=192.0.2.1", "10.0.0.9 10.0.0.9"},
    {"::ffff:10.0.0.9", "X-Forwarded-For: 192.0.2.1:4711",
	"192.0.2.1 192.0.2.1"},
    {"::1", "X-Forwarded-For: [2001:db8::1]:80", "2001:db8::1 2001:db8::/64"},
    {"", "X-Forwarded-For: 2001:db8::1", "2001:db8::1 2001:db8::/64"},
    {"", "X-Forwarded-For: ::ffff:192.0.2.1", "192.0.2.1 192.0.2.1"},
    /* who is not trusted says nothing */
    {"11.0.0.9", "X-Forwarded-For: 192.0.2.1", "11.0.0.9 11.0.0.9"},
    {"2001:db8:1::9", "X-Forwarded-For: 192.0.2.1",
	"2001:db8:1::9 2001:db8:1::/64"},
};

START_TEST(the_client_is_who_trusted_proxies_say)
{
	char text[300], expected[300];

	use("[route:all]\nkeys = $client $client64:64\n");
	snprintf(text, sizeof(text), "GET /check/ HTTP/1.1\r\n%s",
	    clients[_i].headers);
	snprintf(expected, sizeof(expected), "all|%.*s=1 %s:64=1",
	    (int)strcspn(clients[_i].keys, " "), clients[_i].keys,
	    strchr(clients[_i].keys, ' ') + 1);
	ck_assert_str_eq(
	    ask_of(clients[_i].peer, "x-forwarded-for", text), expected);
}
END_TEST

START_TEST(forwarded_is_read_if_it_is_the_header)
{
	static const char *const values[] = {"for=192.0.2.1",
	    "for=1.1.1.1, for=192.0.2.1;proto=https;by=203.0.113.43",
	    "proto=http; For=\"192.0.2.1:99\"",
	    "host=a;for=\"[::ffff:192.0.2.1]:9\"",
	    "for=_hidden, for=192.0.2.1, for=10.1.2.3"};
	char text[300];

	use("[route:all]\nkeys = $client\n");
	for (size_t i = 0; i < COUNT(values); i++) {
		snprintf(text, sizeof(text),
		    "GET /check/ HTTP/1.1\r\nX-Forwarded-For: 9.9.9.9\r\n"
		    "Forwarded: %s",
		    values[i]);
		ck_assert_str_eq(
		    ask_of("10.0.0.9", "Forwarded", text), "all|192.0.2.1=1");
	}
	ck_assert_str_eq(ask_of("10.0.0.9", "Forwarded",
			     "GET /check/ HTTP/1.1\r\nForwarded: for=unknown"),
	    "all|10.0.0.9=1");
	ck_assert_str_eq(
	    ask_of("", "Forwarded", "GET /check/ HTTP/1.1"), "all|free");
}
END_TEST

START_TEST(a_key_without_a_part_is_left_out)
{
	use("[route:a]\npath = /a\nkeys = u:$header.x-user i:$client\n"
	    "[route:b]\npath = /b\nkeys = u:$header.x-user\n"
	    "[route:c]\npath = /c\nkeys = u:$header.x-user\nrequired = yes\n"
	    "[route:d]\npath = /d\n");
	ck_assert_str_eq(get("/a"), "a|i:10.0.0.9=1");
	ck_assert_str_eq(get("/b"), "b|free");
	ck_assert_str_eq(ask("GET /check/b HTTP/1.1\r\nX-User:"), "b|free");
	ck_assert_str_eq(get("/c"), "c|denied");
	ck_assert_str_eq(ask("GET /check/c HTTP/1.1\r\nX-User: 7"), "c|u:7=1");
	ck_assert_str_eq(get("/d"), "d|free");
	ck_assert_str_eq(get("/e"), "nowhere");
}
END_TEST

/* A value cannot pretend to be two parts. */
START_TEST(values_are_escaped)
{
	use("[route:a]\nkeys = x${header.a}y:$header.b:$$\n");
	ck_assert_str_eq(
	    ask("GET /check/ HTTP/1.1\r\nA: 1:2\r\nB: a b%\xC3\xA9"),
	    "a|x1%3A2y:a%20b%25%C3%A9:$=1");
}
END_TEST

START_TEST(too_long_a_key_is_an_error)
{
	char text[400] = "GET /check/ HTTP/1.1\r\nA: ";
	size_t len = strlen(text);

	use("[route:a]\nkeys = x:$header.a\n");
	memset(text + len, 'a', KEY_TEXT_MAX - 2);
	ck_assert_int_eq(strncmp(ask(text), "a|x:aaa", 7), 0);
	text[len + KEY_TEXT_MAX - 2] = 'a';
	ck_assert_str_eq(ask(text), "toolong");
	use("[route:a]\nkeys = x:$header.a:$client\n");
	ck_assert_str_eq(ask(text), "toolong");
}
END_TEST

START_TEST(amount_may_be_a_part_within_bounds)
{
	use("[route:a]\npath = /5\nkeys = a\namount = 5\n"
	    "[route:b]\nkeys = b\namount = $header.x-cost\namount_max = 9\n");
	ck_assert_str_eq(get("/5"), "a|a=5");
	ck_assert_str_eq(get("/"), "b|b=1");
#define COST(text) ask("GET /check/ HTTP/1.1\r\nX-Cost: " text)
	ck_assert_str_eq(COST("7"), "b|b=7");
	ck_assert_str_eq(COST("9"), "b|b=9");
	ck_assert_str_eq(COST("10"), "b|b=9");
	ck_assert_str_eq(COST("99999999999999999999999"), "b|b=9");
	ck_assert_str_eq(COST("0"), "b|b=1");
	ck_assert_str_eq(COST("-7"), "b|b=1");
	ck_assert_str_eq(COST("7x"), "b|b=1");
	use("[route:a]\nkeys = a\namount = 1000000000\ncontinue = yes\n"
	    "[route:b]\nkeys = a\namount = 1\n");
	ck_assert_str_eq(get("/"), "a|b|a=1000000000");
}
END_TEST

START_TEST(later_routes_are_tried_as_well)
{
	use("[route:ip]\nkeys = ip same\ncontinue = yes\namount = 2\n"
	    "[route:a]\npath = /a/*\nkeys = a:$header.x\ncontinue = yes\n"
	    "[route:b]\npath = /a/b\nkeys = same b\n"
	    "[route:c]\npath = /a/b\nkeys = c\n");
	ck_assert_str_eq(get("/a/b"), "ip|a|b|ip=2 same=3 b=1");
	ck_assert_str_eq(get("/a/c"), "ip|a|ip=2 same=2");
	ck_assert_str_eq(get("/"), "ip|ip=2 same=2");
	ck_assert_str_eq(
	    ask("GET /check/a/ HTTP/1.1\r\nX: 1"), "ip|a|ip=2 same=2 a:1=1");
}
END_TEST

START_TEST(more_keys_than_a_check_has_are_refused)
{
	use("[route:a]\npath = /{x}/b\nkeys = 1 2 3 4 5 6 7 8\ncontinue = yes\n"
	    "[route:b]\npath = /a/{y}\nkeys = 9 10 11 12 13 14 15 16 17\n");
	ck_assert_ptr_nonnull(strstr(reasons_first(&reasons),
	    "a request that took all routes with continue = yes would get 17 "
	    "keys"));
	ck_assert_str_eq(get("/b/b"), "a|1=1 2=1 3=1 4=1 5=1 6=1 7=1 8=1");
	ck_assert_str_eq(get("/a/b"), "toomany");
}
END_TEST

START_TEST(a_parameter_without_a_value_is_there)
{
	use("[route:a]\nquery.q = *\nquery.p = *\nkeys = a\n");
	ck_assert_str_eq(get("/?q&p=1"), "a|a=1");
	ck_assert_str_eq(get("/?p=1&q"), "a|a=1");
	ck_assert_str_eq(get("/?p=1&q="), "a|a=1");
	ck_assert_str_eq(get("/?p=1&qq"), "nowhere");
	ck_assert_str_eq(get("/?p=1"), "nowhere");
}
END_TEST

static const struct {
	const char *route, *reason;
} mistakes[] = {
    {"[route:]\nkeys=a\n", "5:1: [route:]: a limit's name is"},
    {"[route:a b]\nkeys=a\n", "5:1: [route:a b]: a limit's name is"},
    {"[route:a]\n", "5:1: [route:a]: a route without any word"},
    {"[route:a]\nkeys=a\n[route:a]\nkeys=a\n",
	"7:1: [route:a]: is defined above already"},
    {"[route:a]\nkeys=a\nkeys=b\n", "7:1: [route:a]: keys is given twice"},
    {"[route:a]\nkey=a\n",
	"6:1: [route:a]: unknown word 'key', did you mean 'keys'?"},
    {"[route:a]\nheader.=a\n", "6:1: [route:a]: unknown word 'header.'"},
    {"[route:a]\nkeys=\n", "6:6: [route:a]: keys is empty"},
    {"[route:a]\nkeys=a:$who\n", "6:6: [route:a]: unknown $who: there are"},
    {"[route:a]\nkeys=a:$\n", "6:6: [route:a]: unknown $: there are"},
    {"[route:a]\nkeys=a:${client\n", "6:6: [route:a]: unknown $: there are"},
    {"[route:a]\nkeys=$path.id\n", "5:1: [route:a]: path has no {id}"},
    {"[route:a]\npath=~(\nkeys=a\n", "6:6: [route:a]: path, at byte 2: "},
    {"[route:a]\npath=x\n", "6:6: [route:a]: path must start with / or ~"},
    {"[route:a]\npath=/*/a\n", "6:6: [route:a]: path: * must be at its end"},
    {"[route:a]\npath=/{a}b\n", "6:6: [route:a]: path: {name} must be a whole"},
    {"[route:a]\npath=/{a\n", "6:6: [route:a]: path: {name} must be a whole"},
    {"[route:a]\npath=/{a}/{a}\n", "6:6: [route:a]: path: {name} must be"},
    {"[route:a]\npath=/a}\n", "6:6: [route:a]: path: {name} must be a whole"},
    {"[route:a]\nmethod=get\n", "6:8: [route:a]: method must be names as GET"},
    {"[route:a]\nhost=a:80\n", "6:6: [route:a]: host is a name without a port"},
    {"[route:a]\nhost=[\n", "6:6: [route:a]: host has a ["},
    {"[route:a]\nquery.q=[\n", "6:9: [route:a]: query.q has a ["},
    {"[route:a]\namount=0\n", "6:8: [route:a]: amount must be a whole number"},
    {"[route:a]\namount=$query.n\n",
	"5:1: [route:a]: amount_max must say how much"},
    {"[route:a]\namount=2\namount_max=3\n",
	"5:1: [route:a]: amount_max goes with an amount as"},
    {"[route:a]\nkeys=a\nquery.q0=1\nquery.q1=1\nquery.q2=1\nquery.q3=1\nquery."
     "q4=1\nquery.q5=1\nquery.q6=1\nquery.q7=1\nquery.q8=1\nquery.q9=1\nquery."
     "q10=1\nquery.q11=1\nquery.q12=1\nquery.q13=1\nquery.q14=1\nquery.q15="
     "1\nquery.q16=1\nquery.q17=1\nquery.q18=1\nquery.q19=1\n",
	"a route has at most 16 conditions"},
    {"[route:a]\nkeys=a\npath=~(?<n0>a)(?<n1>a)(?<n2>a)(?<n3>a)(?<n4>a)(?<n5>a)"
     "(?<n6>a)(?<n7>a)(?<n8>a)(?<n9>a)(?<n10>a)(?<n11>a)(?<n12>a)(?<n13>a)(?<"
     "n14>a)(?<n15>a)(?<n16>a)(?<n17>a)(?<n18>a)(?<n19>a)(?<n20>a)(?<n21>a)(?<"
     "n22>a)(?<n23>a)(?<n24>a)(?<n25>a)(?<n26>a)(?<n27>a)(?<n28>a)(?<n29>a)(?<"
     "n30>a)(?<n31>a)(?<n32>a)(?<n33>a)(?<n34>a)(?<n35>a)(?<n36>a)(?<n37>a)(?<"
     "n38>a)(?<n39>a)\n",
	"path has more than"},
    {"[route:a]\nkeys=a\namount=$query.n\namount_max=0\n",
	"amount_max must be"},
    {"[route:a]\nkeys=a\npolicy_denied=ok\n",
	"policy_denied must be defer_if_permit | defer | reject | hold | "
	"discard"},
    {"[route:a]\nkeys=a\npath=/{0 }\n", "path: {name} must be a whole"},
    {"[route:a]\nkeys=a\nmethod=G%T\n", "method must be names"},
    {"[route:a]\nkeys=$client$method$host$client$method$host$client$method$"
     "host$client"
     "$method$host$client$method$host\n",
	"a key has at most 12 parts"},
    {"[route:a]\nkeys=a${header.}\n", "unknown $header.: there are"},
    {"[route:a]\nkeys=${host+x}\n", "unknown $host+x: there are"},
    {"[route:a]\nkeys=${0123456789012345678901234567890123456789}\n",
	"unknown $012345678901234567890123456789: there are"},
    {"[route:a]\nkeys=a\x7f\n", "6:6: [route:a]: this is no key"},
    {"[route:a]\nkeys=a$host$host$host$host$host$host$host$host$host$host$host"
     ".:\n",
	"a key has at most 12 parts"},
    {"[route:a]\nkeys=$path.0123456789012345678901234567890123456789_\n",
	"path has no {0123456789012345678901234567890123456789}"},
    {"[route:a]\nkeys=$path."
     "01234567890123456789012345678901234567890123456789012345678901234\n",
	"path has no {0123456789012345678901234567890123456789}"},
    {"[route:a]\npath=~x\nkeys=$path.id\n", "path has no {id}"},
    {"[route:a]\namount=$who\n", "amount must be a whole number"},
    {"[route:a]\namount=$path.id\namount_max=3\n", "path has no {id}"},
    {"[route:a]\nnothing-of-ours=1\n", "unknown word 'nothing-of-ours'"},
    {"[route:a]\npath=/a{b}\n", "path: {name} must be a whole"},
    {"[route:a]\npath=/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}/{j}/{k}/{l}/{m}/{n}"
     "/{o}/{p}\n",
	"6:6: [route:a]: path has more than 15 {names}"},
    {"[route:a]\nrequired=maybe\n", "6:10: [route:a]: required must be yes"},
    {"[route:a]\nkeys=1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n",
	"6:6: [route:a]: a route has at most 16 keys"},
    {"[route:a]\ncontinue=yes\nkeys=1 2 3 4 5 6 7 8 9\n"
     "[route:b]\nkeys=1 2 3 4 5 6 7 8\n",
	"a request could get 17 keys"},
};

START_TEST(a_mistake_is_told_with_its_place)
{
	char text[1000];

	snprintf(text, sizeof(text), "%s%s", LIMIT, mistakes[_i].route);
	ck_assert_ptr_null(
	    rules_from_ini("t.ini", text, strlen(text), &reasons));
	ck_assert_msg(
	    strstr(reasons_first(&reasons), mistakes[_i].reason) != NULL, "%s",
	    reasons_first(&reasons));
}
END_TEST

START_TEST(a_route_that_no_request_reaches_is_warned_of)
{
	static const char *const unreached[] = {
	    "[route:a]\npath=/a/*\nkeys=a\n[route:b]\npath=/a/{x}\nkeys=b\n",
	    "[route:a]\nkeys=a\n[route:b]\npath=~x\nkeys=b\n",
	    "[route:a]\nmethod=GET "
	    "PUT\nkeys=a\n[route:b]\nmethod=GET\nkeys=b\n",
	    "[route:a]\nhost=A\nheader.x=1\nkeys=a\n"
	    "[route:b]\nheader.x=1\nhost=a\npath=/\nkeys=b\n"};
	static const char *const reached[] = {
	    "[route:a]\npath=/a/*\ncontinue=yes\nkeys=a\n"
	    "[route:b]\npath=/a/b\nkeys=b\n",
	    "[route:a]\npath=/a/{x}\nkeys=a\n[route:b]\npath=/a/b/c\nkeys=b\n",
	    "[route:a]\nheader.x=1\nkeys=a\n[route:b]\nkeys=b\n",
	    "[route:a]\nmethod=GET\nkeys=a\n[route:b]\nkeys=b\n",
	    "[route:a]\npath=/a/*\nkeys=a\n[route:b]\npath=/b/c\nkeys=b\n",
	    "[route:a]\nhost=a\nkeys=a\n[route:b]\nhost=b\nkeys=b\n"};

	for (size_t i = 0; i < COUNT(unreached); i++) {
		use(unreached[i]);
		ck_assert_msg(strstr(reasons_first(&reasons),
				  "[route:b]: no request reaches it: "
				  "[route:a] before it") != NULL,
		    "%zu: %s", i, reasons_first(&reasons));
	}
	for (size_t i = 0; i < COUNT(reached); i++) {
		use(reached[i]);
		ck_assert_uint_eq(reasons.count, 0);
	}
}
END_TEST

/* Equal routes are written equally, and read back. */
START_TEST(routes_are_written_as_lines_and_sections)
{
	struct buf line = {0}, section = {0}, again = {0};
	const struct route *route;
	struct rules_line item;
	struct rules *read;

	use("[route:a]\ncontinue = no\nkeys = ip:$client  u:$header.x\n"
	    "cookie.b = 1\nheader.a = x*\nmethod = GET POST\namount = 1\n"
	    "required = yes\npath = /a/{b}/*\nhost = B.example\n");
	route = rules_routes(rules)->items[0];
	ck_assert_int_eq(route_write_line(&line, route), 0);
	item = (struct rules_line){buf_data(&line), buf_len(&line)};
	ck_assert_int_eq(buf_add(&line, "", 1), 0);
	ck_assert_str_eq(buf_data(&line),
	    "route:a host=b.example method=GET,POST path=/a/{b}/* header.a=x* "
	    "cookie.b=1 keys=ip:$client,u:$header.x required=yes");
	ck_assert(!route_has_blank(route));
	ck_assert_int_eq(route_write_section(&section, route), 0);
	read = rules_from_lines("", &item, 1, &reasons);
	ck_assert_ptr_nonnull(read);
	route = rules_routes(read)->items[0];
	ck_assert_int_eq(route_write_section(&again, route), 0);
	ck_assert_int_eq(buf_add(&section, "", 1), 0);
	ck_assert_int_eq(buf_add(&again, "", 1), 0);
	ck_assert_str_eq(buf_data(&again), buf_data(&section));
	ck_assert_str_eq(buf_data(&section),
	    "[route:a]\nhost = b.example\nmethod = GET,POST\npath = /a/{b}/*\n"
	    "header.a = x*\ncookie.b = 1\nkeys = ip:$client,u:$header.x\n"
	    "required = yes\n");
	rules_unref(read);
	buf_free(&line);
	buf_free(&section);
	buf_free(&again);
	use("[route:a]\nheader.a = x y\nkeys = a\n");
	ck_assert(route_has_blank(rules_routes(rules)->items[0]));
}
END_TEST

Suite *
route_suite(void)
{
	Suite *suite = suite_create("route");
	TCase *tcase = tcase_create("route");

	tcase_add_checked_fixture(tcase, start, stop);
	tcase_add_test(tcase, first_route_that_matches_takes_the_request);
	tcase_add_test(tcase, a_path_is_cleaned);
	tcase_add_test(tcase, conditions_must_all_hold);
	tcase_add_test(tcase, the_original_request_is_what_the_proxy_says);
	tcase_add_loop_test(tcase, the_client_is_who_trusted_proxies_say, 0,
	    (int)COUNT(clients));
	tcase_add_test(tcase, forwarded_is_read_if_it_is_the_header);
	tcase_add_test(tcase, a_key_without_a_part_is_left_out);
	tcase_add_test(tcase, values_are_escaped);
	tcase_add_test(tcase, too_long_a_key_is_an_error);
	tcase_add_test(tcase, amount_may_be_a_part_within_bounds);
	tcase_add_test(tcase, later_routes_are_tried_as_well);
	tcase_add_test(tcase, more_keys_than_a_check_has_are_refused);
	tcase_add_test(tcase, a_parameter_without_a_value_is_there);
	tcase_add_loop_test(
	    tcase, a_mistake_is_told_with_its_place, 0, (int)COUNT(mistakes));
	tcase_add_test(tcase, a_route_that_no_request_reaches_is_warned_of);
	tcase_add_test(tcase, routes_are_written_as_lines_and_sections);
	suite_add_tcase(suite, tcase);
	return suite;
}
