#include "suites.h"

#include "base/attr.h"
#include "protocol/session.h"

#include <string.h>

static struct session_common common = {.inline_limits = true};
static struct session session;

/* What was read, one item each: "VERB", "VERB KEY AMOUNT" or the response. */
static struct buf trace;

static void
set_up(void)
{
	session_start(&session, &common, 7, OFFER_ANY);
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
	const struct verb_row *row = &verb_rows[request->verb];

	ck_assert_int_eq(buf_printf(&trace, "%s", row->name), 0);
	if (verb_has_key(row))
		ck_assert_int_eq(
		    buf_printf(&trace, " %.*s %lld", (int)request->key_len,
			request->key, (long long)request->amount),
		    0);
	ck_assert_int_eq(buf_add(&trace, "\n", 1), 0);
}

static void
trace_response(void)
{
	size_t len = buf_len(&common.response);

	if (len > 0)
		ck_assert_int_eq(
		    buf_add(&trace, buf_data(&common.response), len), 0);
	buf_consume(&common.response, len);
}

/* Read all requests that are whole.  Return the number of bytes done with. */
static size_t
read_requests(const char *bytes, size_t len)
{
	struct request request;
	size_t done = 0, used;

	while (!session.last) {
		size_t first =
		    session_first_len(&session, bytes + done, len - done);
		enum read_result result = session_read(
		    &session, bytes + done, len - done, &used, &request);

		done += used;
		if (result == READ_MORE)
			return done;
		ck_assert_uint_eq(used, first);
		if (result == READ_REQUEST)
			trace_request(&request);
		else
			trace_response();
	}
	return len;
}

/* Read ${text} that comes in pieces of ${step} bytes, from a new client. */
static void
check_pieces(
    const char *text, size_t step, const char *protocol, const char *expected)
{
	size_t start = 0, end = 0, len = strlen(text);

	session_start(&session, &common, 7, OFFER_ANY);
	buf_consume(&trace, buf_len(&trace));
	while (end < len) {
		end = len - end < step ? len : end + step;
		start += read_requests(text + start, end - start);
		ck_assert_uint_le(end - start, PROTOCOL_HELD_MAX);
	}
	ck_assert_int_eq(buf_add(&trace, "", 1), 0);
	ck_assert_str_eq(buf_data(&trace), expected);
	ck_assert_str_eq(
	    session.protocol ? session.protocol->name : "", protocol);
	session_end(&session);
}

#define COMMAND "*2\r\n$7\r\nCONSUME\r\n$1\r\na\r\n"

#define MULTI_   "*1\r\n$5\r\nMULTI\r\n"
#define EXEC_    "*1\r\n$4\r\nEXEC\r\n"
#define DISCARD_ "*1\r\n$7\r\nDISCARD\r\n"
#define RESET_   "*1\r\n$5\r\nRESET\r\n"
#define NO_      "*1\r\n$2\r\nNO\r\n"
#define PEEK_    "*1\r\n$4\r\nPEEK\r\n"
#define UNWATCH_ "*1\r\n$7\r\nUNWATCH\r\n"
#define QUIT_    "*1\r\n$4\r\nQUIT\r\n"
#define ECHO     "*2\r\n$4\r\nECHO\r\n$1\r\nx\r\n"
#define WATCH    "*2\r\n$5\r\nWATCH\r\n$1\r\na\r\n"

