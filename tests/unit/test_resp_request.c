#include "suites.h"

#include "base/attr.h"
#include "limit/limit.h"
#include "wire/line.h"
#include "wire/resp_request.h"

#include <string.h>

static struct resp_session session;
static struct request request;
static struct buf out;

static void
start(void)
{
	session = (struct resp_session){2, 7};
}

static void
free_out(void)
{
	buf_free(&out);
}

/* Have the words of ${text}, with blanks between them, read as a command. */
static enum resp_demand
read_words(const char *text)
{
	struct resp_command command = {0};
	enum resp_demand demand;

	while (*text) {
		size_t len = strcspn(text, " ");

		command.words[command.count++] = (struct resp_word){text, len};
		text += len + (text[len] == ' ');
	}
	buf_take(&out, buf_len(&out));
	demand = resp_request_read(&command, &session, &request, &out);
	ck_assert_int_eq(buf_add(&out, "", 1), 0);
	return demand;
}

static const struct {
	const char *words;
	enum verb verb;
	const char *key;
	int64_t amount;
} requests[] = {
    {"CONSUME a", VERB_CONSUME, "a", 1},
    {"consume login:42 -5", VERB_CONSUME, "login:42", -5},
    {"Peek a 1000000000", VERB_PEEK, "a", 1000000000},
    {"RESET a", VERB_RESET, "a", 1},
    {"EXPLAIN a", VERB_EXPLAIN, "a", 1},
    {"LIMITS", VERB_LIMITS, NULL, 1},
    {"STATS", VERB_STATS, NULL, 1},
    {"HELP", VERB_HELP, NULL, 1},
    {"PING", VERB_PING, NULL, 1},
    {"CL.THROTTLE a 15 30 60", VERB_THROTTLE, "a", 1},
    {"cl.throttle a 15 30 60 0", VERB_THROTTLE, "a", 0},
};

START_TEST(request_is_read)
{
	ck_assert_int_eq(read_words(requests[_i].words), RESP_ASKS);
	ck_assert_int_eq(request.verb, requests[_i].verb);
	ck_assert_int_eq(request.amount, requests[_i].amount);
	ck_assert_int_eq(request.key != NULL, requests[_i].key != NULL);
	if (request.key) {
		ck_assert_uint_eq(request.key_len, strlen(requests[_i].key));
		ck_assert_mem_eq(
		    request.key, requests[_i].key, request.key_len);
	}
}
END_TEST

#define CELL "-Cell error: Store error: "
#define OWN  "-Cell error: "
#define USAGE                                                                  \
	CELL "Usage: cl.throttle <key> <max_burst> <count per period> "        \
	     "<period> [<quantity>]\r\n"

