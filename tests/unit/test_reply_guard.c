#include "base/buf.h"
#include "redis/reply_guard.h"
#include "suites.h"

#include "base/attr.h"

#include <hiredis/hiredis.h>
#include <string.h>

static int
check_in_steps(const char *bytes, size_t len, size_t step)
{
	struct reply_guard guard = {0};

	for (size_t i = 0; i < len; i += step)
		if (reply_guard_check(&guard, bytes + i,
			len - i < step ? len - i : step) == -1)
			return -1;
	return 0;
}

/* Whatever the pieces are that it comes in. */
static int
check(const char *bytes, size_t len)
{
	int result = check_in_steps(bytes, len, len);

	ck_assert_int_eq(check_in_steps(bytes, len, 1), result);
	ck_assert_int_eq(check_in_steps(bytes, len, 3), result);
	return result;
}

static int
check_buf(struct buf *text)
{
	int result = check(buf_data(text), buf_len(text));

	buf_free(text);
	return result;
}

static void
add(struct buf *text, const char *more)
{
	ck_assert_int_eq(buf_add(text, more, strlen(more)), 0);
}

static void
add_many(struct buf *text, const char *more, int64_t count)
{
	while (count-- > 0)
		add(text, more);
}

/* Append "$LEN" and that many bytes. */
static void
add_bulk(struct buf *text, int64_t len)
{
	char *room;

	ck_assert_int_eq(buf_printf(text, "$%lld\r\n", (long long)len), 0);
	room = buf_reserve(text, (size_t)len);
	ck_assert_ptr_nonnull(room);
	memset(room, '\n', (size_t)len);
	buf_commit(text, (size_t)len);
	add(text, "\r\n");
}

/* With the NUL bytes that are in some of them. */
#define TEXT(text) text, sizeof(text) - 1

static const struct {
	const char *bytes;
	size_t len;
} good[] = {
    {TEXT("+OK\r\n")},
    {TEXT("+\r\n")},
    {TEXT("+a status longer than the guard keeps of a line\r\n")},
    {TEXT("-NOSCRIPT No matching script. Please use EVAL.\r\n")},
    {TEXT(":0\r\n")},
    {TEXT(":-9223372036854775808\r\n")},
    {TEXT("$-1\r\n")},
    {TEXT("$0\r\n\r\n")},
    {TEXT("$5\r\nhello\r\n")},
    {TEXT("$9\r\n*9\r\n$9\r\n\0\r\n")},
    {TEXT("*-1\r\n")},
    {TEXT("*0\r\n")},
    {TEXT("*1\r\n*0\r\n")},
    {TEXT("*3\r\n$1\r\na\r\n$-1\r\n:1\r\n")},
    {TEXT("*2\r\n*2\r\n+a\r\n*-1\r\n*1\r\n$0\r\n\r\n")},
    {TEXT("*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n")},
    {TEXT("*1\r\n*1\r\n*1\r\n*2\r\n*0\r\n*-1\r\n")},
};

START_TEST(good_reply_is_let_through_any_number_of_times)
{
	struct buf text = {0};

	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(
		    buf_add(&text, good[_i].bytes, good[_i].len), 0);
	ck_assert_int_eq(check_buf(&text), 0);
}
END_TEST

START_TEST(hiredis_reads_what_is_let_through)
{
	redisReader *reader = redisReaderCreate();
	void *reply = NULL;

	redisReaderFeed(reader, good[_i].bytes, good[_i].len);
	ck_assert_int_eq(redisReaderGetReply(reader, &reply), REDIS_OK);
	ck_assert_ptr_nonnull(reply);
	freeReplyObject(reply);
	reply = NULL;
	ck_assert_int_eq(redisReaderGetReply(reader, &reply), REDIS_OK);
	ck_assert_ptr_null(reply);
	redisReaderFree(reader);
}
END_TEST

