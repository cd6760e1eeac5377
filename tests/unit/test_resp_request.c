#include "suites.h"

#include "base/attr.h"
#include "limit/limit.h"
#include "protocol/resp/resp_request.h"
#include "protocol/resp/resp_session.h"

#include <string.h>

static struct session_common common = {.inline_limits = true};
static struct session session;
static struct request request;

static void
start(void)
{
	session_start(&session, &common, 7, OFFER_ANY);
}

static void
clear(void)
{
	session_common_clear(&common);
}

/* Have the words of ${text}, with blanks between them, read as a command. */
static enum read_result
read_words(const char *text)
{
	struct resp_command command = {0};
	struct buf *out = &common.response;
	enum read_result result;

	while (*text) {
		size_t len = strcspn(text, " ");

		command.words[command.count++] = (struct resp_word){text, len};
		text += len + (text[len] == ' ');
	}
	buf_consume(out, buf_len(out));
	result = resp_request_read(&command, &session, &request);
	ck_assert_int_eq(buf_add(out, "", 1), 0);
	return result;
}

static const struct {
	const char *words;
	enum verb verb;
	const char *key;
	int64_t amount;
} requests[] = {
    {"CONSUME a", VERB_CONSUME, "a", 1},
    {"consume login:42 -5", VERB_CONSUME, "login:42", -5},
    {"CHARGE a 7", VERB_CHARGE, "a", 7},
    {"take a 0", VERB_TAKE, "a", 0},
    {"wait a", VERB_WAIT, "a", 1},
    {"wait a 2 0.5 map", VERB_WAIT, "a", 2},
    {"CONSUME a 3 id=x", VERB_CONSUME, "a", 3},
    {"CONSUME a id=x MAP", VERB_CONSUME, "a", 1},
    {"CONSUME a 3 id=x MAP", VERB_CONSUME, "a", 3},
    {"TAKE a 3 id=x map", VERB_TAKE, "a", 3},
    {"MCONSUME a 3 id=x MAP", VERB_MCONSUME, NULL, 1},
    {"MCONSUME a 3 b 1 id=x", VERB_MCONSUME, NULL, 1},
    {"Peek a 1000000000", VERB_PEEK, "a", 1000000000},
    {"RESET a", VERB_RESET, "a", 1},
    {"EXPLAIN a", VERB_EXPLAIN, "a", 1},
    {"LIMITS", VERB_LIMITS, NULL, 1},
    {"STATS", VERB_STATS, NULL, 1},
    {"HELP", VERB_HELP, NULL, 1},
    {"PING", VERB_PING, NULL, 1},
    {"TOP", VERB_TOP, NULL, 1},
    {"TOP 7", VERB_TOP, NULL, 1},
    {"QUIT", VERB_QUIT, NULL, 1},
    {"quit a b", VERB_QUIT, NULL, 1},
    {"CL.THROTTLE a 15 30 60", VERB_THROTTLE, "a", 1},
    {"cl.throttle a 15 30 60 0", VERB_THROTTLE, "a", 0},
};

