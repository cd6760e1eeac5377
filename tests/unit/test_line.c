#include "base/buf.h"
#include "limit/key.h"
#include "limit/limit.h"
#include "suites.h"

#include "base/attr.h"
#include "protocol/line/line.h"

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
	const struct verb_row *row = &verb_rows[request->verb];

	ck_assert_int_eq(buf_printf(&trace, "%s", row->name), 0);
	if (verb_has_key(row))
		ck_assert_int_eq(buf_printf(&trace, " %.*s",
				     (int)request->key_len, request->key),
		    0);
	if (verb_argument(row->shape, 1) == ARGUMENT_AMOUNT)
		ck_assert_int_eq(
		    buf_printf(&trace, " %lld", (long long)request->amount), 0);
	if (request->id_len > 0)
		ck_assert_int_eq(buf_printf(&trace, " id=%.*s",
				     (int)request->id_len, request->id),
		    0);
	ck_assert_int_eq(buf_add(&trace, "\n", 1), 0);
}

static void
trace_error(enum protocol_error error)
{
	const char *text = protocol_error_text(error);

	ck_assert_int_eq(
	    buf_printf(&trace, "ERR %.*s\n", (int)strcspn(text, " "), text), 0);
}

/* Read all lines that are whole.  Return the number of bytes done with. */
static size_t
read_lines(struct line_reader *reader, const char *bytes, size_t len)
{
	struct request request;
	size_t done = 0, used;

	for (;;) {
		enum line_result result = line_read(
		    reader, bytes + done, len - done, &used, &request);

		done += used;
		if (result == LINE_MORE)
			return done;
		if (result == LINE_REQUEST)
			trace_request(&request);
		else
			trace_error(reader->error);
	}
}

/* Read ${len} bytes that come in pieces of ${step}. */
static const char *
trace_of(const char *bytes, size_t len, size_t step)
{
	struct line_reader reader = {0};
	size_t start = 0, end = 0;

	buf_consume(&trace, buf_len(&trace));
	while (end < len) {
		end = len - end < step ? len : end + step;
		start += read_lines(&reader, bytes + start, end - start);
		ck_assert_uint_le(end - start, LINE_MAX_LEN + 1);
	}
	ck_assert_int_eq(buf_add(&trace, "", 1), 0);
	return buf_data(&trace);
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
	char *room = buf_reserve(&text, len);

	ck_assert_ptr_nonnull(room);
	memset(room, 'a', len);
	buf_commit(&text, len);
	ck_assert_int_eq(buf_add(&text, rest, strlen(rest)), 0);
	return text;
}

static void
check_long_line(size_t len, const char *rest, const char *expected)
{
	struct buf text = long_line(len, rest);

	check_reads(buf_data(&text), buf_len(&text), expected);
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
    {"TOP\n", "top\n"},
    {"TOP 1000\n", "top\n"},
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
    {"CONSUME a 2 id=x\n", "consume a 2 id=x\n"},
    {"CONSUME a ID=x\n", "consume a 1 id=x\n"},
    {"CONSUME id=x id=y\n", "consume id=x 1 id=y\n"},
    {"CONSUME a id=x 2\n", "ERR surplus\n"},
    {"CONSUME a id=x id=x\n", "ERR surplus\n"},
    {"CONSUME a 2 id=x id=x\n", "ERR surplus\n"},
    {"CONSUME a 2 id=\n", "ERR badid\n"},
    {"CONSUME a 2 id=caf\xC3\n", "ERR badid\n"},
    {"CONSUME a id\n", "ERR badamount\n"},
    {"CHARGE a 2 id=x\n", "charge a id=x\n"},
    {"CHARGE a id=x\n", "ERR badamount\n"},
    {"TAKE a 2 id=x\n", "take a id=x\n"},
    {"MCONSUME a 1 b 2 id=x\n", "mconsume id=x\n"},
    {"MCONSUME id=a 1 id=x\n", "mconsume id=x\n"},
    {"MCONSUME id=x 1\n", "mconsume\n"},
    {"MCONSUME id=x\n", "ERR noamount\n"},
    {"MCONSUME a 1 id=\n", "ERR badid\n"},
    {"MCONSUME a 1 b\n", "ERR noamount\n"},
    {"PEEK a 1 id=x\n", "ERR surplus\n"},
    {"PEEK a id=x\n", "ERR badamount\n"},
    {"MPEEK a 1 id=x\n", "ERR noamount\n"},
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
    {TEXT("CHARGE a -1\n"), "badamount"},
    {TEXT("TAKE a 1000000001\n"), "badamount"},
    {TEXT("CHARGE a\n"), "noamount"},
    {TEXT("TAKE\n"), "nokey"},
    {TEXT("CONSUME a -1000000001\n"), "badamount"},
    {TEXT("CONSUME a 99999999999999999999\n"), "badamount"},
    {TEXT("CONSUME a 1 2\n"), "surplus"},
    {TEXT("PEEK a 1 2\n"), "surplus"},
    {TEXT("RESET a 1\n"), "surplus"},
    {TEXT("EXPLAIN a b\n"), "surplus"},
    {TEXT("PING a\n"), "surplus"},
    {TEXT("LIMITS a\n"), "surplus"},
    {TEXT("STATS a\n"), "surplus"},
    {TEXT("TOP 0\n"), "badcount"},
    {TEXT("TOP 1001\n"), "badcount"},
    {TEXT("TOP 1.5\n"), "badcount"},
    {TEXT("TOP 1 1\n"), "surplus"},
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
	check_reads(buf_data(&text), buf_len(&text), expected);
	buf_free(&text);
}
END_TEST