/* hiredis 1.2 does not take it for a status; 0.14 does. */
START_TEST(carriage_return_in_a_line_ends_nothing)
{
	ck_assert_int_eq(check(TEXT("+a\rb\r\n")), 0);
	ck_assert_int_eq(check(TEXT("+a\r*9\r\n:1\r\n")), 0);
	ck_assert_int_eq(check(TEXT("+a\rb\n:1\r\n")), -1);
}
END_TEST

static const struct {
	const char *bytes;
	size_t len;
} malformed[] = {
    {TEXT("\r\n")},
    {TEXT("\n")},
    {TEXT("+OK\r\n\r\n")},
    {TEXT("*1\r\n\r\n")},
    {TEXT("HTTP/1.1 400 Bad Request\r\n")},
    {TEXT("_\r\n")}, /* RESP3 */
    {TEXT("%1\r\n")},
    {TEXT("\0\r\n")},
    {TEXT("*\r\n")},
    {TEXT("$\r\n")},
    {TEXT("*-2\r\n")},
    {TEXT("$-2\r\n")},
    {TEXT("$+1\r\n")},
    {TEXT("$ 1\r\n")},
    {TEXT("$1 \r\n")},
    {TEXT("$1a\r\n")},
    {TEXT("$0x1\r\n")},
    {TEXT("$\0\r\n")},
    {TEXT("*99999999999999999999\r\n")},
    {TEXT("*18446744073709551617\r\n")},
    {TEXT("*00000000000000000000000000000001\r\n")},
    {TEXT("*1\n")},
    {TEXT("$1\n")},
    {TEXT("$1\r\r\n")},
    {TEXT("*2\r\n:1\r\n$x\r\n")},
    /* hiredis would read on, to the CRLF. */
    {TEXT("+a\n")},
    {TEXT("-a\n")},
    {TEXT(":1\n")},
    {TEXT("+a status longer than the guard keeps of a line\n")},
    {TEXT("+a\n$100\r\n*1000000000\r\n")},
};

START_TEST(malformed_reply_is_refused)
{
	ck_assert_int_eq(check(malformed[_i].bytes, malformed[_i].len), -1);
}
END_TEST

START_TEST(carriage_return_ends_no_line_of_another_piece)
{
	struct reply_guard guard = {0};

	ck_assert_int_eq(reply_guard_check(&guard, "+a\r", 3), 0);
	ck_assert_int_eq(reply_guard_check(&guard, "b", 1), 0);
	ck_assert_int_eq(reply_guard_check(&guard, "\n", 1), -1);
}
END_TEST

START_TEST(arrays_nest_four_deep_and_no_deeper)
{
	struct buf text = {0};

	add_many(&text, "*1\r\n", REPLY_MAX_DEPTH);
	add(&text, ":1\r\n");
	ck_assert_int_eq(check_buf(&text), 0);
	add_many(&text, "*1\r\n", REPLY_MAX_DEPTH + 1);
	ck_assert_int_eq(check_buf(&text), -1);
}
END_TEST

START_TEST(depth_is_that_of_the_arrays_open_now)
{
	struct buf text = {0};

	add(&text, "*100\r\n");
	add_many(&text, "*1\r\n*1\r\n*1\r\n:1\r\n", 99);
	add(&text, "*1\r\n*1\r\n*1\r\n*0\r\n");
	ck_assert_int_eq(check_buf(&text), 0);
}
END_TEST

START_TEST(elements_of_one_array_are_bounded)
{
	ck_assert_int_eq(check(TEXT("*65536\r\n")), 0);
	ck_assert_int_eq(check(TEXT("*65537\r\n")), -1);
	ck_assert_int_eq(check(TEXT("*1000000000\r\n")), -1);
}
END_TEST

START_TEST(elements_of_all_arrays_of_a_reply_are_bounded)
{
	struct buf text = {0};

	add(&text, "*2\r\n*30000\r\n");
	add_many(&text, "+\r\n", 30000);
	add(&text, "*35534\r\n");
	ck_assert_int_eq(check_buf(&text), 0);
	add(&text, "*2\r\n*30000\r\n");
	add_many(&text, "+\r\n", 30000);
	add(&text, "*35535\r\n");
	ck_assert_int_eq(check_buf(&text), -1);
}
END_TEST