START_TEST(request_is_read)
{
	ck_assert_int_eq(read_words(requests[_i].words), READ_REQUEST);
	ck_assert_int_eq(request.verb, requests[_i].verb);
	ck_assert_int_eq(request.amount, requests[_i].amount);
	ck_assert_int_eq(request.id_len == 1 && *request.id == 'x',
	    strstr(requests[_i].words, "id=x") != NULL);
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
    {"SET a", "-ERR unknown command 'SET'\r\n"},
    {"consum\ne a", "-ERR unknown command 'consum\\x0ae'\r\n"},
    {"CONSUME", "-ERR wrong number of arguments for 'consume' command\r\n"},
    {"CONSUME a 1 1",
	"-ERR wrong number of arguments for 'consume' command\r\n"},
    {"reset a b", "-ERR wrong number of arguments for 'reset' command\r\n"},
    {"ping a b", "-ERR wrong number of arguments for 'ping' command\r\n"},
    {"limits x", "-ERR wrong number of arguments for 'limits' command\r\n"},
    {"ECHO", "-ERR wrong number of arguments for 'echo' command\r\n"},
    {"CONSUME a 1.5",
	"-ERR badamount amount must be a whole number from -1000000000 to "
	"1000000000\r\n"},
    {"CHARGE a", "-ERR wrong number of arguments for 'charge' command\r\n"},
    {"TAKE a -1", "-ERR badamount amount must be a whole number from 0 to "
		  "1000000000\r\n"},
    {"CONSUME a 1 id= MAP",
	"-ERR badid an id is 1 to 64 bytes of printable ASCII or UTF-8\r\n"},
    {"PEEK a 1 id=x", "-ERR wrong number of arguments for 'peek' command\r\n"},
    {"MCONSUME a 1 b MAP",
	"-ERR badamount amount must be a whole number from -1000000000 to "
	"1000000000\r\n"},
    {"HELLO 4", "-NOPROTO unsupported protocol version\r\n"},
    {"HELLO 3 AUTH default x",
	"-ERR AUTH: there is no password here; leave it out\r\n"},
    {"HELLO 3 x", "-ERR Syntax error in HELLO\r\n"},
    {"HELLO 3 SETNAME", "-ERR Syntax error in HELLO\r\n"},
    {"AUTH x", "-ERR AUTH: there is no password here; leave it out\r\n"},
    {"SELECT 1", "-ERR DB index is out of range\r\n"},
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
    {"CL.THROTTLE a 1 1 1 -1000000001",
	OWN "quantity must be from -1000000000 to 1000000000\r\n"},
    {"CL.THROTTLE a 1 1 1 1000000001",
	OWN "quantity must be from -1000000000 to 1000000000\r\n"},
    {"CL.THROTTLE a 0 1 2592001",
	OWN "(max_burst + 1) * period / count must be at most 30 days\r\n"},
    {"CL.THROTTLE a 2592000 1 1",
	OWN "(max_burst + 1) * period / count must be at most 30 days\r\n"},
};

START_TEST(what_is_wrong_is_said)
{
	ck_assert_int_eq(read_words(wrong[_i].words), READ_BAD);
	ck_assert_str_eq(buf_data(&common.response), wrong[_i].error);
}
END_TEST

START_TEST(longest_names_are_cut_in_errors)
{
	char words[RESP_WORD_MAX + 1] = {0};

	memset(words, 0x7f, RESP_WORD_MAX);
	ck_assert_int_eq(read_words(words), READ_BAD);
	ck_assert_uint_lt(buf_len(&common.response), 200);
	ck_assert_ptr_nonnull(strstr(buf_data(&common.response), "...'\r\n"));
}
END_TEST

static const struct {
	const char *words;
	int64_t capacity, recharge_ns;
} throttles[] = {
    {"CL.THROTTLE a 15 30 60", 16, 2000000000},
    {"CL.THROTTLE a 0 1 1", 1, 1000000000},
    {"CL.THROTTLE a 0 3 1", 1, 333333334}, /* rounded up */
    {"CL.THROTTLE a 0 1000000 1", 1, 1000},
    {"CL.THROTTLE a 0 999999 1", 1, 1001},
    {"CL.THROTTLE a 0 1 2592000", 1, LIMIT_INLINE_LIFE_US * 1000},
    {"CL.THROTTLE a 2591999 1 1", 2592000, 1000000000},
    {"CL.THROTTLE a 999999999 1000000 1", 1000000000, 1000},
    {"CL.THROTTLE a 0 1000000000000000000 1000000000000", 1, 1000},
    {"CL.THROTTLE a 0 999999999999999999 1000000000000", 1, 1001},
};

START_TEST(limit_of_a_throttle_is_worked_out)
{
	ck_assert_int_eq(read_words(throttles[_i].words), READ_REQUEST);
	ck_assert_int_eq(request.capacity, throttles[_i].capacity);
	ck_assert_int_eq(request.recharge_ns, throttles[_i].recharge_ns);
}
END_TEST

