#include "base/buf.h"
#include "suites.h"

#include "base/attr.h"
#include "protocol/resp/resp.h"

#include <stdio.h>
#include <string.h>

/* What was read, one line each: "WORD|WORD", "-" for a command to be ignored,
 * or the error. */
static struct buf trace;

static void
free_trace(void)
{
	buf_free(&trace);
}

static void
trace_command(const struct resp_command *command)
{
	for (size_t i = 0; i < command->count; i++) {
		ck_assert_int_eq(
		    buf_printf(&trace, "%s%.*s", i > 0 ? "|" : "",
			(int)command->words[i].len, command->words[i].bytes),
		    0);
	}
	ck_assert_int_eq(
	    buf_printf(&trace, command->count > 0 ? "\n" : "-\n"), 0);
}

/* Read all commands that are whole.  Return the number of bytes done with. */
static size_t
read_commands(struct resp_reader *reader, const char *bytes, size_t len)
{
	struct resp_command command;
	size_t done = 0, used;

	for (;;) {
		enum resp_result result = resp_read(
		    reader, bytes + done, len - done, &used, &command);

		done += used;
		if (result == RESP_MORE) {
			ck_assert_uint_eq(used, 0);
			ck_assert_uint_lt(len - done, RESP_HELD_MAX);
			return done;
		}
		if (result == RESP_BAD) {
			ck_assert_int_eq(
			    buf_printf(&trace, "%s\n", command.why), 0);
			return SIZE_MAX;
		}
		trace_command(&command);
	}
}

