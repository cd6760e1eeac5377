#include "redis/command.h"
#include "suites.h"

#include <string.h>

static void
check_bytes(const struct command *command, const char *bytes, size_t len)
{
	ck_assert(!command->failed);
	ck_assert_uint_eq(buf_len(&command->bytes), len);
	ck_assert_mem_eq(buf_data(&command->bytes), bytes, len);
}

#define CHECK(command, text) check_bytes(command, text, sizeof(text) - 1)

START_TEST(arguments_are_bulk_strings)
{
	struct command command = {0};

	command_start(&command, 3);
	command_add_text(&command, "HGET");
	command_add(&command, "drip:login", 10);
	command_add_text(&command, "login:42");
	CHECK(&command,
	    "*3\r\n$4\r\nHGET\r\n$10\r\ndrip:login\r\n$8\r\nlogin:42\r\n");
	command_free(&command);
}
END_TEST

START_TEST(argument_may_be_any_bytes_or_none)
{
	struct command command = {0};

	command_start(&command, 4);
	command_add(&command, "\0\r\n\xFF", 4);
	command_add(&command, NULL, 0);
	command_add_text(&command, "");
	command_add(&command, "abc", 2);
	CHECK(&command,
	    "*4\r\n$4\r\n\0\r\n\xFF\r\n$0\r\n\r\n$0\r\n\r\n$2\r\nab\r\n");
	command_free(&command);
}
END_TEST

START_TEST(numbers_are_decimal)
{
	struct command command = {0};

	command_start(&command, 3);
	command_add_int(&command, 0);
	command_add_int(&command, -1);
	command_add_int(&command, INT64_MIN);
	CHECK(&command, "*3\r\n$1\r\n0\r\n$2\r\n-1\r\n"
			"$20\r\n-9223372036854775808\r\n");
	command_free(&command);
}
END_TEST

START_TEST(new_start_forgets_what_was)
{
	struct command command = {.failed = true};

	command_start(&command, 12);
	command_add_text(&command, "PING");
	command_start(&command, 1);
	command_add_text(&command, "QUIT");
	CHECK(&command, "*1\r\n$4\r\nQUIT\r\n");
	command_free(&command);
}
END_TEST

START_TEST(long_argument_is_taken_whole)
{
	static char large[100000];
	struct command command = {0};

	memset(large, 'x', sizeof(large));
	command_start(&command, 2);
	command_add(&command, large, sizeof(large));
	command_add_text(&command, "y");
	ck_assert(!command.failed);
	ck_assert_uint_eq(
	    buf_len(&command.bytes), 4 + 9 + sizeof(large) + 2 + 7);
	ck_assert_mem_eq(buf_data(&command.bytes), "*2\r\n$100000\r\nx", 14);
	ck_assert_mem_eq(buf_data(&command.bytes) + 4 + 9 + sizeof(large) - 1,
	    "x\r\n$1\r\ny\r\n", 10);
	command_free(&command);
}
END_TEST

Suite *
command_suite(void)
{
	Suite *suite = suite_create("command");
	TCase *tcase = tcase_create("command");

	tcase_add_test(tcase, arguments_are_bulk_strings);
	tcase_add_test(tcase, argument_may_be_any_bytes_or_none);
	tcase_add_test(tcase, numbers_are_decimal);
	tcase_add_test(tcase, new_start_forgets_what_was);
	tcase_add_test(tcase, long_argument_is_taken_whole);
	suite_add_tcase(suite, tcase);
	return suite;
}
