#include "base/attr.h"
#include "base/buf.h"
#include "redis/reply_arena.h"
#include "suites.h"

#include <stdint.h>
#include <string.h>

static struct reply_arena arena;

static void
setup(void)
{
	arena = (struct reply_arena){0};
}

static void
teardown(void)
{
	reply_arena_free(&arena);
	reply_arena_free(&arena);
}

/* The next reply of those in ${len} bytes that come ${step} at a time. */
static redisReply *
read_in_steps(redisReader *reader, const char *bytes, size_t len, size_t step)
{
	void *reply = NULL;

	ck_assert_ptr_nonnull(reader);
	for (size_t i = 0; i < len && !reply; i += step) {
		size_t piece = len - i < step ? len - i : step;

		ck_assert_int_eq(
		    redisReaderFeed(reader, bytes + i, piece), REDIS_OK);
		ck_assert_int_eq(redisReaderGetReply(reader, &reply), REDIS_OK);
	}
	ck_assert_ptr_nonnull(reply);
	return reply;
}

static void
check_equal(const redisReply *a, const redisReply *b)
{
	ck_assert_int_eq(a->type, b->type);
	ck_assert_int_eq(a->integer, b->integer);
	ck_assert_uint_eq(a->len, b->len);
	ck_assert_int_eq(a->str == NULL, b->str == NULL);
	if (a->str)
		ck_assert_mem_eq(a->str, b->str, a->len + 1);
	ck_assert_uint_eq(a->elements, b->elements);
	for (size_t i = 0; i < a->elements; i++)
		check_equal(a->element[i], b->element[i]);
}

/* Whether it is as hiredis has it, whatever the pieces are that it comes in. */
static void
check(const char *bytes, size_t len)
{
	const size_t steps[] = {len, 1, 3};
	redisReader *theirs = redisReaderCreate();
	redisReply *expected = read_in_steps(theirs, bytes, len, len);

	for (size_t i = 0; i < COUNT(steps); i++) {
		redisReader *ours = reply_arena_reader(&arena);

		check_equal(
		    read_in_steps(ours, bytes, len, steps[i]), expected);
		reply_arena_empty(&arena);
		redisReaderFree(ours);
	}
	freeReplyObject(expected);
	redisReaderFree(theirs);
}

#define TEXT(text) text, sizeof(text) - 1

static const struct {
	const char *bytes;
	size_t len;
} replies[] = {
    {TEXT("+OK\r\n")},
    {TEXT("+\r\n")},
    {TEXT("-NOSCRIPT No matching script.\r\n")},
    {TEXT(":-9223372036854775808\r\n")},
    {TEXT("$-1\r\n")},
    {TEXT("$0\r\n\r\n")},
    {TEXT("$9\r\n*9\r\n$9\r\n\0\r\n")},
    {TEXT("*-1\r\n")},
    {TEXT("*0\r\n")},
    {TEXT("*3\r\n$16\r\n1700000000000123\r\n$-1\r\n:1\r\n")},
    {TEXT("*5\r\n*2\r\n+a\r\n*-1\r\n*1\r\n$0\r\n\r\n*0\r\n-E\r\n$1\r\nx\r\n")},
    {TEXT("*1\r\n*1\r\n*2\r\n*3\r\n:1\r\n:2\r\n:3\r\n$1\r\na\r\n")},
};

START_TEST(a_reply_is_as_hiredis_has_it)
{
	check(replies[_i].bytes, replies[_i].len);
}
END_TEST

/* Elements, and bytes in each, so that one chunk is not enough, or a string
 * alone is too long for one. */
static const struct {
	int elements, len;
} large[] = {{20000, 0}, {5000, 33}, {3, 70000}, {100, 1000}, {1, 65536}};

START_TEST(a_large_reply_is_as_hiredis_has_it)
{
	struct buf text = {0};

	ck_assert_int_eq(buf_printf(&text, "*%d\r\n", large[_i].elements), 0);
	for (int i = 0; i < large[_i].elements; i++)
		ck_assert_int_eq(buf_printf(&text, "$%d\r\n%0*d\r\n",
				     large[_i].len ? large[_i].len : 1,
				     large[_i].len, i % 10),
		    0);
	check(buf_data(&text), buf_len(&text));
	buf_free(&text);
}
END_TEST

START_TEST(one_reply_after_the_other_takes_the_same_place)
{
	static const char text[] = "*2\r\n$3\r\nabc\r\n:1\r\n";
	redisReader *reader = reply_arena_reader(&arena);
	redisReply *first = NULL;

	for (int i = 0; i < 1000; i++) {
		redisReply *reply =
		    read_in_steps(reader, text, sizeof(text) - 1, 5);

		if (!first)
			first = reply;
		ck_assert_ptr_eq(reply, first);
		reply_arena_empty(&arena);
	}
	redisReaderFree(reader);
}
END_TEST

START_TEST(all_is_aligned)
{
	static const char text[] = "*3\r\n$1\r\na\r\n$2\r\nbc\r\n*1\r\n:1\r\n";
	redisReader *reader = reply_arena_reader(&arena);
	redisReply *reply =
	    read_in_steps(reader, text, sizeof(text) - 1, sizeof(text));

	for (size_t i = 0; i < reply->elements; i++)
		ck_assert_uint_eq(
		    (uintptr_t)reply->element[i] % _Alignof(redisReply), 0);
	ck_assert_uint_eq(
	    (uintptr_t)reply->element[2]->element % _Alignof(redisReply *), 0);
	redisReaderFree(reader);
}
END_TEST

START_TEST(what_breaks_off_is_given_back)
{
	static const char *const broken[] = {"*2\r\n$1\r\na\r\n!\r\n",
	    "*2\r\n*2\r\n:1\r\n", "*100000\r\n:1\r\n", "$5\r\nab"};

	for (size_t i = 0; i < COUNT(broken); i++) {
		redisReader *reader = reply_arena_reader(&arena);
		void *reply = NULL;

		redisReaderFeed(reader, broken[i], strlen(broken[i]));
		ck_assert_int_eq(redisReaderGetReply(reader, &reply),
		    i == 0 ? REDIS_ERR : REDIS_OK);
		ck_assert_ptr_null(reply);
		redisReaderFree(reader);
		reply_arena_empty(&arena);
		check(TEXT("*2\r\n:1\r\n$1\r\na\r\n"));
	}
}
END_TEST

Suite *
reply_arena_suite(void)
{
	Suite *suite = suite_create("reply_arena");
	TCase *tests = tcase_create("reply_arena");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_loop_test(
	    tests, a_reply_is_as_hiredis_has_it, 0, (int)COUNT(replies));
	tcase_add_loop_test(
	    tests, a_large_reply_is_as_hiredis_has_it, 0, (int)COUNT(large));
	tcase_add_test(tests, one_reply_after_the_other_takes_the_same_place);
	tcase_add_test(tests, all_is_aligned);
	tcase_add_test(tests, what_breaks_off_is_given_back);
	suite_add_tcase(suite, tests);
	return suite;
}
