#include "base/buf.h"
#include "limit/key.h"
#include "limit/limit.h"
#include "suites.h"

#include "base/attr.h"
#include "wire/line.h"

#include <stdio.h>
#include <string.h>

/* What was read, one line each: "VERB", "VERB KEY", "VERB KEY AMOUNT" or
 * "ERR CODE". */
static struct buf trace;

static void
free_trace(void)
{
	buf_free(&trace);
}

static void
trace_request(const struct request *request)
{
	int status;

	if (request->verb == VERB_CONSUME || request->verb == VERB_PEEK)
		status = buf_printf(&trace, "%s %.*s %lld\n",
		    verb_name(request->verb), (int)request->key_len,
		    request->key, (long long)request->amount);
	else if (request->verb == VERB_RESET || request->verb == VERB_EXPLAIN)
		status =
		    buf_printf(&trace, "%s %.*s\n", verb_name(request->verb),
			(int)request->key_len, request->key);
	else
		status = buf_printf(&trace, "%s\n", verb_name(request->verb));
	ck_assert_int_eq(status, 0);
}

static void
trace_error(enum line_error error)
{
	const char *text = line_error_text(error);
	int len = (int)(strchr(text + 4, ' ') - text);

	ck_assert_int_eq(buf_printf(&trace, "%.*s\n", len, text), 0);
}

/* Read all lines that are whole.  Return the number of bytes done with. */
static size_t
read_lines(struct line_reader *reader, const char *bytes, size_t len)
{
	struct request request;
	enum line_error error;
	size_t done = 0, used;

	for (;;) {
		enum line_result result = line_read(
		    reader, bytes + done, len - done, &used, &request, &error);

		done += used;
		if (result == LINE_MORE)
			return done;
		if (result == LINE_REQUEST)
			trace_request(&request);
		else
			trace_error(error);
	}
}

/* Read ${len} bytes that come in pieces of ${step}. */
static const char *
trace_of(const char *bytes, size_t len, size_t step)
{
	struct line_reader reader = {0};
	size_t start = 0, end = 0;

	buf_take(&trace, buf_len(&trace));
	while (end < len) {
		end = len - end < step ? len : end + step;
		start += read_lines(&reader, bytes + start, end - start);
		ck_assert_uint_le(end - start, LINE_MAX_LEN + 1);
	}
	ck_assert_int_eq(buf_add(&trace, "", 1), 0);
	return buf_head(&trace);
}

static void
check_reads(const char *bytes, size_t len, const char *expected)
{
	ck_assert_str_eq(trace_of(bytes, len, len), expected);
	ck_assert_str_eq(trace_of(bytes, len, 1), expected);
	ck_assert_str_eq(trace_of(bytes, len, 7), expected);
}

/* A line of ${len} times 'a', and ${rest}; the caller frees it. */
static struct buf
long_line(size_t len, const char *rest)
{
	struct buf text = {0};
	char *room = buf_room(&text, len);

	ck_assert_ptr_nonnull(room);
	memset(room, 'a', len);
	buf_grow(&text, len);
	ck_assert_int_eq(buf_add(&text, rest, strlen(rest)), 0);
	return text;
}

static void
check_long_line(size_t len, const char *rest, const char *expected)
{
	struct buf text = long_line(len, rest);

	check_reads(buf_head(&text), buf_len(&text), expected);
	buf_free(&text);
}

static const struct {
	const char *text;
	const char *expected;
} requests[] = {
    {"CONSUME login:42\n", "consume login:42 1\n"},
    {"CONSUME login:42 5\n", "consume login:42 5\n"},
    {"CONSUME a -5\n", "consume a -5\n"},
    {"CONSUME a 0\n", "consume a 0\n"},
    {"CONSUME a 007\n", "consume a 7\n"},
    {"CONSUME a 1000000000\n", "consume a 1000000000\n"},
    {"CONSUME a -1000000000\n", "consume a -1000000000\n"},
    {"PEEK a\n", "peek a 1\n"},
    {"PEEK a 3\n", "peek a 3\n"},
    {"RESET a\n", "reset a\n"},
    {"EXPLAIN a\n", "explain a\n"},
    {"LIMITS\n", "limits\n"},
    {"STATS\n", "stats\n"},
    {"PING\n", "ping\n"},
    {"HELP\n", "help\n"},
    {"QUIT\n", "quit\n"},
    {"cOnSuMe A 2\n", "consume A 2\n"},
    {"ping\n", "ping\n"},
    {"CONSUME a 2\r\n", "consume a 2\n"},
    {"PING\r\n", "ping\n"},
    {" \t CONSUME\ta \t 2 \t\n", "consume a 2\n"},
    {"CONSUME a \r\n", "consume a 1\n"},
    {"CONSUME caf\xC3\xA9:\xF0\x9F\x92\xA7\n",
	"consume caf\xC3\xA9:\xF0\x9F\x92\xA7 1\n"},
    {"PING\nCONSUME a\r\nPEEK b 2\n\nQUIT\n",
	"ping\nconsume a 1\npeek b 2\nERR empty\nquit\n"},
    {"PING\nPIN", "ping\n"},
    {"PING\r", ""},
};