/* Read ${len} bytes that come in pieces of ${step}, up to the first error. */
static const char *
trace_of(const char *bytes, size_t len, size_t step)
{
	struct resp_reader reader = {0};
	size_t start = 0, end = 0;

	buf_consume(&trace, buf_len(&trace));
	while (end < len) {
		size_t done;

		end = len - end < step ? len : end + step;
		done = read_commands(&reader, bytes + start, end - start);
		if (done == SIZE_MAX)
			break;
		start += done;
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

#define ERR     "ERR Protocol error: "
#define CONSUME "*2\r\n$7\r\nCONSUME\r\n$1\r\na\r\n"

static const struct {
	const char *text;
	const char *expected;
} commands[] = {
    {CONSUME, "CONSUME|a\n"},
    {CONSUME CONSUME "*1\r\n$4\r\nPING\r\n", "CONSUME|a\nCONSUME|a\nPING\n"},
    {"*1\r\n$0\r\n\r\n", "\n"},
    {"*2\r\n$0\r\n\r\n$0\r\n\r\n", "|\n"},
    {"*0\r\n", "-\n"},
    {"*-1\r\n" CONSUME, "-\nCONSUME|a\n"},
    {"*-2147483648\r\n", "-\n"},
    {"*0002\r\n$007\r\nCONSUME\r\n$1\r\na\r\n", "CONSUME|a\n"},
    {"*1\r\n$6\r\na\r\n\r\nb\r\n", "a\r\n\r\nb\n"},
    {"*1\r\n$4\r\n*1\r\n\r\n", "*1\r\n\n"},
    {CONSUME "\r\n\r\n" CONSUME, "CONSUME|a\n-\n-\nCONSUME|a\n"},
    /* not yet whole */
    {CONSUME "\r", "CONSUME|a\n"},
    {"*", ""},
    {"*1", ""},
    {"*1\r", ""},
    {"*1\r\n", ""},
    {"*1\r\n$", ""},
    {"*1\r\n$4\r\n", ""},
    {"*1\r\n$4\r\nPIN", ""},
    {"*1\r\n$4\r\nPING", ""},
    {"*1\r\n$4\r\nPING\r", ""},
    {"*2\r\n$4\r\nPING\r\n", ""},
    {CONSUME "*1\r\n", "CONSUME|a\n"},
    /* not the protocol */
    {"PEEK a\r\n", ERR "expected '*', got 'P'\n"},
    {CONSUME "pingpong\r\n", "CONSUME|a\n" ERR "expected '*', got 'p'\n"},
    /* lines */
    {"PING\r\n", "PING\n"},
    {CONSUME "ping\n" CONSUME, "CONSUME|a\nping\nCONSUME|a\n"},
    {"HELLO 3 SETNAME x\r\n", "HELLO|3|SETNAME|x\n"},
    {"auth \t x  y \r\nhello\r\n", "auth|x|y\nhello\n"},
    {"HELL", ""},
    {"HELLO", ""},
    {"HELLO 3\r", ""},
    {"HELP\r\n", ERR "expected '*', got 'H'\n"},
    {"HELLO1\r\n", ERR "expected '*', got 'H'\n"},
    {CONSUME "\n", "CONSUME|a\n" ERR "expected '*', got 0x0a\n"},
    {CONSUME "\r\r\n", "CONSUME|a\n" ERR "expected '*', got 0x0d\n"},
    {CONSUME "\x80", "CONSUME|a\n" ERR "expected '*', got 0x80\n"},
    {"*\r\n", ERR "invalid multibulk length\n"},
    {"*\n", ERR "invalid multibulk length\n"},
    {"*1\n", ERR "invalid multibulk length\n"},
    {"*x\r\n", ERR "invalid multibulk length\n"},
    {"* 1\r\n", ERR "invalid multibulk length\n"},
    {"*+1\r\n", ERR "invalid multibulk length\n"},
    {"*1.0\r\n", ERR "invalid multibulk length\n"},
    {"*65\r\n", ERR "invalid multibulk length\n"},
    {"*1048577\r\n", ERR "invalid multibulk length\n"},
    {"*4294967297\r\n", ERR "invalid multibulk length\n"},
    {"*18446744073709551617\r\n", ERR "invalid multibulk length\n"},
    {"*-99999999999999999999\r\n", ERR "invalid multibulk length\n"},
    {"*00000000000000000000000000000001\r\n", ERR "invalid multibulk length\n"},
    {"*1\r\n*1\r\n$4\r\nPING\r\n", ERR "expected '$', got '*'\n"},
    {"*1\r\n:1\r\n", ERR "expected '$', got ':'\n"},
    {"*1\r\n+PING\r\n", ERR "expected '$', got '+'\n"},
    {"*1\r\n$-1\r\n", ERR "invalid bulk length\n"},
    {"*1\r\n$x\r\n", ERR "invalid bulk length\n"},
    {"*1\r\n$\r\n", ERR "invalid bulk length\n"},
    {"*1\r\n$4097\r\n", ERR "invalid bulk length\n"},
    {"*1\r\n$536870912\r\n", ERR "invalid bulk length\n"},
    {"*1\r\n$9223372036854775807\r\n", ERR "invalid bulk length\n"},
    {"*1\r\n$3\r\nPING\r\n", ERR "a bulk is longer than it says\n"},
    {"*1\r\n$4\r\nPING\n\n", ERR "a bulk is longer than it says\n"},
    {"*1\r\n$5\r\nPING\r\n\r\n", ERR "a bulk is longer than it says\n"},
};

START_TEST(command_is_read_or_refused)
{
	const char *text = commands[_i].text;

	check_reads(text, strlen(text), commands[_i].expected);
}
END_TEST

START_TEST(word_may_hold_any_bytes)
{
	static const char text[] = "*2\r\n$4\r\nECHO\r\n$4\r\n\0\xff\r\n\r\n";
	struct resp_reader reader = {0};
	struct resp_command command;
	size_t used;

	ck_assert_int_eq(
	    resp_read(&reader, text, sizeof(text) - 1, &used, &command),
	    RESP_COMMAND);
	ck_assert_uint_eq(command.words[1].len, 4);
	ck_assert_mem_eq(command.words[1].bytes, "\0\xff\r\n", 4);
}
END_TEST

/* A command of words that are ${len} bytes each; the caller frees it. */
static struct buf
command_of(size_t words, size_t len)
{
	static const char a[RESP_WORD_MAX + 1];
	struct buf text = {0};

	ck_assert_int_eq(resp_write_array(&text, words), 0);
	for (size_t i = 0; i < words; i++)
		ck_assert_int_eq(resp_write_bulk(&text, a, len), 0);
	return text;
}

/* The last command read by result_of(). */
static struct resp_command last;

/* How reading it ends, at once and byte by byte. */
static enum resp_result
result_of(size_t words, size_t len)
{
	struct buf text = command_of(words, len);
	struct resp_reader whole = {0}, bytewise = {0};
	enum resp_result first, second = RESP_MORE;
	size_t used;

	first =
	    resp_read(&whole, buf_data(&text), buf_len(&text), &used, &last);
	for (size_t i = 1; i <= buf_len(&text) && second == RESP_MORE; i++)
		second = resp_read(&bytewise, buf_data(&text), i, &used, &last);
	ck_assert_int_eq(first, second);
	if (first == RESP_COMMAND)
		ck_assert_uint_eq(last.count, words);
	buf_free(&text);
	return first;
}

START_TEST(command_has_bounds)
{
	ck_assert_int_eq(result_of(64, 1), RESP_COMMAND);
	ck_assert_int_eq(result_of(65, 1), RESP_BAD);
	ck_assert_int_eq(result_of(1, 4096), RESP_COMMAND);
	ck_assert_int_eq(result_of(1, 4097), RESP_BAD);
	/* "*4\r\n", and 9 bytes around each word */
	ck_assert_int_eq(result_of(4, 4085), RESP_COMMAND);
	ck_assert_int_eq(result_of(4, 4086), RESP_COMMAND);
	ck_assert_int_eq(result_of(4, 4087), RESP_BAD);
	ck_assert_str_eq(last.why, ERR "a command is at most 16384 bytes");
	ck_assert_int_eq(result_of(64, 300), RESP_BAD);
	/* "*18\r\n", and 8 bytes: one too many */
	ck_assert_int_eq(result_of(18, 902), RESP_BAD);
}
END_TEST

START_TEST(bytes_are_not_looked_at_twice)
{
	char text[] = CONSUME;
	size_t len = strlen(text), used;
	struct resp_reader reader = {0};
	struct resp_command command;

	ck_assert_int_eq(
	    resp_read(&reader, text, len - 3, &used, &command), RESP_MORE);
	memset(text, 'x', 4); /* "*2\r\n" */
	memset(text + 4, 'x', 4);
	ck_assert_int_eq(
	    resp_read(&reader, text, len, &used, &command), RESP_COMMAND);
	ck_assert_uint_eq(used, len);
}
END_TEST

START_TEST(nothing_is_no_command_yet)
{
	struct resp_reader reader = {0};
	struct resp_command command;
	size_t used = 1;

	ck_assert_int_eq(
	    resp_read(&reader, NULL, 0, &used, &command), RESP_MORE);
	ck_assert_uint_eq(used, 0);
}
END_TEST

/* Take what was written out of the buffer, as a string in ${trace}. */
static const char *
written(struct buf *out)
{
	buf_consume(&trace, buf_len(&trace));
	ck_assert_int_eq(buf_add(&trace, buf_data(out), buf_len(out)), 0);
	ck_assert_int_eq(buf_add(&trace, "", 1), 0);
	buf_free(out);
	return buf_data(&trace);
}

#define check_written(call, expected)                                          \
	do {                                                                   \
		struct buf out = {0};                                          \
                                                                               \
		ck_assert_int_eq(call, 0);                                     \
		ck_assert_str_eq(written(&out), expected);                     \
	} while (0)

START_TEST(values_are_written_byte_for_byte)
{
	check_written(resp_write_status(&out, "OK"), "+OK\r\n");
	check_written(resp_write_error(&out, "ERR no"), "-ERR no\r\n");
	check_written(resp_write_error(&out, "ERR a\nb"), "-ERR a\r\n");
	check_written(resp_write_error(&out, "ERR a\r\n+OK"), "-ERR a\r\n");
	check_written(resp_write_int(&out, -1), ":-1\r\n");
	check_written(
	    resp_write_int(&out, INT64_MIN), ":-9223372036854775808\r\n");
	check_written(resp_write_bulk(&out, "a\r\nb", 4), "$4\r\na\r\nb\r\n");
	check_written(resp_write_bulk(&out, NULL, 0), "$0\r\n\r\n");
	check_written(resp_write_text(&out, "abc"), "$3\r\nabc\r\n");
	check_written(resp_write_null(&out, 2), "$-1\r\n");
	check_written(resp_write_null(&out, 3), "_\r\n");
	check_written(resp_write_array(&out, 7), "*7\r\n");
	check_written(resp_write_map(&out, 7, 2), "*14\r\n");
	check_written(resp_write_map(&out, 7, 3), "%7\r\n");
}
END_TEST

START_TEST(lines_are_strings)
{
	check_written(resp_write_lines(&out, NULL, 0), "");
	check_written(
	    resp_write_lines(&out, "a\n\n", 3), "$1\r\na\r\n$0\r\n\r\n");
	check_written(resp_write_lines(&out, "END\nb\nEND\n", 10),
	    "$3\r\nEND\r\n$1\r\nb\r\n$3\r\nEND\r\n");
}
END_TEST

static const struct limit login = {.name = "login", .capacity = 5};

static const struct {
	struct check check;
	const char *array, *pairs;
} decisions[] = {
    {{.limit = &login,
	 .decision = {true, 0, 0, 3, 4981234, 0, 0, 0},
	 .decided_by = DECIDED_BY_REDIS},
	"*9\r\n:1\r\n:3\r\n:5\r\n:4982\r\n:0\r\n:0\r\n$5\r\nlogin\r\n"
	"$5\r\nredis\r\n$0\r\n\r\n",
	"$7\r\nallowed\r\n:1\r\n$5\r\nlevel\r\n:3\r\n"
	"$8\r\ncapacity\r\n:5\r\n$4\r\nnext\r\n:4982\r\n$5\r\nretry\r\n:0\r\n"
	"$7\r\nblocked\r\n:0\r\n$5\r\nlimit\r\n$5\r\nlogin\r\n"
	"$4\r\nfrom\r\n$5\r\nredis\r\n$6\r\nshadow\r\n$0\r\n\r\n"},
    /* rounded up: a client that waits that long is not refused */
    {{.limit = &login,
	 .decision = {false, 0, 0, 5, 1, 1000, 1001, 0},
	 .decided_by = DECIDED_BY_MEMORY},
	"*9\r\n:0\r\n:5\r\n:5\r\n:1\r\n:1\r\n:2\r\n$5\r\nlogin\r\n"
	"$6\r\nmemory\r\n$0\r\n\r\n",
	"$7\r\nallowed\r\n:0\r\n$5\r\nlevel\r\n:5\r\n"
	"$8\r\ncapacity\r\n:5\r\n$4\r\nnext\r\n:1\r\n$5\r\nretry\r\n:1\r\n"
	"$7\r\nblocked\r\n:2\r\n$5\r\nlimit\r\n$5\r\nlogin\r\n"
	"$4\r\nfrom\r\n$6\r\nmemory\r\n$6\r\nshadow\r\n$0\r\n\r\n"},
    {{.limit = &login,
	 .decision = {false, 0, 0, 0, 0, RETRY_NEVER, 0, 0},
	 .decided_by = DECIDED_BY_FALLBACK,
	 .shadow_denied = true},
	"*9\r\n:0\r\n:0\r\n:5\r\n:0\r\n:-1\r\n:0\r\n$5\r\nlogin\r\n"
	"$8\r\nfallback\r\n$4\r\ndeny\r\n",
	"$7\r\nallowed\r\n:0\r\n$5\r\nlevel\r\n:0\r\n"
	"$8\r\ncapacity\r\n:5\r\n$4\r\nnext\r\n:0\r\n$5\r\nretry\r\n:-1\r\n"
	"$7\r\nblocked\r\n:0\r\n$5\r\nlimit\r\n$5\r\nlogin\r\n"
	"$4\r\nfrom\r\n$8\r\nfallback\r\n$6\r\nshadow\r\n$4\r\ndeny\r\n"},
    {{.decision = {true, 0, 0, 0, 0, 0, 0, 0}, .decided_by = DECIDED_BY_NONE},
	"*9\r\n:1\r\n:0\r\n:0\r\n:0\r\n:0\r\n:0\r\n$1\r\n-\r\n"
	"$4\r\nnone\r\n$0\r\n\r\n",
	"$7\r\nallowed\r\n:1\r\n$5\r\nlevel\r\n:0\r\n"
	"$8\r\ncapacity\r\n:0\r\n$4\r\nnext\r\n:0\r\n$5\r\nretry\r\n:0\r\n"
	"$7\r\nblocked\r\n:0\r\n$5\r\nlimit\r\n$1\r\n-\r\n"
	"$4\r\nfrom\r\n$4\r\nnone\r\n$6\r\nshadow\r\n$0\r\n\r\n"},
};

START_TEST(decision_is_an_array_or_a_map)
{
	const struct check *check = &decisions[_i].check;
	char map[400];

	check_written(resp_write_decision(&out, check), decisions[_i].array);
	snprintf(map, sizeof(map), "*18\r\n%s", decisions[_i].pairs);
	check_written(resp_write_decision_map(&out, check, 2), map);
	snprintf(map, sizeof(map), "%%9\r\n%s", decisions[_i].pairs);
	check_written(resp_write_decision_map(&out, check, 3), map);
}
END_TEST

START_TEST(longest_decision_has_room)
{
	struct limit limit = {.capacity = INT64_MIN};
	struct check check = {
	    .limit = &limit,
	    .decision = {false, 0, 0, INT64_MIN, INT64_MAX - 999,
		INT64_MAX - 999, INT64_MAX - 999, 0},
	    .decided_by = DECIDED_BY_FALLBACK,
	    .shadow_denied = true,
	    .query.op = OP_TAKE,
	};
	struct buf out = {0};

	check.decision.taken = INT32_MIN;
	memset(limit.name, 'a', LIMIT_NAME_MAX);
	ck_assert_int_eq(resp_write_decision_map(&out, &check, 3), 0);
	ck_assert_uint_lt(buf_len(&out), 450);
	ck_assert_ptr_nonnull(memmem(buf_data(&out), buf_len(&out),
	    "$5\r\ntaken\r\n:-2147483648\r\n", 25));
	buf_free(&out);
}
END_TEST

Suite *
resp_suite(void)
{
	Suite *suite = suite_create("resp");
	TCase *tcase = tcase_create("resp");

	tcase_add_checked_fixture(tcase, NULL, free_trace);
	tcase_add_loop_test(
	    tcase, command_is_read_or_refused, 0, COUNT(commands));
	tcase_add_test(tcase, word_may_hold_any_bytes);
	tcase_add_test(tcase, command_has_bounds);
	tcase_add_test(tcase, bytes_are_not_looked_at_twice);
	tcase_add_test(tcase, nothing_is_no_command_yet);
	tcase_add_test(tcase, values_are_written_byte_for_byte);
	tcase_add_test(tcase, lines_are_strings);
	tcase_add_loop_test(
	    tcase, decision_is_an_array_or_a_map, 0, COUNT(decisions));
	tcase_add_test(tcase, longest_decision_has_room);
	suite_add_tcase(suite, tcase);
	return suite;
}