static const struct {
	const char *words, *response;
} greetings[] = {
    {"PING hello", "$5\r\nhello\r\n"},
    {"ECHO hello", "$5\r\nhello\r\n"},
    {"SELECT 0", "+OK\r\n"},
    {"RESET", "+RESET\r\n"},
    {"CLIENT SETNAME me", "+OK\r\n"},
    {"CLIENT SETINFO LIB-NAME x", "+OK\r\n"},
    {"client id", ":7\r\n"},
    {"CLIENT TRACKING ON OPTIN", "+OK\r\n"},
    {"CLIENT KILL x", "-ERR unknown subcommand 'KILL'\r\n"},
    {"CLIENT MAINT_NOTIFICATIONS ON",
	"-ERR unknown subcommand 'MAINT_NOTIFICATIONS'\r\n"},
    {"CLUSTER INFO", "-ERR This instance has cluster support disabled\r\n"},
    {"DBSIZE", ":0\r\n"},
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
    {"COMMAND INFO reset EXPLAIN cl.throttle quit config",
	"*5\r\n"
	"*6\r\n$5\r\nreset\r\n:-1\r\n*2\r\n+write\r\n+fast\r\n"
	":1\r\n:1\r\n:1\r\n"
	"*6\r\n$7\r\nexplain\r\n:2\r\n*2\r\n+readonly\r\n+fast\r\n"
	":1\r\n:1\r\n:1\r\n"
	"*6\r\n$11\r\ncl.throttle\r\n:-1\r\n*2\r\n+write\r\n+fast\r\n"
	":1\r\n:1\r\n:1\r\n"
	"*6\r\n$4\r\nquit\r\n:-1\r\n*2\r\n+readonly\r\n+fast\r\n"
	":0\r\n:0\r\n:0\r\n"
	"*6\r\n$6\r\nconfig\r\n:-3\r\n*2\r\n+readonly\r\n+fast\r\n"
	":0\r\n:0\r\n:0\r\n"},
    {"COMMAND LIST",
	"*44\r\n$7\r\nconsume\r\n$4\r\npeek\r\n$8\r\nmconsume\r\n"
	"$5\r\nmpeek\r\n$6\r\ncharge\r\n$4\r\ntake\r\n$4\r\nwait\r\n"
	"$4\r\nhold\r\n$7\r\nrelease\r\n$5\r\nreset\r\n"
	"$7\r\nexplain\r\n$6\r\nlimits\r\n$5\r\nstats\r\n$6\r\nstatus\r\n$"
	"3\r\ntop\r\n$7\r\nmonitor\r\n$"
	"5\r\ncache\r\n$6\r\nforget\r\n$4\r\nping\r\n"
	"$5\r\nready\r\n$4\r\nhelp\r\n$4\r\nquit\r\n$11\r\ncl.throttle\r\n"
	"$3\r\ndel\r\n$6\r\nexists\r\n$3\r\nttl\r\n$4\r\npttl\r\n$3\r\nget\r\n"
	"$5\r\nhello\r\n$4\r\nauth\r\n$4\r\necho\r\n$6\r\nselect\r\n"
	"$6\r\nclient\r\n$4\r\ninfo\r\n$7\r\ncommand\r\n"
	"$6\r\nconfig\r\n$7\r\ncluster\r\n$4\r\ntime\r\n"
	"$5\r\nmulti\r\n$4\r\nexec\r\n$7\r\ndiscard\r\n"
	"$5\r\nwatch\r\n$7\r\nunwatch\r\n$6\r\ndbsize\r\n"},
    {"COMMAND DOCS", "*0\r\n"},
    {"COMMAND COUNT", ":44\r\n"},
};

START_TEST(greeting_is_responded_to)
{
	ck_assert_int_eq(read_words(greetings[_i].words), READ_RESPONDED);
	ck_assert_str_eq(buf_data(&common.response), greetings[_i].response);
}
END_TEST