START_TEST(request_is_read)
{
	check_reads(requests[_i].text, strlen(requests[_i].text),
	    requests[_i].expected);
}
END_TEST

/* With the NUL bytes that are in some of them. */
#define TEXT(text) text, sizeof(text) - 1

static const struct {
	const char *bytes;
	size_t len;
	const char *code;
} bad_lines[] = {
    {TEXT("\n"), "empty"},
    {TEXT("\r\n"), "empty"},
    {TEXT(" \t \n"), "empty"},
    {TEXT("FOO\n"), "badverb"},
    {TEXT("CONSUM a\n"), "badverb"},
    {TEXT("CONSUMER a\n"), "badverb"},
    {TEXT("\0PING\n"), "badverb"},
    {TEXT("PING\0\n"), "badverb"},
    {TEXT("PING\r\r\n"), "badverb"},
    {TEXT("CONSUME\n"), "nokey"},
    {TEXT("PEEK \n"), "nokey"},
    {TEXT("RESET\r\n"), "nokey"},
    {TEXT("EXPLAIN\t\n"), "nokey"},
    {TEXT("CONSUME \x01\n"), "badkey"},
    {TEXT("CONSUME a\x7F\n"), "badkey"},
    {TEXT("CONSUME a\0\n"), "badkey"},
    {TEXT("PEEK \xC3 1\n"), "badkey"},
    {TEXT("RESET \xFF\n"), "badkey"},
    {TEXT("EXPLAIN \xC2\x80\n"), "badkey"},
    {TEXT("CONSUME a one\n"), "badamount"},
    {TEXT("CONSUME a 1.5\n"), "badamount"},
    {TEXT("CONSUME a 0x5\n"), "badamount"},
    {TEXT("CONSUME a +1\n"), "badamount"},
    {TEXT("CONSUME a -\n"), "badamount"},
    {TEXT("CONSUME a 1\0\n"), "badamount"},
    {TEXT("PEEK a nan\n"), "badamount"},
    {TEXT("CONSUME a 1000000001\n"), "badamount"},
    {TEXT("CONSUME a -1000000001\n"), "badamount"},
    {TEXT("CONSUME a 99999999999999999999\n"), "badamount"},
    {TEXT("CONSUME a 1 2\n"), "surplus"},
    {TEXT("PEEK a 1 2\n"), "surplus"},
    {TEXT("RESET a 1\n"), "surplus"},
    {TEXT("EXPLAIN a b\n"), "surplus"},
    {TEXT("PING a\n"), "surplus"},
    {TEXT("LIMITS a\n"), "surplus"},
    {TEXT("STATS a\n"), "surplus"},
    {TEXT("HELP a\n"), "surplus"},
    {TEXT("QUIT a\n"), "surplus"},
    {TEXT("GET / HTTP/1.1\r\n"), "http"},
    {TEXT("post /\n"), "http"},
    {TEXT("PUT /\n"), "http"},
    {TEXT("HEAD /\n"), "http"},
    {TEXT("DELETE /\n"), "http"},
    {TEXT("OPTIONS *\n"), "http"},
    {TEXT("CONNECT a:1\n"), "http"},
    {TEXT("TRACE /\n"), "http"},
    {TEXT("PATCH /\n"), "http"},
    {TEXT("Host: example.com\r\n"), "http"},
    {TEXT(":\n"), "http"},
};

START_TEST(bad_line_is_refused_and_the_next_one_read)
{
	struct buf text = {0};
	char expected[64];

	ck_assert_int_eq(
	    buf_add(&text, bad_lines[_i].bytes, bad_lines[_i].len), 0);
	ck_assert_int_eq(buf_add(&text, "PING\n", 5), 0);
	snprintf(
	    expected, sizeof(expected), "ERR %s\nping\n", bad_lines[_i].code);
	check_reads(buf_head(&text), buf_len(&text), expected);
	buf_free(&text);
}
END_TEST

START_TEST(longest_key_is_read_and_a_longer_one_refused)
{
	struct buf text = {0};
	char key[KEY_MAX + 2];
	char expected[KEY_MAX + 64];

	memset(key, 'k', KEY_MAX + 1);
	key[KEY_MAX + 1] = '\0';
	ck_assert_int_eq(buf_printf(&text, "CONSUME %.*s 2\nCONSUME %s 2\n",
			     KEY_MAX, key, key),
	    0);
	snprintf(expected, sizeof(expected), "consume %.*s 2\nERR badkey\n",
	    KEY_MAX, key);
	check_reads(buf_head(&text), buf_len(&text), expected);
	buf_free(&text);
}
END_TEST