static const struct {
	const char *text, *protocol, *expected;
} inputs[] = {
    {"consume a 2\nPING\r\n", "line", "consume a 2\nping\n"},
    {"\n*1\n", "line",
	"ERR empty the line is empty; try HELP\n"
	"ERR badverb unknown request; try HELP\n"},
    {"Get / HTTP/1.1\r\nconsume a\n", "line",
	"ERR http this is not an HTTP server\n"},
    {"GET /consume?key=a&amount=2 HTTP/1.0\r\n\r\n", "http", "consume a 2\n"},
    {"POSTED\n", "line", "ERR badverb unknown request; try HELP\n"},
    {COMMAND "\r\n*0\r\n*1\r\n$4\r\nPING\r\n", "resp", "consume a 1\nping\n"},
    {COMMAND "PEEK a\r\n" COMMAND, "resp",
	"consume a 1\n-ERR Protocol error: expected '*', got 'P'\r\n"},
    {COMMAND "ping\r\n" COMMAND, "resp", "consume a 1\nping\nconsume a 1\n"},
    {"AUTH x\nPING\n", "line",
	"ERR nousers there are no users here; leave AUTH out\nping\n"},
    {"AUTH x\r\nPING\r\n" COMMAND, "resp",
	"-ERR AUTH: there is no password here; leave it out\r\nping\n"
	"consume a 1\n"},
    {"hello 4\r\n", "resp", "-NOPROTO unsupported protocol version\r\n"},
    {"HELLO\t2 x\n", "resp", "-ERR Syntax error in HELLO\r\n"},
    {"PING\r\n" COMMAND, "line",
	"ping\nERR badverb unknown request; try HELP\n"
	"ERR badverb unknown request; try HELP\n"
	"ERR nokey a key must follow\n"
	"ERR badverb unknown request; try HELP\n"
	"ERR badverb unknown request; try HELP\n"},
    {"hel\nHELLOS\nauth2 x\n", "line",
	"ERR badverb unknown request; try HELP\n"
	"ERR badverb unknown request; try HELP\n"
	"ERR badverb unknown request; try HELP\n"},
    {"hell", "", ""},
    {MULTI_ COMMAND ECHO EXEC_ COMMAND, "resp",
	"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\nconsume a 1\n$1\r\nx\r\n"
	"consume a 1\n"},
    {MULTI_ EXEC_ COMMAND, "resp", "+OK\r\n*0\r\nconsume a 1\n"},
    {MULTI_ COMMAND DISCARD_ COMMAND, "resp",
	"+OK\r\n+QUEUED\r\n+OK\r\nconsume a 1\n"},
    {MULTI_ COMMAND RESET_ EXEC_, "resp",
	"+OK\r\n+QUEUED\r\n+RESET\r\n-ERR EXEC without MULTI\r\n"},
    /* what cannot be carried out at all */
    {MULTI_ COMMAND NO_ COMMAND EXEC_ COMMAND, "resp",
	"+OK\r\n+QUEUED\r\n-ERR unknown command 'NO'\r\n+QUEUED\r\n"
	"-EXECABORT Transaction discarded because of previous errors.\r\n"
	"consume a 1\n"},
    {MULTI_ PEEK_ EXEC_, "resp",
	"+OK\r\n-ERR wrong number of arguments for 'peek' command\r\n"
	"-EXECABORT Transaction discarded because of previous errors.\r\n"},
    /* what fails when it is carried out */
    {MULTI_ "*2\r\n$6\r\nSELECT\r\n$1\r\n1\r\n" COMMAND EXEC_, "resp",
	"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n-ERR DB index is out of range\r\n"
	"consume a 1\n"},
    {MULTI_ "PING\r\n" EXEC_, "resp", "+OK\r\n+QUEUED\r\n*1\r\nping\n"},
    {MULTI_ MULTI_ WATCH UNWATCH_ EXEC_, "resp",
	"+OK\r\n-ERR MULTI calls can not be nested\r\n"
	"-ERR WATCH inside MULTI is not allowed\r\n+QUEUED\r\n*1\r\n+OK\r\n"},
    {WATCH UNWATCH_ DISCARD_, "resp",
	"+OK\r\n+OK\r\n-ERR DISCARD without MULTI\r\n"},
    {MULTI_ COMMAND QUIT_, "resp", "+OK\r\n+QUEUED\r\nquit\n"},
    {"*2\r\n$4\r\nECHO\r\n$1\r\nx\r\n" COMMAND, "resp",
	"$1\r\nx\r\nconsume a 1\n"},
};

START_TEST(first_bytes_tell_the_protocol_whole_or_byte_by_byte)
{
	const char *text = inputs[_i].text;

	check_pieces(
	    text, strlen(text), inputs[_i].protocol, inputs[_i].expected);
	check_pieces(text, 1, inputs[_i].protocol, inputs[_i].expected);
	check_pieces(text, 3, inputs[_i].protocol, inputs[_i].expected);
}
END_TEST

/* Feed the first ${len} bytes of ${text}; return how many are left over. */
static size_t
feed(const char *text, size_t len)
{
	session_start(&session, &common, 7, OFFER_ANY);
	return len - read_requests(text, len);
}

