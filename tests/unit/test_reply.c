#include "base/attr.h"
#include "redis/reply.h"
#include "suites.h"

#include <string.h>

static const struct script script = {
    "toy",
    "#!lua\n"
    "local texts = try('HMGET', KEYS[1], 'a')\n"
    "call('HSET', KEYS[1], 'a', 'b')\n"
    "call('PEXPIRE', KEYS[1], 1)\n",
    "",
    false,
};

static const char *
explain(const char *error)
{
	static char text[REPLY_EXPLAIN_MAX];

	return reply_explain(error, strlen(error), &script, text);
}

#define DENIED                                                                 \
	"ERR The user executing the script can't run this command or "         \
	"subcommand"
#define RIGHTS "; dripgate acl prints the rights that are needed"

static const struct {
	const char *error, *explained;
} cases[] = {
    {"ERR something else", "ERR something else"},
    {"\x1b[2J", "\\x1b[2J"},
    {"", ""},
    {"NOAUTH Authentication required.",
	"wants a password: set it, and username if need be "
	"(NOAUTH Authentication required.)"},
    {"WRONGPASS no", "takes another username or password than is set "
		     "(WRONGPASS no)"},
    {"READONLY You can't write against a read only replica.",
	"is a read-only replica: set its master "
	"(READONLY You can't write against a read only replica.)"},
    {"MOVED 12772 10.0.0.1:6379", "is a node of a cluster, which has not "
				  "this slot now (MOVED 12772 10.0.0.1:6379)"},
    {"READONLYNESS", "READONLYNESS"},
    {"ERR unknown command 'EVAL', with args beginning with: '#!lua' 'x' ",
	"does not know EVAL: it is renamed there, or this is no Redis of "
	"version 7 or later"},
    {"ERR unknown command `SELECT`, with args beginning with: `0`, ",
	"does not know SELECT: it is renamed there, or this is no Redis of "
	"version 7 or later"},
    {"ERR unknown command", "does not know a command: it is renamed there, or "
			    "this is no Redis of version 7 or later"},
    {DENIED " script: 5ba11, on @user_script:3.",
	"does not let this user call HSET from a script" RIGHTS},
    {DENIED " script: 5ba11, on @user_script:4.",
	"does not let this user call PEXPIRE from a script" RIGHTS},
    {DENIED, "does not let this user call HMGET from a script" RIGHTS},
    {"ERR ACL failure in script: User gate has no permissions to run the "
     "'hscan' command script: f617, on @user_script:144.",
	"does not let this user call HSCAN from a script" RIGHTS},
    {DENIED " on @user_script:99.",
	"does not let this user call a command from a script" RIGHTS},
    {DENIED " on @user_script:x",
	"does not let this user call a command from a script" RIGHTS},
    {"ERR Unknown Redis command called from script script: 5ba11, on "
     "@user_script:3.",
	"does not know HSET, which a script calls: it is renamed there"},
    {"ERR Unknown command called from script script: 5ba11, on "
     "@user_script:4.",
	"does not know PEXPIRE, which a script calls: it is renamed there"},
    {"NOPERM this user has no permissions to run the 'evalsha' command",
	"does not let this user do that" RIGHTS
	" (NOPERM this user has no permissions to run the 'evalsha' command)"},
};

START_TEST(error_is_explained)
{
	ck_assert_str_eq(explain(cases[_i].error), cases[_i].explained);
}
END_TEST

START_TEST(explanation_has_a_bound)
{
	char error[100000];
	static const char *const starts[] = {"", "NOPERM ",
	    "ERR unknown command '", "can't run this command on @user_script:"};

	for (size_t i = 0; i < COUNT(starts); i++) {
		memset(error, 'x', sizeof(error) - 1);
		error[sizeof(error) - 1] = '\0';
		memcpy(error, starts[i], strlen(starts[i]));
		ck_assert_uint_lt(strlen(explain(error)), 250);
	}
}
END_TEST

START_TEST(without_a_script_no_command_is_named)
{
	char text[REPLY_EXPLAIN_MAX];

	ck_assert_str_eq(reply_explain(DENIED, strlen(DENIED), NULL, text),
	    "does not let this user call a command from a script" RIGHTS);
}
END_TEST

static void
ck_same(const redisReply *a, const redisReply *b)
{
	ck_assert_ptr_ne(a, b);
	ck_assert_int_eq(a->type, b->type);
	ck_assert_int_eq(a->integer, b->integer);
	ck_assert_uint_eq(a->len, b->len);
	ck_assert(!a->str == !b->str);
	if (a->str)
		ck_assert_mem_eq(a->str, b->str, a->len + 1);
	ck_assert_uint_eq(a->elements, b->elements);
	for (size_t i = 0; i < a->elements; i++)
		ck_same(a->element[i], b->element[i]);
}

START_TEST(copy_has_all_that_a_reply_has)
{
	static const char bytes[] = "*5\r\n$3\r\na\0b\r\n:-7\r\n$-1\r\n"
				    "*2\r\n$0\r\n\r\n+OK\r\n*0\r\n";
	redisReader *reader = redisReaderCreate();
	void *reply;
	redisReply *copy;

	redisReaderFeed(reader, bytes, sizeof(bytes) - 1);
	ck_assert_int_eq(redisReaderGetReply(reader, &reply), REDIS_OK);
	ck_assert_ptr_nonnull(reply);
	copy = reply_copy(reply);
	ck_same(copy, reply);
	freeReplyObject(reply);
	freeReplyObject(copy);
	redisReaderFree(reader);
}
END_TEST

Suite *
reply_suite(void)
{
	Suite *suite = suite_create("reply");
	TCase *tests = tcase_create("reply");

	tcase_add_loop_test(tests, error_is_explained, 0, COUNT(cases));
	tcase_add_test(tests, explanation_has_a_bound);
	tcase_add_test(tests, without_a_script_no_command_is_named);
	tcase_add_test(tests, copy_has_all_that_a_reply_has);
	suite_add_tcase(suite, tests);
	return suite;
}