/* Words are looked for in eight bytes at a time, and then byte by byte. */
START_TEST(only_blanks_end_a_word_wherever_they_are)
{
	for (size_t at = 0; at < 20; at++) {
		for (int byte = 0; byte < 256; byte++) {
			char line[] = "PEEK kkkkkkkkkkkkkkkkkkkk 5\n";
			struct line_reader reader = {0};
			struct request request;
			bool blank = byte == ' ' || byte == '\t';
			enum line_result result;
			size_t used;

			if (byte == '\n')
				continue;
			line[5 + at] = (char)byte;
			result = line_read(
			    &reader, line, sizeof(line) - 1, &used, &request);
			/* In the middle it makes two words of one, and the
			 * second is no amount. */
			if (byte > 0x20 && byte < 0x7F)
				ck_assert_uint_eq(request.key_len, 20);
			else if (!blank || (at > 0 && at < 19))
				ck_assert_int_eq(reader.error,
				    blank ? ERROR_BADAMOUNT : ERROR_BADKEY);
			else
				ck_assert_uint_eq(request.key_len, 19);
			ck_assert_int_eq(
			    result, reader.error ? LINE_BAD : LINE_REQUEST);
		}
	}
}
END_TEST

START_TEST(longest_key_is_read_and_a_longer_one_refused)
{
	struct buf text = {0};
	char key[KEY_TEXT_MAX + 2];
	char expected[KEY_TEXT_MAX + 64];

	memset(key, 'k', KEY_TEXT_MAX + 1);
	key[KEY_TEXT_MAX + 1] = '\0';
	ck_assert_int_eq(buf_printf(&text, "CONSUME %.*s 2\nCONSUME %s 2\n",
			     KEY_TEXT_MAX, key, key),
	    0);
	snprintf(expected, sizeof(expected), "consume %.*s 2\nERR badkey\n",
	    KEY_TEXT_MAX, key);
	check_reads(buf_data(&text), buf_len(&text), expected);
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
	check_reads(buf_data(&text), buf_len(&text), "consume a 5\nping\n");
	buf_free(&text);
}
END_TEST

START_TEST(overlong_line_is_dropped_as_it_comes)
{
	struct line_reader reader = {0};
	struct buf text = long_line(5000, "\nPING\n");
	const char *bytes = buf_data(&text);
	struct request request;
	size_t used;

	/* As much as may be a line with a CR is kept ... */
	ck_assert_int_eq(
	    line_read(&reader, bytes, 4097, &used, &request), LINE_MORE);
	ck_assert_uint_eq(used, 0);
	/* ... one byte more may not: it is reported once, and forgotten. */
	ck_assert_int_eq(
	    line_read(&reader, bytes, 4098, &used, &request), LINE_BAD);
	ck_assert_int_eq(reader.error, ERROR_TOOLONG);
	ck_assert_uint_eq(used, 4098);
	ck_assert_int_eq(
	    line_read(&reader, bytes + 4098, 900, &used, &request), LINE_MORE);
	ck_assert_uint_eq(used, 900);
	/* The rest of it and a good line in the same bytes. */
	ck_assert_int_eq(
	    line_read(&reader, bytes + 4998, 8, &used, &request), LINE_REQUEST);
	ck_assert_uint_eq(used, 8);
	ck_assert_int_eq(request.verb, VERB_PING);
	buf_free(&text);
}
END_TEST