START_TEST(line_may_have_4096_bytes_and_no_more)
{
	check_long_line(4096, "\nPING\n", "ERR badverb\nping\n");
	check_long_line(4096, "\r\nPING\n", "ERR badverb\nping\n");
	check_long_line(4097, "\nPING\n", "ERR toolong\nping\n");
	check_long_line(4097, "\r\nPING\n", "ERR toolong\nping\n");
	check_long_line(4098, "\nPING\n", "ERR toolong\nping\n");
	check_long_line(20000, "\nPING\n", "ERR toolong\nping\n");
	check_long_line(
	    20000, "\r\n\nPING\n", "ERR toolong\nERR empty\nping\n");
}
END_TEST

START_TEST(longest_line_is_a_request_like_any_other)
{
	struct buf text = {0};

	ck_assert_int_eq(
	    buf_printf(&text, "%-4093s5  \nPING\n", "CONSUME a"), 0);
	check_reads(buf_head(&text), buf_len(&text), "consume a 5\nping\n");
	buf_free(&text);
}
END_TEST

START_TEST(overlong_line_is_dropped_as_it_comes)
{
	struct line_reader reader = {0};
	struct buf text = long_line(5000, "\nPING\n");
	const char *bytes = buf_head(&text);
	struct request request;
	enum line_error error;
	size_t used;

	/* As much as may be a line with a CR is kept ... */
	ck_assert_int_eq(
	    line_read(&reader, bytes, 4097, &used, &request, &error),
	    LINE_MORE);
	ck_assert_uint_eq(used, 0);
	/* ... one byte more may not: it is told once, and forgotten. */
	ck_assert_int_eq(
	    line_read(&reader, bytes, 4098, &used, &request, &error), LINE_BAD);
	ck_assert_int_eq(error, LINE_ERR_TOOLONG);
	ck_assert_uint_eq(used, 4098);
	ck_assert_int_eq(
	    line_read(&reader, bytes + 4098, 900, &used, &request, &error),
	    LINE_MORE);
	ck_assert_uint_eq(used, 900);
	/* The rest of it and a good line in the same bytes. */
	ck_assert_int_eq(
	    line_read(&reader, bytes + 4998, 8, &used, &request, &error),
	    LINE_REQUEST);
	ck_assert_uint_eq(used, 8);
	ck_assert_int_eq(request.verb, VERB_PING);
	buf_free(&text);
}
END_TEST

START_TEST(incomplete_line_after_an_overlong_one_is_kept)
{
	struct line_reader reader = {.skipping = true};
	struct request request;
	enum line_error error;
	size_t used;

	ck_assert_int_eq(
	    line_read(&reader, "aa\nPIN", 6, &used, &request, &error),
	    LINE_MORE);
	ck_assert_uint_eq(used, 3);
	ck_assert(!reader.skipping);
}
END_TEST

START_TEST(nothing_is_no_line_yet)
{
	struct line_reader reader = {0};
	struct request request;
	enum line_error error;
	size_t used = 1;

	ck_assert_int_eq(
	    line_read(&reader, NULL, 0, &used, &request, &error), LINE_MORE);
	ck_assert_uint_eq(used, 0);
	reader.skipping = true;
	ck_assert_int_eq(
	    line_read(&reader, NULL, 0, &used, &request, &error), LINE_MORE);
	ck_assert(reader.skipping);
}
END_TEST

/* Clients rely on these. */
static const char *const codes[] = {
    [LINE_ERR_EMPTY] = "empty",
    [LINE_ERR_TOOLONG] = "toolong",
    [LINE_ERR_INCOMPLETE] = "incomplete",
    [LINE_ERR_BADVERB] = "badverb",
    [LINE_ERR_NOKEY] = "nokey",
    [LINE_ERR_BADKEY] = "badkey",
    [LINE_ERR_BADAMOUNT] = "badamount",
    [LINE_ERR_SURPLUS] = "surplus",
    [LINE_ERR_HTTP] = "http",
    [LINE_ERR_NOLIMIT] = "nolimit",
    [LINE_ERR_UNAVAILABLE] = "unavailable",
    [LINE_ERR_CLIENTS] = "clients",
};

START_TEST(error_is_one_line_with_its_code)
{
	const char *text = line_error_text((enum line_error)_i);
	char start[32];
	int len = snprintf(start, sizeof(start), "ERR %s ", codes[_i]);

	ck_assert_msg(strncmp(text, start, (size_t)len) == 0, "%s", text);
	ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
}
END_TEST