START_TEST(hello_changes_the_protocol_and_reset_changes_it_back)
{
	ck_assert_int_eq(read_words("HELLO"), READ_RESPONDED);
	ck_assert_ptr_nonnull(strstr(buf_data(&common.response), "*14\r\n"));
	ck_assert_int_eq(read_words("HELLO 3 SETNAME me"), READ_RESPONDED);
	ck_assert_ptr_nonnull(strstr(buf_data(&common.response), "%7\r\n"));
	ck_assert_ptr_nonnull(
	    strstr(buf_data(&common.response), "$5\r\nproto\r\n:3\r\n"));
	ck_assert_ptr_nonnull(
	    strstr(buf_data(&common.response), "$2\r\nid\r\n:7\r\n"));
	ck_assert_int_eq(resp_version(&session), 3);
	ck_assert_int_eq(read_words("CLIENT GETNAME"), READ_RESPONDED);
	ck_assert_str_eq(buf_data(&common.response), "_\r\n");
	ck_assert_int_eq(read_words("HELLO 4"), READ_BAD);
	ck_assert_int_eq(resp_version(&session), 3);
	ck_assert_int_eq(read_words("RESET"), READ_RESPONDED);
	ck_assert_int_eq(resp_version(&session), 2);
}
END_TEST

START_TEST(encoding_follows_the_request)
{
	ck_assert_int_eq(read_words("CONSUME a"), READ_REQUEST);
	ck_assert_int_eq(request.encoding, RESP_ARRAY);
	ck_assert_int_eq(read_words("CONSUME a -7 map"), READ_REQUEST);
	ck_assert_int_eq(request.encoding, RESP_MAP2);
	ck_assert_int_eq(request.amount, -7);
	ck_assert_int_eq(read_words("CL.THROTTLE a 0 1 1"), READ_REQUEST);
	ck_assert_int_eq(request.encoding, RESP_CELL);
	ck_assert_int_eq(read_words("HELLO 3"), READ_RESPONDED);
	ck_assert_int_eq(read_words("PEEK a"), READ_REQUEST);
	ck_assert_int_eq(request.encoding, RESP_ARRAY3);
	ck_assert_int_eq(read_words("PEEK a 2 MAP"), READ_REQUEST);
	ck_assert_int_eq(request.encoding, RESP_MAP3);
	ck_assert_int_eq(request.verb, VERB_PEEK);
	ck_assert_int_eq(read_words("PEEK a x MAP"), READ_BAD);
	ck_assert_int_eq(read_words("PEEK a 2 MAPS"), READ_BAD);
	ck_assert_int_eq(read_words("PEEK a 2 MAP 3"), READ_BAD);
	ck_assert_int_eq(read_words("RESET a 2 MAP"), READ_BAD);
	ck_assert_int_eq(read_words("PEEK a MAP"), READ_BAD);
	ck_assert_int_eq(read_words("CL.THROTTLE a 0 1 1"), READ_REQUEST);
	ck_assert_int_eq(request.encoding, RESP_CELL);
}
END_TEST

START_TEST(throttle_may_be_switched_off)
{
	common.inline_limits = false;
	ck_assert_int_eq(read_words("CL.THROTTLE a 0 1 1"), READ_BAD);
	ck_assert_str_eq(buf_data(&common.response),
	    "-ERR CL.THROTTLE is switched off: [listen] "
	    "allow_inline_limits = no\r\n");
	ck_assert_int_eq(read_words("CL.THROTTLE"), READ_BAD);
	ck_assert_str_eq(buf_data(&common.response), USAGE);
	common.inline_limits = true;
}
END_TEST

Suite *
resp_request_suite(void)
{
	Suite *suite = suite_create("resp_request");
	TCase *tcase = tcase_create("resp_request");

	tcase_add_checked_fixture(tcase, start, clear);
	tcase_add_loop_test(tcase, request_is_read, 0, COUNT(requests));
	tcase_add_loop_test(tcase, what_is_wrong_is_said, 0, COUNT(wrong));
	tcase_add_test(tcase, longest_names_are_cut_in_errors);
	tcase_add_loop_test(
	    tcase, limit_of_a_throttle_is_worked_out, 0, COUNT(throttles));
	tcase_add_loop_test(
	    tcase, greeting_is_responded_to, 0, COUNT(greetings));
	tcase_add_test(
	    tcase, hello_changes_the_protocol_and_reset_changes_it_back);
	tcase_add_test(tcase, encoding_follows_the_request);
	tcase_add_test(tcase, throttle_may_be_switched_off);
	suite_add_tcase(suite, tcase);
	return suite;
}