START_TEST(incomplete_line_after_an_overlong_one_is_kept)
{
	struct line_reader reader = {.skipping = true};
	struct request request;
	size_t used;

	ck_assert_int_eq(
	    line_read(&reader, "aa\nPIN", 6, &used, &request), LINE_MORE);
	ck_assert_uint_eq(used, 3);
	ck_assert(!reader.skipping);
}
END_TEST

START_TEST(nothing_is_no_line_yet)
{
	struct line_reader reader = {0};
	struct request request;
	size_t used = 1;

	ck_assert_int_eq(
	    line_read(&reader, NULL, 0, &used, &request), LINE_MORE);
	ck_assert_uint_eq(used, 0);
	reader.skipping = true;
	ck_assert_int_eq(
	    line_read(&reader, NULL, 0, &used, &request), LINE_MORE);
	ck_assert(reader.skipping);
}
END_TEST

/* Clients rely on these. */
static const char *const codes[ERROR_COUNT] = {
    [ERROR_EMPTY] = "empty",
    [ERROR_TOOLONG] = "toolong",
    [ERROR_INCOMPLETE] = "incomplete",
    [ERROR_BADVERB] = "badverb",
    [ERROR_NOKEY] = "nokey",
    [ERROR_BADKEY] = "badkey",
    [ERROR_BADBYTES] = "badkey",
    [ERROR_BADAMOUNT] = "badamount",
    [ERROR_BADDROPS] = "badamount",
    [ERROR_BADSECONDS] = "badseconds",
    [ERROR_NOAMOUNT] = "noamount",
    [ERROR_OTHERID] = "otherid",
    [ERROR_SPREADID] = "spreadid",
    [ERROR_NOIDS] = "noids",
    [ERROR_BADCOUNT] = "badcount",
    [ERROR_BADGLOB] = "badglob",
    [ERROR_SURPLUS] = "surplus",
    [ERROR_HTTP] = "http",
    [ERROR_NOLIMIT] = "nolimit",
    [ERROR_NOSECRET] = "nosecret",
    [ERROR_NOUSERS] = "nousers",
    [ERROR_NOAUTH] = "noauth",
    [ERROR_WRONGPASS] = "wrongpass",
    [ERROR_SLOWDOWN] = "slowdown",
    [ERROR_NOPERM] = "noperm",
    [ERROR_UNAVAILABLE] = "unavailable",
    [ERROR_NOMEMORY] = "unavailable",
    [ERROR_TOOMANY] = "toomany",
    [ERROR_TAKEALSO] = "takealso",
    [ERROR_BADID] = "badid",
    [ERROR_NOID] = "noid",
    [ERROR_NOLEASE] = "nolease",
    [ERROR_NOTHELD] = "notheld",
    [ERROR_UNRELEASED] = "unavailable",
    [ERROR_CLIENTS] = "clients",
    [ERROR_DRAINING] = "draining",
    [ERROR_NOLIMITS] = "nolimits",
    [ERROR_FALLBACK] = "fallback",
};

START_TEST(error_is_one_line_with_its_code)
{
	struct buf out = {0};
	char start[32];
	int len = snprintf(start, sizeof(start), "ERR %s ", codes[_i]);

	ck_assert_int_eq(line_write_error(&out, (enum protocol_error)_i), 0);
	ck_assert_uint_gt(buf_len(&out), (size_t)len);
	ck_assert_mem_eq(buf_data(&out), start, len);
	ck_assert_ptr_eq(memchr(buf_data(&out), '\n', buf_len(&out)),
	    buf_data(&out) + buf_len(&out) - 1);
	buf_free(&out);
}
END_TEST

static const struct limit login = {.name = "login", .capacity = 10};
static const struct limit longest = {
    .name = "0123456789-0123456789-0123456789-0123456789-0123456789-123456789",
    .capacity = LIMIT_CAPACITY_MAX,
};

#define LARGEST (LIMIT_SPAN_MAX - 1)