START_TEST(client_that_said_nothing_is_between_requests)
{
	ck_assert_ptr_null(session.protocol);
	ck_assert(session_is_between(&session));
	ck_assert(session_can_hand_over(&session));
	ck_assert_uint_eq(session_first_len(&session, NULL, 0), 0);
	ck_assert_uint_eq(feed("", 0), 0);
	ck_assert_ptr_null(session.protocol);
}
END_TEST

START_TEST(line_that_is_cut_gets_an_error)
{
	static const char text[] = "consume a\n";

	for (size_t len = 1; len < strlen(text); len++) {
		ck_assert_uint_eq(feed(text, len), len);
		ck_assert_int_eq(session_cut(&session), READ_BAD);
		trace_response();
	}
	ck_assert_mem_eq(buf_data(&trace),
	    "ERR incomplete the last line has no end\nERR incomplete ", 55);
}
END_TEST

START_TEST(command_that_is_cut_gets_nothing)
{
	for (size_t len = 1; len < strlen(COMMAND); len++) {
		ck_assert_uint_eq(feed(COMMAND, len), len);
		ck_assert_int_eq(session_cut(&session), READ_RESPONDED);
		ck_assert_uint_eq(buf_len(&common.response), 0);
	}
}
END_TEST

/* Its bytes are done with, and it goes on. */
START_TEST(overlong_line_is_no_place_between_requests)
{
	char text[5000];

	memset(text, 'a', sizeof(text));
	ck_assert_uint_eq(feed(text, sizeof(text)), 0);
	ck_assert(!session_is_between(&session));
	ck_assert_uint_eq(read_requests("a\n", 2), 2);
	ck_assert(session_is_between(&session));
}
END_TEST

START_TEST(command_that_was_begun_is_no_place_between_requests)
{
	feed(COMMAND, strlen(COMMAND) - 1);
	ck_assert(!session_is_between(&session));
	feed(COMMAND, strlen(COMMAND));
	ck_assert(session_is_between(&session));
}
END_TEST

START_TEST(client_that_chose_resp3_cannot_be_handed_over)
{
	static const char hello[] = "*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n";
	static const char reset[] = "*1\r\n$5\r\nRESET\r\n";

	feed(hello, strlen(hello));
	ck_assert(!session_can_hand_over(&session));
	ck_assert_uint_eq(read_requests(reset, strlen(reset)), strlen(reset));
	ck_assert(session_can_hand_over(&session));
}
END_TEST

/* Once the protocol is known, its bytes may be anything. */
START_TEST(length_of_the_first_request_is_known_before_it_is_read)
{
	ck_assert_uint_eq(session_first_len(&session, "ping\nping\n", 10), 5);
	ck_assert_uint_eq(session_first_len(&session, "ping", 4), 4);
	ck_assert_uint_eq(
	    session_first_len(&session, COMMAND COMMAND, 2 * strlen(COMMAND)),
	    strlen(COMMAND));
	ck_assert_uint_eq(session_first_len(&session, COMMAND, 9), 9);
	ck_assert_ptr_null(session.protocol);
	feed("ping\n", 5);
	ck_assert_uint_eq(session_first_len(&session, "*1\n*1\n", 6), 3);
}
END_TEST

Suite *
session_suite(void)
{
	Suite *suite = suite_create("session");
	TCase *tcase = tcase_create("session");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase,
	    first_bytes_tell_the_protocol_whole_or_byte_by_byte, 0,
	    COUNT(inputs));
	tcase_add_test(tcase, client_that_said_nothing_is_between_requests);
	tcase_add_test(tcase, line_that_is_cut_gets_an_error);
	tcase_add_test(tcase, command_that_is_cut_gets_nothing);
	tcase_add_test(tcase, overlong_line_is_no_place_between_requests);
	tcase_add_test(
	    tcase, command_that_was_begun_is_no_place_between_requests);
	tcase_add_test(tcase, client_that_chose_resp3_cannot_be_handed_over);
	tcase_add_test(
	    tcase, length_of_the_first_request_is_known_before_it_is_read);
	suite_add_tcase(suite, tcase);
	return suite;
}