static const struct limit login = {.name = "login", .capacity = 10};
static const struct limit longest = {
    .name = "0123456789-0123456789-0123456789-0123456789-0123456789-123456789",
    .capacity = LIMIT_CAPACITY_MAX,
};

#define LARGEST (LIMIT_SPAN_MAX - 1)

static const struct {
	struct reply reply;
	const char *expected;
} replies[] = {
    {{&login, {true, 3, 4981234, 0, 0}, FROM_REDIS, false},
	"ALLOW limit=login level=3 capacity=10 next=4.981234 retry=0 blocked=0 "
	"from=redis\n"},
    {{&login, {false, 10, 4981234, 4981234, 0}, FROM_MEMORY, false},
	"DENY limit=login level=10 capacity=10 next=4.981234 retry=4.981234 "
	"blocked=0 from=memory\n"},
    {{&login, {false, 10, 1, 300000000, 300000000}, FROM_FALLBACK, false},
	"DENY limit=login level=10 capacity=10 next=0.000001 retry=300.000000 "
	"blocked=300.000000 from=fallback\n"},
    {{&login, {false, 0, 0, RETRY_NEVER, 0}, FROM_REDIS, false},
	"DENY limit=login level=0 capacity=10 next=0 retry=never blocked=0 "
	"from=redis\n"},
    {{&login, {true, 10, 1000000, 1000000, 0}, FROM_MEMORY, true},
	"ALLOW limit=login level=10 capacity=10 next=1.000000 retry=1.000000 "
	"blocked=0 from=memory shadow=deny\n"},
    {{NULL, {true, 0, 0, 0, 0}, FROM_NONE, false},
	"ALLOW limit=- level=0 capacity=0 next=0 retry=0 blocked=0 "
	"from=none\n"},
    {{NULL, {false, 0, 0, 0, 0}, FROM_NONE, false},
	"DENY limit=- level=0 capacity=0 next=0 retry=0 blocked=0 "
	"from=none\n"},
    {{&longest, {false, LIMIT_CAPACITY_MAX, LARGEST, LARGEST, LARGEST},
	 FROM_FALLBACK, true},
	"DENY limit=0123456789-0123456789-0123456789-0123456789-0123456789-"
	"123456789 level=1000000000 capacity=1000000000 "
	"next=4503599627.370495 retry=4503599627.370495 "
	"blocked=4503599627.370495 from=fallback shadow=deny\n"},
};

START_TEST(reply_is_written_byte_for_byte)
{
	struct buf out = {0};

	/* Behind what is there already. */
	ck_assert_int_eq(buf_add(&out, "PONG\n", 5), 0);
	ck_assert_int_eq(line_write_reply(&out, &replies[_i].reply), 0);
	ck_assert_int_eq(buf_add(&out, "", 1), 0);
	ck_assert_str_eq(buf_head(&out) + 5, replies[_i].expected);
	ck_assert_mem_eq(buf_head(&out), "PONG\n", 5);
	buf_free(&out);
}
END_TEST

START_TEST(help_names_every_request_and_ends)
{
	char name[16];

	for (int verb = VERB_CONSUME; verb <= VERB_QUIT; verb++) {
		size_t i = 0;

		for (const char *c = verb_name((enum verb)verb); *c; c++)
			name[i++] = (char)(*c - 'a' + 'A');
		name[i] = '\0';
		ck_assert_msg(strstr(line_help, name), "%s", name);
	}
	ck_assert_str_eq(line_help + strlen(line_help) - 5, "\nEND\n");
}
END_TEST

Suite *
line_suite(void)
{
	Suite *suite = suite_create("line");
	TCase *tcase = tcase_create("line");

	tcase_add_checked_fixture(tcase, NULL, free_trace);
	tcase_add_loop_test(tcase, request_is_read, 0, COUNT(requests));
	tcase_add_loop_test(tcase, bad_line_is_refused_and_the_next_one_read, 0,
	    COUNT(bad_lines));
	tcase_add_test(tcase, longest_key_is_read_and_a_longer_one_refused);
	tcase_add_test(tcase, line_may_have_4096_bytes_and_no_more);
	tcase_add_test(tcase, longest_line_is_a_request_like_any_other);
	tcase_add_test(tcase, overlong_line_is_dropped_as_it_comes);
	tcase_add_test(tcase, incomplete_line_after_an_overlong_one_is_kept);
	tcase_add_test(tcase, nothing_is_no_line_yet);
	tcase_add_loop_test(
	    tcase, error_is_one_line_with_its_code, 0, COUNT(codes));
	tcase_add_loop_test(
	    tcase, reply_is_written_byte_for_byte, 0, COUNT(replies));
	tcase_add_test(tcase, help_names_every_request_and_ends);
	suite_add_tcase(suite, tcase);
	return suite;
}