static const struct {
	struct check check;
	const char *expected;
} decisions[] = {
    {{.limit = &login,
	 .decision = {true, 0, 0, 3, 4981234, 0, 0, 0},
	 .decided_by = DECIDED_BY_REDIS},
	"ALLOW limit=login level=3 capacity=10 next=4.981234 retry=0 blocked=0 "
	"from=redis\n"},
    {{.limit = &login,
	 .decision = {false, 0, 0, 10, 4981234, 4981234, 0, 0},
	 .decided_by = DECIDED_BY_MEMORY},
	"DENY limit=login level=10 capacity=10 next=4.981234 retry=4.981234 "
	"blocked=0 from=memory\n"},
    {{.limit = &login,
	 .decision = {false, 0, 0, 10, 1, 300000000, 300000000, 0},
	 .decided_by = DECIDED_BY_FALLBACK},
	"DENY limit=login level=10 capacity=10 next=0.000001 retry=300.000000 "
	"blocked=300.000000 from=fallback\n"},
    {{.limit = &login,
	 .decision = {false, 0, 0, 0, 0, RETRY_NEVER, 0, 0},
	 .decided_by = DECIDED_BY_REDIS},
	"DENY limit=login level=0 capacity=10 next=0 retry=never blocked=0 "
	"from=redis\n"},
    {{.limit = &login,
	 .decision = {true, 0, 0, 10, 1000000, 1000000, 0, 0},
	 .decided_by = DECIDED_BY_MEMORY,
	 .shadow_denied = true},
	"ALLOW limit=login level=10 capacity=10 next=1.000000 retry=1.000000 "
	"blocked=0 from=memory shadow=deny\n"},
    {{.decision = {true, 0, 0, 0, 0, 0, 0, 0}, .decided_by = DECIDED_BY_NONE},
	"ALLOW limit=- level=0 capacity=0 next=0 retry=0 blocked=0 "
	"from=none\n"},
    {{.decision = {false, 0, 0, 0, 0, 0, 0, 0}, .decided_by = DECIDED_BY_NONE},
	"DENY limit=- level=0 capacity=0 next=0 retry=0 blocked=0 "
	"from=none\n"},
    {{.limit = &longest,
	 .decision = {false, 0, 0, LIMIT_CAPACITY_MAX, LARGEST, LARGEST,
	     LARGEST, 0},
	 .decided_by = DECIDED_BY_FALLBACK,
	 .shadow_denied = true},
	"DENY limit=0123456789-0123456789-0123456789-0123456789-0123456789-"
	"123456789 level=1000000000 capacity=1000000000 "
	"next=4503599627.370495 retry=4503599627.370495 "
	"blocked=4503599627.370495 from=fallback shadow=deny\n"},
    {{.limit = &login,
	 .query.op = OP_TAKE,
	 .decision = {true, 0, 4, 10, 1, 0, 0, 0},
	 .decided_by = DECIDED_BY_REDIS},
	"ALLOW limit=login level=10 capacity=10 next=0.000001 retry=0 "
	"blocked=0 from=redis taken=4\n"},
};

START_TEST(decision_is_written_byte_for_byte)
{
	struct buf out = {0};

	/* Behind what is there already. */
	ck_assert_int_eq(buf_add(&out, "PONG\n", 5), 0);
	ck_assert_int_eq(line_write_decision(&out, &decisions[_i].check), 0);
	ck_assert_int_eq(buf_add(&out, "", 1), 0);
	ck_assert_str_eq(buf_data(&out) + 5, decisions[_i].expected);
	ck_assert_mem_eq(buf_data(&out), "PONG\n", 5);
	buf_free(&out);
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
	tcase_add_test(tcase, only_blanks_end_a_word_wherever_they_are);
	tcase_add_test(tcase, longest_key_is_read_and_a_longer_one_refused);
	tcase_add_test(tcase, line_may_have_4096_bytes_and_no_more);
	tcase_add_test(tcase, longest_line_is_a_request_like_any_other);
	tcase_add_test(tcase, overlong_line_is_dropped_as_it_comes);
	tcase_add_test(tcase, incomplete_line_after_an_overlong_one_is_kept);
	tcase_add_test(tcase, nothing_is_no_line_yet);
	tcase_add_loop_test(
	    tcase, error_is_one_line_with_its_code, 1, ERROR_COUNT);
	tcase_add_loop_test(
	    tcase, decision_is_written_byte_for_byte, 0, COUNT(decisions));
	suite_add_tcase(suite, tcase);
	return suite;
}
