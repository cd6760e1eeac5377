#include "base/buf.h"
#include "suites.h"

#include <string.h>

static void
check_content(const struct buf *buf, const char *expected)
{
	ck_assert_uint_eq(buf_len(buf), strlen(expected));
	ck_assert_mem_eq(buf_data(buf), expected, strlen(expected));
}

START_TEST(zeroed_struct_is_an_empty_buffer)
{
	struct buf buf = {0};

	ck_assert_uint_eq(buf_len(&buf), 0);
	buf_consume(&buf, 0);
	buf_free(&buf);
}
END_TEST

START_TEST(bytes_leave_in_the_order_they_came)
{
	struct buf buf = {0};

	ck_assert_int_eq(buf_add(&buf, "hello ", 6), 0);
	ck_assert_int_eq(buf_add(&buf, "world", 5), 0);
	check_content(&buf, "hello world");
	buf_consume(&buf, 6);
	check_content(&buf, "world");
	buf_consume(&buf, 5);
	ck_assert_uint_eq(buf_len(&buf), 0);
	buf_free(&buf);
}
END_TEST

START_TEST(room_is_claimed_only_by_grow)
{
	struct buf buf = {0};
	char *room = buf_reserve(&buf, 100);

	ck_assert_ptr_nonnull(room);
	memcpy(room, "abc", 3);
	ck_assert_uint_eq(buf_len(&buf), 0);
	buf_commit(&buf, 3);
	check_content(&buf, "abc");
	buf_free(&buf);
}
END_TEST

START_TEST(content_survives_growing_after_a_take)
{
	struct buf buf = {0};
	char chunk[300];

	memset(chunk, 'x', sizeof(chunk));
	ck_assert_int_eq(buf_add(&buf, "abcdef", 6), 0);
	buf_consume(&buf, 3);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(buf_add(&buf, chunk, sizeof(chunk)), 0);
	ck_assert_uint_eq(buf_len(&buf), 3 + 100 * sizeof(chunk));
	ck_assert_mem_eq(buf_data(&buf), "defxxx", 6);
	buf_free(&buf);
}
END_TEST

START_TEST(memory_stays_bounded_while_what_comes_also_goes)
{
	struct buf buf = {0};
	unsigned char in = 0, out = 0;

	for (int i = 0; i < 3000; i++) {
		for (int k = 0; k < 3; k++, in++)
			ck_assert_int_eq(buf_add(&buf, &in, 1), 0);
		for (int k = 0; k < (i < 50 ? 2 : 3); k++, out++) {
			ck_assert_uint_eq((unsigned char)*buf_data(&buf), out);
			buf_consume(&buf, 1);
		}
	}
	ck_assert_uint_eq(buf_len(&buf), 50);
	ck_assert_uint_le(buf.cap, 1024);
	buf_free(&buf);
}
END_TEST

START_TEST(printf_appends_without_a_nul)
{
	struct buf buf = {0};

	ck_assert_int_eq(buf_printf(&buf, "%s=%d", "level", 3), 0);
	ck_assert_int_eq(buf_printf(&buf, " %c", 'x'), 0);
	check_content(&buf, "level=3 x");
	buf_free(&buf);
}
END_TEST

START_TEST(printf_appends_whatever_room_is_left)
{
	for (size_t left = 0; left < 20; left++) {
		struct buf buf = {0};
		char *room = buf_reserve(&buf, 100);

		ck_assert_ptr_nonnull(room);
		memset(room, 'x', buf.cap - left);
		buf_commit(&buf, buf.cap - left);
		ck_assert_int_eq(buf_printf(&buf, "%s", "0123456789"), 0);
		buf_consume(&buf, buf_len(&buf) - 12);
		check_content(&buf, "xx0123456789");
		buf_free(&buf);
	}
}
END_TEST

/* From an empty buffer to another, say. */
START_TEST(nothing_may_be_appended_from_nowhere)
{
	struct buf buf = {0}, empty = {0};

	ck_assert_int_eq(buf_add(&buf, buf_data(&empty), 0), 0);
	ck_assert_uint_eq(buf_len(&buf), 0);
}
END_TEST

START_TEST(freed_buffer_is_usable_again)
{
	struct buf buf = {0};

	ck_assert_int_eq(buf_add(&buf, "a", 1), 0);
	buf_free(&buf);
	ck_assert_uint_eq(buf_len(&buf), 0);
	ck_assert_int_eq(buf_add(&buf, "b", 1), 0);
	check_content(&buf, "b");
	buf_free(&buf);
}
END_TEST

START_TEST(room_that_is_not_needed_is_trimmed)
{
	static char bytes[40000];
	struct buf buf = {0};

	ck_assert_int_eq(buf_add(&buf, bytes, sizeof(bytes)), 0);
	ck_assert_uint_lt(buf.cap, 2 * sizeof(bytes));
	buf_trim(&buf, 0); /* it is full */
	ck_assert_uint_ge(buf.cap, sizeof(bytes));
	ck_assert_int_eq(buf_add(&buf, "abc", 3), 0);
	buf_consume(&buf, sizeof(bytes));
	buf_trim(&buf, 1000000);
	ck_assert_uint_gt(buf.cap, sizeof(bytes));
	buf_trim(&buf, 1000);
	ck_assert_uint_le(buf.cap, 1000);
	check_content(&buf, "abc");
	buf_consume(&buf, 3);
	buf_trim(&buf, 0);
	ck_assert_uint_eq(buf.cap, 0);
}
END_TEST

/* Such as the body of a request. */
START_TEST(what_is_large_from_the_start_gets_no_more_room)
{
	struct buf buf = {0};

	ck_assert_ptr_nonnull(buf_reserve(&buf, 65600));
	ck_assert_uint_eq(buf.cap, 65600);
	buf_free(&buf);
}
END_TEST

Suite *
buf_suite(void)
{
	Suite *suite = suite_create("buf");
	TCase *tcase = tcase_create("buf");

	tcase_add_test(tcase, zeroed_struct_is_an_empty_buffer);
	tcase_add_test(tcase, bytes_leave_in_the_order_they_came);
	tcase_add_test(tcase, room_is_claimed_only_by_grow);
	tcase_add_test(tcase, content_survives_growing_after_a_take);
	tcase_add_test(tcase, memory_stays_bounded_while_what_comes_also_goes);
	tcase_add_test(tcase, printf_appends_without_a_nul);
	tcase_add_test(tcase, printf_appends_whatever_room_is_left);
	tcase_add_test(tcase, nothing_may_be_appended_from_nowhere);
	tcase_add_test(tcase, room_that_is_not_needed_is_trimmed);
	tcase_add_test(tcase, what_is_large_from_the_start_gets_no_more_room);
	tcase_add_test(tcase, freed_buffer_is_usable_again);
	suite_add_tcase(suite, tcase);
	return suite;
}
