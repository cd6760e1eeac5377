#include "suites.h"

#include "base/attr.h"
#include "gate/gateway.h"
#include "protocol/http/http_write.h"
#include "protocol/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const struct protocol http_protocol;

static struct session_common common;
static struct session session;

/* What was read, a line each: "VERB KEY AMOUNT" and what is special about the
 * response, or the status and code word of an error. */
static struct buf trace;

static void
set_up(void)
{
	common = (struct session_common){
	    .http_hosts = "gate.example.com  API.Example.com",
	    .http_headers = HTTP_HEADERS_ALL};
}

static void
tear_down(void)
{
	session_common_clear(&common);
	buf_free(&trace);
}

static void
trace_request(const struct request *request)
{
	static const char *const parts[] = {
	    "", " first", " middle", " last", " only"};
	const struct verb_row *row = &verb_rows[request->verb];
	unsigned encoding = request->encoding;

	ck_assert_int_eq(buf_printf(&trace, "%s", row->name), 0);
	if (verb_has_key(row))
		ck_assert_int_eq(
		    buf_printf(&trace, " %.*s %lld", (int)request->key_len,
			request->key, (long long)request->amount),
		    0);
	if (request->op == OP_WAIT)
		ck_assert_int_eq(buf_printf(&trace, " within %lldus",
				     (long long)request->wait_us),
		    0);
	for (unsigned i = 0; i < request->key_count; i++)
		ck_assert_int_eq(
		    buf_printf(&trace, " %.*s %lld", (int)request->keys[i].len,
			request->keys[i].bytes,
			(long long)request->keys[i].amount),
		    0);
	if (encoding >> HTTP_DENY_SHIFT)
		ck_assert_int_eq(
		    buf_printf(&trace, " deny=%u", encoding >> HTTP_DENY_SHIFT),
		    0);
	ck_assert_int_eq(buf_printf(&trace, "%s%s%s%s\n",
			     parts[encoding >> HTTP_PART_SHIFT & 7],
			     encoding & HTTP_NO_BODY ? " head" : "",
			     encoding & HTTP_IS_OLD ? " old" : "",
			     encoding & HTTP_KEEPS ? "" : " close"),
	    0);
}

/* The status of a response, and its code word, if it is an error. */
static void
trace_response(bool has_body)
{
	static const char name[] = "\"code\":\"";
	size_t len = buf_len(&common.response);
	char *text = calloc(1, len + 1);
	const char *code;

	ck_assert_uint_gt(len, 12);
	memcpy(text, buf_data(&common.response), len);
	buf_consume(&common.response, len);
	ck_assert_int_eq(strncmp(text, "HTTP/1.1 ", 9), 0);
	code = strstr(text, name);
	ck_assert_int_eq(buf_printf(&trace, "%.3s", text + 9), 0);
	if (has_body && code) {
		code += strlen(name);
		ck_assert_int_eq(
		    buf_printf(&trace, " %.*s", (int)strcspn(code, "\""), code),
		    0);
		/* It says so, if no more can be read. */
		ck_assert_int_eq(session.last,
		    strstr(text, "\r\nConnection: close\r\n") != NULL);
	}
	ck_assert_int_eq(buf_add(&trace, "\n", 1), 0);
	free(text);
}

/* Read all requests that are whole.  Return the number of bytes done with. */
static size_t
read_requests(const char *bytes, size_t len)
{
	struct request request;
	size_t done = 0, used;

	while (!session.last || session_has_queued(&session)) {
		size_t first =
		    session_first_len(&session, bytes + done, len - done);
		enum read_result result = session_read(
		    &session, bytes + done, len - done, &used, &request);

		done += used;
		ck_assert_int_ne(result, READ_FAILED);
		if (result == READ_MORE)
			return done;
		if (!session.last)
			ck_assert_uint_eq(used, first);
		if (result == READ_REQUEST)
			trace_request(&request);
		else
			trace_response(result == READ_BAD);
	}
	return len;
}

/* Read ${len} bytes that come in pieces of ${step}, from a new client. */
static void
check_pieces(const char *text, size_t len, size_t step, const char *expected)
{
	size_t start = 0, end = 0;

	session_start(&session, &common, 7, OFFER_HTTP);
	buf_consume(&trace, buf_len(&trace));
	while (end < len) {
		end = len - end < step ? len : end + step;
		start += read_requests(text + start, end - start);
		ck_assert_uint_le(end - start, PROTOCOL_HELD_MAX);
	}
	ck_assert_int_eq(buf_add(&trace, "", 1), 0);
	ck_assert_str_eq(buf_data(&trace), expected);
	session_end(&session);
}

static void
check_text(const char *text, size_t len, const char *expected)
{
	check_pieces(text, len, len, expected);
	check_pieces(text, len, 1, expected);
	check_pieces(text, len, 7, expected);
}

#define H "Host: x\r\n"
#define JSON(length)                                                           \
	"POST /consume HTTP/1.1\r\n" H "Content-Type: application/json\r\n"    \
	"Content-Length: " #length "\r\n\r\n"
#define FORM(length)                                                           \
	"POST /consume HTTP/1.1\r\n" H "Content-Type: "                        \
	"application/x-www-form-urlencoded\r\nContent-Length: " #length        \
	"\r\n\r\n"
#define CHUNKED                                                                \
	"POST /consume HTTP/1.1\r\n" H "Content-Type: "                        \
	"application/x-www-form-urlencoded\r\n"                                \
	"Transfer-Encoding: chunked\r\n\r\n"