START_TEST(elements_are_counted_for_each_reply_anew)
{
	struct buf text = {0};

	for (int i = 0; i < 3; i++) {
		add(&text, "*60000\r\n");
		add_many(&text, "+\r\n", 60000);
	}
	ck_assert_int_eq(check_buf(&text), 0);
}
END_TEST

START_TEST(announced_size_is_bounded)
{
	ck_assert_int_eq(check(TEXT("$1048576\r\n")), 0);
	ck_assert_int_eq(check(TEXT("$1048577\r\n")), -1);
	ck_assert_int_eq(check(TEXT("$9223372036854775807\r\n")), -1);
}
END_TEST

/* What "$1048564\r\n" and CRLF leave of the bytes of one reply. */
#define LARGEST_BULK (REPLY_MAX_BYTES - 12)

START_TEST(bytes_of_a_bulk_string_and_its_header_are_bounded)
{
	struct buf text = {0};

	add_bulk(&text, LARGEST_BULK);
	ck_assert_uint_eq(buf_len(&text), REPLY_MAX_BYTES);
	ck_assert_int_eq(check_buf(&text), 0);
	add_bulk(&text, LARGEST_BULK + 1);
	ck_assert_int_eq(check_buf(&text), -1);
}
END_TEST

START_TEST(bytes_of_all_elements_are_bounded)
{
	struct buf text = {0};

	add(&text, "*2\r\n");
	add_bulk(&text, 600000);
	add_bulk(&text, 400000);
	ck_assert_int_eq(check_buf(&text), 0);
	add(&text, "*2\r\n");
	add_bulk(&text, 600000);
	add_bulk(&text, 600000);
	ck_assert_int_eq(check_buf(&text), -1);
}
END_TEST

START_TEST(bytes_of_a_line_are_bounded)
{
	struct buf text = {0};

	add(&text, "+");
	add_many(&text, "0123456789", REPLY_MAX_BYTES / 10);
	ck_assert_int_eq(
	    check(buf_data(&text), (size_t)REPLY_MAX_BYTES - 6), 0);
	add(&text, "0123456789");
	ck_assert_int_eq(check_buf(&text), -1);
}
END_TEST

START_TEST(bytes_are_counted_for_each_reply_anew)
{
	struct buf text = {0};

	for (int i = 0; i < 3; i++)
		add_bulk(&text, 700000);
	ck_assert_int_eq(check_buf(&text), 0);
}
END_TEST

Suite *
reply_guard_suite(void)
{
	Suite *suite = suite_create("reply_guard");
	TCase *tcase = tcase_create("reply_guard");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase,
	    good_reply_is_let_through_any_number_of_times, 0, COUNT(good));
	tcase_add_loop_test(
	    tcase, hiredis_reads_what_is_let_through, 0, COUNT(good));
	tcase_add_loop_test(
	    tcase, malformed_reply_is_refused, 0, COUNT(malformed));
	tcase_add_test(tcase, carriage_return_in_a_line_ends_nothing);
	tcase_add_test(tcase, carriage_return_ends_no_line_of_another_piece);
	tcase_add_test(tcase, arrays_nest_four_deep_and_no_deeper);
	tcase_add_test(tcase, depth_is_that_of_the_arrays_open_now);
	tcase_add_test(tcase, elements_of_one_array_are_bounded);
	tcase_add_test(tcase, elements_of_all_arrays_of_a_reply_are_bounded);
	tcase_add_test(tcase, elements_are_counted_for_each_reply_anew);
	tcase_add_test(tcase, announced_size_is_bounded);
	tcase_add_test(
	    tcase, bytes_of_a_bulk_string_and_its_header_are_bounded);
	tcase_add_test(tcase, bytes_of_all_elements_are_bounded);
	tcase_add_test(tcase, bytes_of_a_line_are_bounded);
	tcase_add_test(tcase, bytes_are_counted_for_each_reply_anew);
	suite_add_tcase(suite, tcase);
	return suite;
}