static const struct {
	const char *words, *error;
} wrong[] = {
    {"GET a", "-ERR unknown command 'GET'\r\n"},
    {"consum\ne a", "-ERR unknown command 'consum\\x0ae'\r\n"},
    {"CONSUME", "-ERR wrong number of arguments for 'consume' command\r\n"},
    {"CONSUME a 1 1",
	"-ERR wrong number of arguments for 'consume' command\r\n"},
    {"reset a b", "-ERR wrong number of arguments for 'reset' command\r\n"},
    {"ping a b", "-ERR wrong number of arguments for 'ping' command\r\n"},
    {"limits x", "-ERR wrong number of arguments for 'limits' command\r\n"},
    {"ECHO", "-ERR wrong number of arguments for 'echo' command\r\n"},
    {"CONSUME a\x7f",
	"-ERR badkey a key is 1 to 255 bytes of printable ASCII or UTF-8\r\n"},
    {"CONSUME a 1.5",
	"-ERR badamount amount must be a whole number from -1000000000 to "
	"1000000000\r\n"},
    {"HELLO 4", "-NOPROTO unsupported protocol version\r\n"},
    {"HELLO 3 AUTH default x",
	"-ERR AUTH: there is no password here; leave it out\r\n"},
    {"HELLO 3 x", "-ERR Syntax error in HELLO\r\n"},
    {"HELLO 3 SETNAME", "-ERR Syntax error in HELLO\r\n"},
    {"AUTH x", "-ERR AUTH: there is no password here; leave it out\r\n"},
    {"SELECT 1", "-ERR DB index is out of range\r\n"},
    {"CLIENT KILL x", "-ERR unknown subcommand 'KILL'\r\n"},
    {"CONFIG SET save x", "-ERR unknown subcommand 'SET'\r\n"},
    {"COMMAND x", "-ERR unknown subcommand 'x'\r\n"},
    {"CL.THROTTLE", USAGE},
    {"CL.THROTTLE a 1 1", USAGE},
    {"CL.THROTTLE a 1 1 1 1 1", USAGE},
    {"CL.THROTTLE a x 1 1", CELL "Couldn't parse as integer: x\r\n"},
    {"CL.THROTTLE a 1 1.5 1", CELL "Couldn't parse as integer: 1.5\r\n"},
    {"CL.THROTTLE a 1 1 9223372036854775808",
	CELL "Couldn't parse as integer: 9223372036854775808\r\n"},
    {"CL.THROTTLE a 1 1 1 \n", CELL "Couldn't parse as integer: \\x0a\r\n"},
    {"CL.THROTTLE a 1 0 1", CELL "Zero rates are not supported\r\n"},
    {"CL.THROTTLE a 1 1 0", CELL "Zero rates are not supported\r\n"},
    {"CL.THROTTLE a -1 1 1", OWN "max_burst must be from 0 to 999999999\r\n"},
    {"CL.THROTTLE a 1000000000 1 1",
	OWN "max_burst must be from 0 to 999999999\r\n"},
    {"CL.THROTTLE a 9223372036854775807 1 1",
	OWN "max_burst must be from 0 to 999999999\r\n"},
    {"CL.THROTTLE a 1 -1 1",
	OWN "count and period must be above 0, and the period at most "
	    "1000000000000\r\n"},
    {"CL.THROTTLE a 1 1 -9223372036854775808",
	OWN "count and period must be above 0, and the period at most "
	    "1000000000000\r\n"},
    {"CL.THROTTLE a 1 1 9223372036854775807",
	OWN "count and period must be above 0, and the period at most "
	    "1000000000000\r\n"},
    {"CL.THROTTLE a 1 1000001 1",
	OWN "the rate must be at most 1000000 a second\r\n"},
    {"CL.THROTTLE a 1 9223372036854775807 1000000000000",
	OWN "the rate must be at most 1000000 a second\r\n"},
    {"CL.THROTTLE a 1 1 1 -1", OWN "quantity must be from 0 to 1000000000\r\n"},
    {"CL.THROTTLE a 1 1 1 1000000001",
	OWN "quantity must be from 0 to 1000000000\r\n"},
    {"CL.THROTTLE a 0 1 2592001",
	OWN "(max_burst + 1) * period / count must be at most 30 days\r\n"},
    {"CL.THROTTLE a 2592000 1 1",
	OWN "(max_burst + 1) * period / count must be at most 30 days\r\n"},
    {"CL.THROTTLE a\x7f 1 1 1",
	"-ERR badkey a key is 1 to 255 bytes of printable ASCII or UTF-8\r\n"},
};

START_TEST(what_is_wrong_is_said)
{
	ck_assert_int_eq(read_words(wrong[_i].words), RESP_WRONG);
	ck_assert_str_eq(buf_head(&out), wrong[_i].error);
}
END_TEST

START_TEST(longest_names_are_cut_in_errors)
{
	char words[RESP_WORD_MAX + 1] = {0};

	memset(words, 0x7f, RESP_WORD_MAX);
	ck_assert_int_eq(read_words(words), RESP_WRONG);
	ck_assert_uint_lt(buf_len(&out), 200);
	ck_assert_ptr_nonnull(strstr(buf_head(&out), "...'\r\n"));
}
END_TEST

static const struct {
	const char *words;
	int64_t capacity, recharge_us;
} throttles[] = {
    {"CL.THROTTLE a 15 30 60", 16, 2000000},
    {"CL.THROTTLE a 0 1 1", 1, 1000000},
    {"CL.THROTTLE a 0 3 1", 1, 333334}, /* rounded up */
    {"CL.THROTTLE a 0 1000000 1", 1, 1},
    {"CL.THROTTLE a 0 999999 1", 1, 2},
    {"CL.THROTTLE a 0 1 2592000", 1, LIMIT_INLINE_LIFE_US},
    {"CL.THROTTLE a 2591999 1 1", 2592000, 1000000},
    {"CL.THROTTLE a 999999999 1000000 1", 1000000000, 1},
    {"CL.THROTTLE a 0 1000000000000000000 1000000000000", 1, 1},
};

START_TEST(limit_of_a_throttle_is_worked_out)
{
	ck_assert_int_eq(read_words(throttles[_i].words), RESP_ASKS);
	ck_assert_int_eq(request.capacity, throttles[_i].capacity);
	ck_assert_int_eq(request.recharge_us, throttles[_i].recharge_us);
}
END_TEST