#define GET(target)  "GET " target " HTTP/1.1\r\n" H "\r\n"
#define WITH(header) "GET /consume?key=a HTTP/1.1\r\n" H header "\r\n\r\n"
#define FROM(host, header)                                                     \
	"GET /consume?key=a HTTP/1.1\r\nHost: " host "\r\n" header "\r\n"

static const struct {
	const char *text, *expected;
} inputs[] = {
    /* lines */
    {GET("/consume?key=a") GET("/peek?key=b&amount=2"),
	"consume a 1\npeek b 2\n"},
    {"\r\n\r\n" GET("/consume?key=a") "\r\n" GET("/healthz"),
	"consume a 1\nping\n"},
    {"GET /healthz HTTP/1.1\nHost: x\n\n", "400 badrequest\n"},
    {"GET /healthz HTTP/1.1\r\nHost: x\n\r\n", "400 badrequest\n"},
    {"\n", "400 badrequest\n"},
    {"GET  /healthz HTTP/1.1\r\n" H "\r\n", "400 badrequest\n"},
    {"GET /healthz\r\n\r\n", "400 badrequest\n"},
    {"GET /healthz HTTP/1.1 \r\n\r\n", "400 badrequest\n"},
    {"GET /a b HTTP/1.1\r\n\r\n", "400 badrequest\n"},
    {" GET /healthz HTTP/1.1\r\n\r\n", "400 badrequest\n"},
    {"GET /healthz http/1.1\r\n\r\n", "400 badrequest\n"},
    {"GET /healthz HTTP/11\r\n\r\n", "400 badrequest\n"},
    {"G\tT /healthz HTTP/1.1\r\n\r\n", "400 badrequest\n"},
    {"GET healthz HTTP/1.1\r\n\r\n", "400 badtarget\n"},
    {"GET /health\tz HTTP/1.1\r\n\r\n", "400 badtarget\n"},
    {"GET /a#b HTTP/1.1\r\n\r\n", "400 badtarget\n"},
    {"GET /\xC3\xA9 HTTP/1.1\r\n\r\n", "400 badtarget\n"},
    {"GET * HTTP/1.1\r\n\r\n", "400 badtarget\n"},
    {"GET ftp://x/ HTTP/1.1\r\n\r\n", "400 badtarget\n"},
    {"GET http:///healthz HTTP/1.1\r\n\r\n", "400 badtarget\n"},
    {"GET http://a@x/healthz HTTP/1.1\r\n\r\n", "400 badtarget\n"},
    {"get /healthz HTTP/1.1\r\n\r\n", "501 badmethod\n"},
    {"BREW /healthz HTTP/1.1\r\n\r\n", "501 badmethod\n"},
    {"CONNECT x:1 HTTP/1.1\r\n\r\n", "501 badmethod\n"},
    {"TRACE / HTTP/1.1\r\n\r\n", "501 badmethod\n"},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505 badversion\n"},
    {"GET /healthz HTTP/0.9\r\n\r\n", "505 badversion\n"},
    {"GET /healthz HTTP/1.2\r\n" H "\r\n", "ping\n"},
    {"OPTIONS * HTTP/1.1\r\n" H "\r\n", "404 notfound\n"},
    {"PUT /consume HTTP/1.1\r\n" H "\r\n" GET("/healthz"),
	"405 badmethod\nping\n"},
    {"GET /reset?key=a HTTP/1.1\r\n" H "\r\n", "405 badmethod\n"},
    {"PROPFIND /peek?key=a HTTP/1.1\r\n" H "\r\n", "405 badmethod\n"},
    {"HEAD /peek?key=a HTTP/1.1\r\n" H "\r\n", "peek a 1 head\n"},
    {GET("/nothing") GET("/"), "404 notfound\n404 notfound\n"},
    {GET("/%63onsume?key=a"), "404 notfound\n"},
    {GET("/stats"), "404 notfound\n"},
    {"GET http://x/consume?key=a HTTP/1.1\r\nHost: y\r\n\r\n", "consume a 1\n"},
    {"GET HTTPS://X:80?a HTTP/1.1\r\n" H "\r\n", "404 notfound\n"},
    {"GET http://evil.example/healthz HTTP/1.1\r\n" H "\r\n", "403 badhost\n"},

    /* HTTP/1.0 and persistence */
    {"GET /healthz HTTP/1.0\r\n\r\n", "ping old close\n"},
    {"GET /healthz HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"
     "GET /healthz HTTP/1.0\r\n\r\n",
	"ping old\nping old close\n"},
    {WITH("Connection: close"), "consume a 1 close\n"},
    {WITH("Connection: te ,\tCLOSE , x"), "consume a 1 close\n"},
    {WITH("Connection: closed, keep-alive"), "consume a 1\n"},
    {"POST /consume?key=a HTTP/1.0\r\n\r\n", "411 nolength\n"},
    {"POST /reset?key=a HTTP/1.1\r\n" H "\r\n", "reset a 1\n"},
    {"POST /reset HTTP/1.1\r\n" H "Content-Type: application/json\r\n\r\n",
	"411 nolength\n"},

    /* headers */
    {"GET /healthz HTTP/1.1\r\n\r\n", "400 badhost\n"},
    {"GET /healthz HTTP/1.1\r\n" H H "\r\n", "400 badhost\n"},
    {"GET /healthz HTTP/1.1\r\nHost: a/b\r\n\r\n", "400 badhost\n"},
    {"GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n", "400 badhost\n"},
    {"GET /healthz HTTP/1.1\r\nHost : x\r\n\r\n", "400 badheader\n"},
    {"GET /healthz HTTP/1.1\r\n" H "A: b\r\n c\r\n\r\n", "400 badheader\n"},
    {"GET /healthz HTTP/1.1\r\n Host: x\r\n\r\n", "400 badheader\n"},
    {WITH(": b"), "400 badheader\n"},
    {WITH("a"), "400 badheader\n"},
    {WITH("a b: c"), "400 badheader\n"},
    {WITH("a: b\rc"), "400 badheader\n"},
    {WITH("a: b\x01"), "400 badheader\n"},
    {WITH("a: b\x7F"), "400 badheader\n"},
    {WITH("a:\tb\xE9 c \t"), "consume a 1\n"},
    {WITH("a:"), "consume a 1\n"},
    {WITH("Content-Length: 0"), "consume a 1\n"},
    {WITH("Expect: 200-ok"), "417 badexpect\n"},
    {WITH("Content-Length: 3") "abc", "400 badbody\n"},
    {"GET /healthz HTTP/1.1\r\n" H
     "Authorization: a\r\nAuthorization: a\r\n\r\n",
	"400 badheader\n"},
    {"POST /consume HTTP/1.1\r\n" H
     "Content-Type: application/json \t\r\nContent-Type: a\r\n\r\n",
	"400 badheader\n"},
    {"GET /healthz HTTP/1.\r\n" H "\r\n", "400 badrequest\n"},
    {"GET /healthz HTTP/a.1\r\n" H "\r\n", "400 badrequest\n"},
    {"GET /healthz HTTP/1-1\r\n" H "\r\n", "400 badrequest\n"},
    {"GET /healthz HTTP/1.a\r\n" H "\r\n", "400 badrequest\n"},
    {"GET /healthz HTTP/1:1\r\n" H "\r\n", "400 badrequest\n"},
    {"GET /healthz HTTX/1.1\r\n" H "\r\n", "400 badrequest\n"},
    {"GET /healthz HTTP/:.1\r\n" H "\r\n", "400 badrequest\n"},
    {"GET /a#b HTTP/1.1\r\n" H "\r\n", "400 badtarget\n"},
    {"GET *x HTTP/1.1\r\n" H "\r\n", "400 badtarget\n"},

    /* lengths: what two servers may read differently */
    {WITH("Content-Length: 3\r\nContent-Length: 3") "abc", "400 badlength\n"},
    {WITH("Content-Length: 3, 3"), "400 badlength\n"},
    {WITH("Content-Length: -3"), "400 badlength\n"},
    {WITH("Content-Length: +3"), "400 badlength\n"},
    {WITH("Content-Length: 0x3"), "400 badlength\n"},
    {WITH("Content-Length: 3 3"), "400 badlength\n"},
    {WITH("Content-Length:"), "400 badlength\n"},
    {WITH("Content-Length: 99999999999999999999999"), "413 toolong\n"},
    {WITH("Content-Length: 65537"), "413 toolong\n"},
    {WITH("Content-Length: 3\r\nTransfer-Encoding: chunked"),
	"400 badlength\n"},
    {WITH("Transfer-Encoding: chunked\r\nContent-Length: 3"),
	"400 badlength\n"},
    {WITH("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
	"400 badlength\n"},
    {WITH("Transfer-Encoding: gzip, chunked"), "501 badcoding\n"},
    {WITH("Transfer-Encoding: identity"), "501 badcoding\n"},
    {WITH("Transfer-Encoding: xchunked"), "501 badcoding\n"},
    {"POST /consume HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"400 badlength\n"},

    /* chunks */
    {CHUNKED "5\r\nkey=a\r\n0\r\n\r\n" GET("/healthz"), "consume a 1\nping\n"},
    {CHUNKED "1\r\nk\r\n00004;x=\"y\"\r\ney=a\r\n0;z\r\nA: b\r\n\r\n",
	"consume a 1\n"},
    {CHUNKED "A\r\nkey=aaaaaa\r\n0\r\n\r\n", "consume aaaaaa 1\n"},
    {CHUNKED "a\r\nkey=aaaaaa\r\n0\r\n\r\n", "consume aaaaaa 1\n"},
    {CHUNKED "5\nkey=a\r\n0\r\n\r\n", "400 badrequest\n"},
    {CHUNKED "5\r\nkey=ab\r\n0\r\n\r\n", "400 badchunk\n"},
    {CHUNKED "5\r\nkey=a\n0\r\n\r\n", "400 badchunk\n"},
    {CHUNKED "\r\n", "400 badchunk\n"},
    {CHUNKED " 5\r\n", "400 badchunk\n"},
    {CHUNKED "5 \r\n", "400 badchunk\n"},
    {CHUNKED "-5\r\n", "400 badchunk\n"},
    {CHUNKED "0x5\r\n", "400 badchunk\n"},
    {CHUNKED "g\r\n", "400 badchunk\n"},
    {CHUNKED "5;\x01\r\n", "400 badchunk\n"},
    {CHUNKED "10001\r\n", "413 toolong\n"},
    {CHUNKED "fffffffffffffffff\r\n", "413 toolong\n"},
    {CHUNKED "5\r\nkey=a\r\n0\r\nbad\r\n\r\n", "400 badheader\n"},

    /* parameters */
    {GET("/consume?key=%6C%6fgin%3a1&amount=%2d5"), "consume login:1 -5\n"},
    {GET("/consume?&key=a&&deny=403&"), "consume a 1 deny=403\n"},
    {GET("/consume?key=%2541"), "consume %41 1\n"},
    {GET("/consume?key=a%") GET("/consume?key=a%4"),
	"400 badquery\n400 badquery\n"},
    {GET("/consume?key=a%4g"), "400 badquery\n"},
    {GET("/consume?key=a%00b"), "400 badkey\n"},
    {GET("/consume?key=%c0%80"), "400 badkey\n"},
    {GET("/consume?key=a+b"), "400 badkey\n"},
    {GET("/consume?key=%C3%A9"), "consume \xC3\xA9 1\n"},
    {GET("/consume?key="), "400 badkey\n"},
    {GET("/consume?key"), "400 badkey\n"},
    {GET("/consume"), "400 nokey\n"},
    {GET("/consume?") GET("/peek?amount=1"), "400 nokey\n400 nokey\n"},
    {GET("/consume?key=a&amount="), "400 badamount\n"},
    {GET("/consume?key=a&amount=1.5"), "400 badamount\n"},
    {GET("/consume?key=a&amount=1000000001"), "400 badamount\n"},
    {GET("/consume?key=a&amount=1&amount=1"), "400 badquery\n"},
    {GET("/consume?key=a&key=b"), "mconsume a 1 b 1\n"},
    {GET("/peek?key=a&amount=2&key=b&key=a&amount=-3&deny=403"),
	"mpeek a 2 b 1 a -3 deny=403\n"},
    {GET("/consume?amount=2&key=a&key=b"), "400 badquery\n"},
    {GET("/consume?key=a&key=b&amount=2&amount=3"), "400 badquery\n"},
    {GET("/consume?key=a&key="), "400 badkey\n"},
    {GET("/explain?key=a&key=b"), "400 badquery\n"},
    {GET("/consume?key=1&key=2&key=3&key=4&key=5&key=6&key=7&key=8&key=9"
	 "&key=a&key=b&key=c&key=d&key=e&key=f&key=g&amount=7"),
	"mconsume 1 1 2 1 3 1 4 1 5 1 6 1 7 1 8 1 9 1 a 1 b 1 c 1 d 1 e 1 f 1 "
	"g 7\n"},
    {GET("/consume?key=1&key=2&key=3&key=4&key=5&key=6&key=7&key=8&key=9"
	 "&key=a&key=b&key=c&key=d&key=e&key=f&key=g&key=h"),
	"400 toomany\n"},
    {"POST /consume?key=a HTTP/1.1\r\n" H
     "Content-Type: application/x-www-form-urlencoded\r\n"
     "Content-Length: 14\r\n\r\nkey=b&amount=2",
	"mconsume a 1 b 2\n"},
    {GET("/charge?key=a&amount=3") GET("/take?amount=0&key=a"),
	"charge a 3\ntake a 0\n"},
    {GET("/charge?key=a"), "400 noamount\n"},
    {GET("/take?amount=1"), "400 nokey\n"},
    {GET("/take?key=a&amount=-1"), "400 badamount\n"},
    {GET("/charge?key=a&amount=1&key=b&amount=1"), "400 badquery\n"},
    {GET("/consume?key=a&wait=2s") GET("/consume?wait=0.5&amount=3&key=a"),
	"wait a 1 within 2000000us\nwait a 3 within 500000us\n"},
    {GET("/consume?key=a&wait=x"), "400 badwait\n"},
    {GET("/consume?key=a&wait=-1"), "400 badwait\n"},
    {GET("/consume?key=a&wait="), "400 badwait\n"},
    {GET("/consume?key=a&wait=1&wait=1"), "400 badquery\n"},
    {GET("/consume?key=a&wait=1&amount=-1"), "400 badamount\n"},
    {GET("/consume?key=a&amount=-1&wait=1"), "400 badamount\n"},
    {GET("/consume?key=a&wait=1&key=b"), "mconsume within 1000000us a 1 b 1\n"},
    {GET("/consume?key=a&amount=-1&key=b&wait=1"), "400 badamount\n"},
    {GET("/consume?key=a&wait=1&key=b&amount=-1"), "400 badamount\n"},
    {GET("/consume?wait=1"), "400 nokey\n"},
    {GET("/peek?key=a&wait=1"), "400 badwait\n"},
    {GET("/take?key=a&amount=1&wait=1"), "400 badwait\n"},
    {GET("/check?key=a"), "400 badquery\n"},
    {GET("/check?wait=3"), "400 badquery\n"},
    {GET("/check?id=a"), "400 badquery\n"},
    {GET("/consume?key=a&deny=200"), "400 baddeny\n"},
    {GET("/consume?key=a&deny=600"), "400 baddeny\n"},
    {GET("/consume?key=a&x=1"), "400 badquery\n"},
    {GET("/consume?Key=a"), "400 badquery\n"},
    {GET("/healthz?x=%") GET("/readyz"), "ping\nready\n"},
    {FORM(5) "key=a" GET("/healthz"), "consume a 1\nping\n"},
    {"POST /peek?amount=3 HTTP/1.1\r\n" H
     "content-type: Application/X-WWW-Form-URLencoded ; charset=x\r\n"
     "content-length: 0005\r\n\r\nkey=a",
	"peek a 3\n"},
    {"POST /consume?key=a HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nkey=a",
	"415 badtype\n"},
    {"POST /consume?key=a HTTP/1.1\r\n" H
     "Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nkey=a",
	"415 badtype\n"},
    {"POST /nothing HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nkey=a",
	"404 notfound\n"},

    /* JSON */
    {JSON(11) "{\"key\":\"a\"}" GET("/healthz"), "consume a 1\nping\n"},
    {JSON(35) "\t{ \"amount\" : -2 ,\n\"key\" : \"a\" } \r\n",
	"consume a -2\n"},
    {JSON(22) "{\"key\":\"a\",\"wait\":0.5}", "wait a 1 within 500000us\n"},
    {JSON(32) "{\"all\":[{\"key\":\"a\"}],\"wait\":0.5}",
	"mconsume within 500000us a 1\n"},
    {JSON(32) "{\"wait\":0.5,\"all\":[{\"key\":\"a\"}]}",
	"mconsume within 500000us a 1\n"},
    {JSON(31) "{\"each\":[{\"key\":\"a\",\"wait\":1}]}", "400 badquery\n"},
    {JSON(31) "{\"each\":[{\"key\":\"a\"}],\"wait\":1}", "400 badjson\n"},
    {JSON(22) "{\"key\":\"a\",\"deny\":403}", "consume a 1 deny=403\n"},
    {JSON(30) "{\"key\":\"\\u0041\\ud83d\\ude42\\/\"}",
	"consume A\xF0\x9F\x99\x82/ 1\n"},
    {JSON(16) "{\"key\":\"\\u0000\"}", "400 badkey\n"},
    {JSON(16) "{\"key\":\"\\ud83d\"}", "400 badjson\n"},
    {JSON(16) "{\"key\":\"\\ude42\"}", "400 badjson\n"},
    {JSON(12) "{\"key\":\"\\x\"}", "400 badjson\n"},
    {JSON(11) "{\"key\":\"\t\"}", "400 badjson\n"},
    {JSON(11) "{\"key\":\"\xFF\"}", "400 badkey\n"},
    {JSON(10) "{\"key\":\"a}", "400 badjson\n"},
    {JSON(9) "{\"key\":1}", "400 badjson\n"},
    {JSON(12) "{\"key\":null}", "400 badjson\n"},
    {JSON(12) "{\"key\":\"a\"}}", "400 badjson\n"},
    {JSON(12) "{\"key\":\"a\",}", "400 badjson\n"},
    {JSON(12) "[\"key\",\"a\"] ", "400 badjson\n"},
    {JSON(2) "{}", "400 nokey\n"},
    {JSON(0), "400 nokey\n"},
    {JSON(1) " ", "400 badjson\n"},
    {JSON(21) "{\"key\":\"a\",\"key\":\"a\"}", "400 badquery\n"},
    {JSON(17) "{\"key\":\"a\",\"x\":1}", "400 badquery\n"},
    {JSON(24) "{\"key\":\"a\",\"amount\":NaN}", "400 badjson\n"},
    {JSON(26) "{\"key\":\"a\",\"amount\":1e400}", "400 badamount\n"},
    {JSON(24) "{\"key\":\"a\",\"amount\":1.0}", "400 badamount\n"},
    {JSON(23) "{\"key\":\"a\",\"amount\":01}", "400 badjson\n"},
    {JSON(23) "{\"key\":\"a\",\"amount\":+1}", "400 badjson\n"},
    {JSON(24) "{\"key\":\"a\",\"amount\":\"1\"}", "400 badjson\n"},
    {JSON(24) "{\"key\":\"a\",\"amount\":[1]}", "400 badjson\n"},
    {JSON(21) "{\"all\":[{\"key\":\"a\"}]}", "mconsume a 1\n"},
    {JSON(59) "{\"all\":[{\"amount\":2,\"key\":\"a\"},{\"key\":\"b\"}],"
	      "\"deny\":403    }" GET("/healthz"),
	"mconsume a 2 b 1 deny=403\nping\n"},
    /* deep */
    {JSON(32) "{\"key\":[[[[[[[[[[[[]]]]]]]]]]]]}", "400 badjson\n"},
    {JSON(35) "{\"key\":{\"key\":{\"key\":{\"key\":\"a\"}}}}", "400 badjson\n"},
    {JSON(44) "{\"each\":[{\"each\":[{\"each\":[{\"key\":\"a\"}]}]}]}",
	"400 badjson\n"},
    {JSON(31) "{\"all\":[{\"all\":[{\"key\":\"a\"}]}]}", "400 badjson\n"},
    {JSON(32) "{\"each\":[{\"all\":[{\"key\":\"a\"}]}]}", "400 badjson\n"},
    {JSON(32) "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "400 badjson\n"},
    {JSON(10) "{\"all\":[]}", "400 badjson\n"},
    {JSON(9) "{\"all\":1}", "400 badall\n"},
    {JSON(23) "{\"all\":[{\"amount\":1 }]}", "400 nokey\n"},
    {JSON(31) "{\"all\":[{\"key\":\"a\"}],\"key\":\"b\"}", "400 badjson\n"},
    {JSON(42) "{\"all\":[{\"key\":\"a\"}],\"each\":[{\"key\":\"a\"}]}",
	"400 badjson\n"},
    {JSON(41) "{\"all\":[{\"key\":\"a\"}],\"all\":[{\"key\":\"a\"}]}",
	"400 badall\n"},
    {JSON(22) "{\"each\":[{\"key\":\"a\"}]}" GET("/healthz"),
	"consume a 1 only\nping\n"},
    {JSON(71) "{\"each\":[{\"key\":\"a\"} , {\"key\":\"b\",\"amount\":2},"
	      "{\"amount\":0,\"key\":\"c\"}]} " GET("/healthz"),
	"consume a 1 first\nconsume b 2 middle\nconsume c 0 last\nping\n"},
    {"POST /peek HTTP/1.0\r\nConnection: keep-alive\r\nContent-Type: "
     "application/json\r\nContent-Length: 34\r\n\r\n"
     "{\"each\":[{\"key\":\"a\"},{\"key\":\"b\"}]}",
	"peek a 1 first old close\npeek b 1 last old close\n"},
    {JSON(11) "{\"each\":[]}", "400 badjson\n"},
    {JSON(13) "{\"each\":[{}]}", "400 nokey\n"},
    {JSON(12) "{\"each\":\"a\"}", "400 badeach\n"},
    {JSON(23) "{\"each\":[{\"key\":\"a\"},]}", "400 badjson\n"},
    {JSON(28) "{\"key\":\"\\u00e9\\u00E9\\u20AC\"}",
	"consume \xC3\xA9\xC3\xA9\xE2\x82\xAC 1\n"},
    {JSON(12) "{\"key\":\"\\u00", "400 badjson\n"},
    {JSON(16) "{\"key\":\"\\u00zz\"}", "400 badjson\n"},
    {JSON(22) "{\"key\":\"\\ud83d\\u0041\"}", "400 badjson\n"},
    {JSON(18) "{\"key\":\"\\ud83d\\u00", "400 badjson\n"},
    {JSON(18) "{\"key\":\"\\ud83d\\x\"}", "400 badjson\n"},
    {JSON(9) "{\"key\":\"\\", "400 badjson\n"},
    {JSON(11) "{\"key\" \"a\"}", "400 badjson\n"},
    {JSON(9) "{key:\"a\"}", "400 badjson\n"},
    {JSON(11) "{\"kex\":\"a\"}", "400 badjson\n"},
    {JSON(22) "{\"key\":\"a\",\"amount\":-}", "400 badjson\n"},
    {JSON(23) "{\"key\":\"a\",\"amount\":1.}", "400 badjson\n"},
    {JSON(23) "{\"key\":\"a\",\"amount\":1e}", "400 badjson\n"},
    {JSON(25) "{\"key\":\"a\",\"amount\":1e+1}", "400 badamount\n"},
    {JSON(25) "{\"key\":\"a\",\"amount\":1E-1}", "400 badamount\n"},
    {JSON(20) "{\"key\":\"a\",\"amount\":", "400 badjson\n"},
    {JSON(21) "{\"key\":\"a\",\"amount\":1", "400 badjson\n"},
    {JSON(20) "{\"each\":{\"key\":\"a\"}}", "400 badeach\n"},
    {JSON(20) "{\"each\":[{\"key\":\"a\"}", "400 badjson\n"},
    {JSON(21) "{\"each\":[{\"key\":\"a\"}}", "400 badjson\n"},
    {JSON(14) "{\"each\":[\"a\"]}", "400 badjson\n"},
    {JSON(43) "{\"each\":[{\"key\":\"a\"}],\"each\":[{\"key\":\"b\"}]}",
	"400 badeach\n"},
    {JSON(32) "{\"key\":\"a\",\"each\":[{\"key\":\"b\"}]}", "400 badjson\n"},
    {JSON(23) "{\"each\":[{\"deny\":403}]}", "400 badquery\n"},
    {JSON(32) "{\"each\":[{\"key\":\"a\"}],\"key\":\"a\"}", "400 badjson\n"},
    {JSON(34) "{\"each\":[{\"key\":\"a\",\"deny\":403}]} ", "400 badquery\n"},
    {"POST /reset HTTP/1.1\r\n" H "Content-Type: application/json\r\n"
     "Content-Length: 22\r\n\r\n{\"each\":[{\"key\":\"a\"}]}",
	"400 badeach\n"},

    /* whose pages may ask */
    {FROM("x", "Origin: http://x\r\n"), "consume a 1\n"},
    {FROM("X:80", "Origin: https://x:80\r\n"), "consume a 1\n"},
    {FROM("x", "Origin: http://x:80\r\n"), "403 forbidden\n"},
    {FROM("x", "Origin: http://xy\r\n"), "403 forbidden\n"},
    {FROM("x", "Origin: null\r\n"), "403 forbidden\n"},
    {FROM("x", "Origin:\r\n"), "403 forbidden\n"},
    {FROM("x", "Origin: http://x\r\nOrigin: http://x\r\n"), "400 badheader\n"},
    {FROM("", "Origin: http://\r\n"), "403 forbidden\n"},
    {FROM("x", "Sec-Fetch-Site: same-origin\r\n"), "consume a 1\n"},
    {FROM("x", "Sec-Fetch-Site: none\r\n"), "consume a 1\n"},
    {FROM("x", "Sec-Fetch-Site: same-site\r\n"), "403 forbidden\n"},
    {FROM("x", "sec-fetch-site: cross-site\r\n") GET("/healthz"),
	"403 forbidden\nping\n"},
    {FROM("x", "User-Agent: Mozilla/5.0 (X11)\r\n"), "403 forbidden\n"},
    {FROM("x", "user-agent: mozilla/4.0\r\n"), "403 forbidden\n"},
    {FROM("x", "User-Agent: curl/8 Mozilla/5.0\r\n"), "consume a 1\n"},
    {FROM("x", "User-Agent: Mozilla\r\n"), "consume a 1\n"},
    {FROM("x", "User-Agent: Mozilla/5.0\r\nOrigin: http://x\r\n"),
	"consume a 1\n"},
    {FROM("x", "Sec-Fetch-Site: none\r\nUser-Agent: Mozilla/5.0\r\n"),
	"consume a 1\n"},
    {"GET /peek?key=a HTTP/1.1\r\n" H "User-Agent: Mozilla/5.0\r\n\r\n",
	"peek a 1\n"},
    {"HEAD /consume?key=a HTTP/1.1\r\n" H "User-Agent: Mozilla/5.0\r\n\r\n",
	"403\n"},
    {"GET /charge?key=a&amount=1 HTTP/1.1\r\n" H
     "User-Agent: Mozilla/5.0\r\n\r\n",
	"403 forbidden\n"},
    {"GET /take?key=a&amount=1 HTTP/1.1\r\n" H
     "User-Agent: Mozilla/5.0\r\n\r\n",
	"403 forbidden\n"},
    {"POST /consume?key=a HTTP/1.1\r\n" H
     "User-Agent: Mozilla/5.0\r\nContent-Length: 0\r\n\r\n",
	"consume a 1\n"},
    {FROM("", ""), "consume a 1\n"},
    {FROM("localhost:80", ""), "consume a 1\n"},
    {FROM("127.0.0.1", ""), "consume a 1\n"},
    {FROM("[::1]:80", ""), "consume a 1\n"},
    {FROM("GATE.example.com:80", ""), "consume a 1\n"},
    {FROM("api.example.com", ""), "consume a 1\n"},
    {FROM("evil.example", ""), "403 badhost\n"},
    {FROM("1.2.3.4.evil.example", ""), "403 badhost\n"},
    {FROM("gate.example.com.", ""), "403 badhost\n"},

    /* an interim response, but to what has come already */
    {"POST /consume HTTP/1.0\r\nExpect: 100-continue\r\nContent-Type: "
     "application/json\r\nContent-Length: 11\r\n\r\n{\"key\":\"a\"}",
	"consume a 1 old close\n"},
};

START_TEST(requests_are_read_whole_or_byte_by_byte)
{
	check_text(
	    inputs[_i].text, strlen(inputs[_i].text), inputs[_i].expected);
}
END_TEST

/* ${before}, ${count} times ${c}, ${after}. */
static void
check_long(const char *before, size_t count, char c, const char *after,
    const char *expected)
{
	size_t start = strlen(before), end = strlen(after);
	char *text = malloc(start + count + end);

	memcpy(text, before, start);
	memset(text + start, c, count);
	memcpy(text + start + count, after, end);
	check_text(text, start + count + end, expected);
	free(text);
}

START_TEST(lengths_are_bounded)
{
	static const char line[] = "GET /consume?key=";

	check_long(line, 255, 'k', " HTTP/1.0\r\n\r\n",
	    "consume "
	    "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
	    "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
	    "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
	    "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk "
	    "1 old close\n");
	check_long(line, 256, 'k', " HTTP/1.1\r\n" H "\r\n", "400 badkey\n");
	check_long(line, 8166, 'k', " HTTP/1.1\r\n" H "\r\n", "400 badkey\n");
	check_long(line, 8167, 'k', " HTTP/1.1\r\n" H "\r\n", "414 toolong\n");
	check_long(line, 100000, 'k', "", "414 toolong\n");
	/* 25 + 8 bytes of the head are there already */
	check_long("GET /healthz HTTP/1.0\r\nA: ", 16384 - 26 - 4, 'a',
	    "\r\n\r\n", "ping old close\n");
	check_long("GET /healthz HTTP/1.0\r\nA: ", 16384 - 26 - 3, 'a',
	    "\r\n\r\n", "431 toolong\n");
	check_long(
	    "GET /healthz HTTP/1.0\r\nA: ", 100000, 'a', "", "431 toolong\n");
	check_long(CHUNKED "5;", 300, 'x', "\r\n", "400 badchunk\n");
	check_long(CHUNKED "5;", 300, 'x', "", "400 badchunk\n");
	check_long(CHUNKED "5;", 300, 'x', "\n", "400 badchunk\n");
	check_long("GET ", 9000, 'x', "\n", "414 toolong\n");
	check_long(CHUNKED "0\r\nA: ", 5000, 'x', "\r\n\r\n", "431 toolong\n");
	check_long(JSON(65536), 65525, ' ', "{\"key\":\"a\"}" GET("/healthz"),
	    "consume a 1\nping\n");
	check_long(CHUNKED "fff0\r\nkey=a&amount=", 65520 - 13, '0',
	    "\r\n10\r\n&deny=403&&&&&&&\r\n0\r\n\r\n" GET("/healthz"),
	    "400 badamount\nping\n");
	check_long("GET /peek?key=a&amount=", 511, '0',
	    "5 HTTP/1.1\r\n" H "\r\n", "peek a 5\n");
	check_long("GET /peek?key=a&amount=", 512, '0',
	    "5 HTTP/1.1\r\n" H "\r\n", "400 badamount\n");
	check_long(CHUNKED "fff0\r\n", 65520, '&',
	    "\r\n11\r\n&deny=403&&&&&&&\r\n0\r\n\r\n", "413 toolong\n");
}
END_TEST

START_TEST(headers_are_counted)
{
	struct buf text = {0};

	for (int count = 100; count <= 101; count++) {
		buf_consume(&text, buf_len(&text));
		ck_assert_int_eq(
		    buf_printf(&text, "GET /healthz HTTP/1.0\r\n"), 0);
		for (int i = 0; i < count; i++)
			ck_assert_int_eq(buf_printf(&text, "A: b\r\n"), 0);
		ck_assert_int_eq(buf_printf(&text, "\r\n"), 0);
		check_text(buf_data(&text), buf_len(&text),
		    count == 100 ? "ping old close\n" : "431 toolong\n");
	}
	buf_free(&text);
}
END_TEST

START_TEST(each_is_bounded)
{
	for (int count = 1000; count <= 1001; count++) {
		struct buf body = {0}, text = {0};
		struct request request;
		enum read_result result;
		size_t used;
		int read = 0;

		ck_assert_int_eq(buf_printf(&body, "{\"each\":["), 0);
		for (int i = 0; i < count; i++)
			ck_assert_int_eq(buf_printf(&body, "%s{\"key\":\"%d\"}",
					     i > 0 ? "," : "", i),
			    0);
		ck_assert_int_eq(buf_printf(&body, "]}"), 0);
		ck_assert_int_eq(
		    buf_printf(&text,
			"POST /peek HTTP/1.1\r\n" H "Content-Type: "
			"application/json\r\nContent-Length: %zu\r\n\r\n%.*s",
			buf_len(&body), (int)buf_len(&body), buf_data(&body)),
		    0);
		session_start(&session, &common, 7, OFFER_ANY);
		result = session_read(
		    &session, buf_data(&text), buf_len(&text), &used, &request);
		ck_assert_uint_eq(used, buf_len(&text));
		while (result == READ_REQUEST && ++read < count) {
			ck_assert(session_has_queued(&session));
			ck_assert(!session_is_between(&session));
			result =
			    session_read(&session, NULL, 0, &used, &request);
		}
		ck_assert_int_eq(read, count == 1000 ? 1000 : 0);
		ck_assert(!session_has_queued(&session));
		ck_assert(session_is_between(&session));
		session_end(&session);
		buf_free(&body);
		buf_free(&text);
	}
}
END_TEST

START_TEST(what_is_expected_is_asked_for_before_it_comes)
{
	static const char head[] =
	    "POST /consume HTTP/1.1\r\n" H "Content-Type: application/json\r\n"
	    "Expect: 100-Continue\r\nContent-Length: 11\r\n\r\n";
	struct request request;
	size_t used;

	session_start(&session, &common, 7, OFFER_ANY);
	ck_assert_int_eq(
	    session_read(&session, head, strlen(head), &used, &request),
	    READ_RESPONDED);
	ck_assert_uint_eq(used, strlen(head));
	trace_response(false);
	ck_assert(!session_is_between(&session));
	ck_assert_int_eq(
	    session_read(&session, "{\"key\":\"a\"}", 11, &used, &request),
	    READ_REQUEST);
	ck_assert_uint_eq(used, 11);
	trace_request(&request);
	ck_assert(session_is_between(&session));
	ck_assert_int_eq(buf_add(&trace, "", 1), 0);
	ck_assert_str_eq(buf_data(&trace), "100\nconsume a 1\n");
	session_end(&session);
}
END_TEST

START_TEST(admin_listener_offers_no_decisions)
{
	static const char text[] = GET("/consume?key=a") GET("/limits")
	    GET("/stats") GET("/explain?key=a") GET("/readyz");

	session_start(&session, &common, 7, OFFER_ADMIN);
	ck_assert_uint_eq(read_requests(text, strlen(text)), strlen(text));
	ck_assert_int_eq(buf_add(&trace, "", 1), 0);
	ck_assert_str_eq(buf_data(&trace),
	    "404 notfound\nlimits\nstats\nexplain a 1\nready\n");
	ck_assert(!session_can_hand_over(&session));
	session_end(&session);
}
END_TEST

/* From another host and without TLS, a browser does not say of which site it
 * shows a page. */
START_TEST(a_browser_elsewhere_sees_what_is_for_operators)
{
#define BROWSER(path)                                                          \
	"GET " path " HTTP/1.1\r\n" H "User-Agent: Mozilla/5.0\r\n\r\n"
	static const char text[] = BROWSER("/") BROWSER("/events")
	    BROWSER("/status") BROWSER("/metrics");
#undef BROWSER

	session_start(&session, &common, 7, OFFER_ADMIN);
	ck_assert_uint_eq(read_requests(text, strlen(text)), strlen(text));
	ck_assert_int_eq(buf_add(&trace, "", 1), 0);
	ck_assert_str_eq(buf_data(&trace), "200\nevents\nstatus\nmetrics\n");
	session_end(&session);
}
END_TEST

START_TEST(clients_are_told_to_go_when_the_process_ends)
{
	common.draining = true;
	check_text(GET("/healthz"), strlen(GET("/healthz")), "ping close\n");
	common.hands_over = true;
	check_text(GET("/healthz"), strlen(GET("/healthz")), "ping\n");
}
END_TEST

START_TEST(requests_that_do_not_end_get_a_response)
{
	struct request request;
	size_t used;

	session_start(&session, &common, 7, OFFER_HTTP);
	ck_assert_int_eq(
	    session_read(&session, "GET", 3, &used, &request), READ_MORE);
	ck_assert_int_eq(session_late(&session), READ_BAD);
	trace_response(true);
	ck_assert_int_eq(session_cut(&session), READ_BAD);
	trace_response(true);
	ck_assert_int_eq(buf_add(&trace, "", 1), 0);
	ck_assert_str_eq(buf_data(&trace), "408 timeout\n400 incomplete\n");
	session_end(&session);
}
END_TEST

Suite *
http_suite(void)
{
	Suite *suite = suite_create("http");
	TCase *tcase = tcase_create("http");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase, requests_are_read_whole_or_byte_by_byte, 0,
	    (int)COUNT(inputs));
	tcase_add_test(tcase, lengths_are_bounded);
	tcase_add_test(tcase, headers_are_counted);
	tcase_add_test(tcase, each_is_bounded);
	tcase_add_test(tcase, what_is_expected_is_asked_for_before_it_comes);
	tcase_add_test(tcase, admin_listener_offers_no_decisions);
	tcase_add_test(tcase, a_browser_elsewhere_sees_what_is_for_operators);
	tcase_add_test(tcase, clients_are_told_to_go_when_the_process_ends);
	tcase_add_test(tcase, requests_that_do_not_end_get_a_response);
	suite_add_tcase(suite, tcase);
	return suite;
}