static const struct {
	const char *words, *answer;
} greetings[] = {
    {"PING hello", "$5\r\nhello\r\n"},
    {"ECHO hello", "$5\r\nhello\r\n"},
    {"SELECT 0", "+OK\r\n"},
    {"RESET", "+RESET\r\n"},
    {"CLIENT SETNAME me", "+OK\r\n"},
    {"CLIENT SETINFO LIB-NAME x", "+OK\r\n"},
    {"client id", ":7\r\n"},
    {"CLIENT GETNAME", "$-1\r\n"},
    {"CONFIG GET save", "*2\r\n$4\r\nsave\r\n$0\r\n\r\n"},
    {"CONFIG GET appendonly", "*2\r\n$10\r\nappendonly\r\n$2\r\nno\r\n"},
    {"CONFIG GET maxmemory", "*0\r\n"},
    {"CONFIG GET save SAVE x", "*2\r\n$4\r\nsave\r\n$0\r\n\r\n"},
    {"COMMAND INFO consume no",
	"*2\r\n*6\r\n$7\r\nconsume\r\n:-2\r\n*2\r\n+write\r\n+fast\r\n"
	":1\r\n:1\r\n:1\r\n$-1\r\n"},
    {"COMMAND INFO ping",
	"*1\r\n*6\r\n$4\r\nping\r\n:-1\r\n*2\r\n+readonly\r\n+fast\r\n"
	":0\r\n:0\r\n:0\r\n"},
    {"COMMAND DOCS", "*0\r\n"},
    {"COMMAND COUNT", ":18\r\n"},
};

START_TEST(greeting_is_answered)
{
	ck_assert_int_eq(read_words(greetings[_i].words), RESP_ANSWERED);
	ck_assert_str_eq(buf_head(&out), greetings[_i].answer);
}
END_TEST

START_TEST(hello_changes_the_protocol_and_reset_changes_it_back)
{
	ck_assert_int_eq(read_words("HELLO"), RESP_ANSWERED);
	ck_assert_ptr_nonnull(strstr(buf_head(&out), "*14\r\n"));
	ck_assert_int_eq(read_words("HELLO 3 SETNAME me"), RESP_ANSWERED);
	ck_assert_ptr_nonnull(strstr(buf_head(&out), "%7\r\n"));
	ck_assert_ptr_nonnull(strstr(buf_head(&out), "$5\r\nproto\r\n:3\r\n"));
	ck_assert_ptr_nonnull(strstr(buf_head(&out), "$2\r\nid\r\n:7\r\n"));
	ck_assert_int_eq(session.version, 3);
	ck_assert_int_eq(read_words("CLIENT GETNAME"), RESP_ANSWERED);
	ck_assert_str_eq(buf_head(&out), "_\r\n");
	ck_assert_int_eq(read_words("HELLO 4"), RESP_WRONG);
	ck_assert_int_eq(session.version, 3);
	ck_assert_int_eq(read_words("RESET"), RESP_ANSWERED);
	ck_assert_int_eq(session.version, 2);
}
END_TEST

START_TEST(quit_is_answered_and_the_last)
{
	ck_assert_int_eq(read_words("QUIT"), RESP_QUITS);
	ck_assert_str_eq(buf_head(&out), "+OK\r\n");
}
END_TEST

START_TEST(help_is_that_of_lines_and_one_more)
{
	size_t same = strlen(line_help) - strlen("END\n");

	ck_assert_mem_eq(resp_help, line_help, same);
	ck_assert_mem_eq(resp_help + same, "CL.THROTTLE ", 12);
	ck_assert_str_eq(resp_help + strlen(resp_help) - 5, "\nEND\n");
}
END_TEST

Suite *
resp_request_suite(void)
{
	Suite *suite = suite_create("resp_request");
	TCase *tcase = tcase_create("resp_request");

	tcase_add_checked_fixture(tcase, start, free_out);
	tcase_add_loop_test(tcase, request_is_read, 0, COUNT(requests));
	tcase_add_loop_test(tcase, what_is_wrong_is_said, 0, COUNT(wrong));
	tcase_add_test(tcase, longest_names_are_cut_in_errors);
	tcase_add_loop_test(
	    tcase, limit_of_a_throttle_is_worked_out, 0, COUNT(throttles));
	tcase_add_loop_test(tcase, greeting_is_answered, 0, COUNT(greetings));
	tcase_add_test(
	    tcase, hello_changes_the_protocol_and_reset_changes_it_back);
	tcase_add_test(tcase, quit_is_answered_and_the_last);
	tcase_add_test(tcase, help_is_that_of_lines_and_one_more);
	suite_add_tcase(suite, tcase);
	return suite;
}
