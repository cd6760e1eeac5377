#include "server/rooms.h"

#include "suites.h"

#include <string.h>

static struct rooms rooms;

static struct buf
buf_of(size_t len)
{
	struct buf buf = {0};

	ck_assert_ptr_nonnull(buf_reserve(&buf, len));
	memset(buf.bytes, 'x', buf.cap);
	return buf;
}

START_TEST(what_was_taken_back_last_is_lent_first)
{
	struct buf a = buf_of(512), b = buf_of(2048), none = {0};
	char *bytes[] = {a.bytes, b.bytes};

	rooms_take_back(&rooms, &a);
	rooms_take_back(&rooms, &b);
	ck_assert_ptr_null(a.bytes);
	ck_assert_uint_eq(rooms.bytes, 2560);
	rooms_lend(&rooms, &a);
	rooms_lend(&rooms, &b);
	rooms_lend(&rooms, &none);
	ck_assert_ptr_eq(a.bytes, bytes[1]);
	ck_assert_ptr_eq(b.bytes, bytes[0]);
	ck_assert_ptr_null(none.bytes);
	ck_assert_uint_eq(a.cap, 2048);
	ck_assert_uint_eq(buf_len(&a), 0);
	ck_assert_uint_eq(rooms.bytes, 0);
	buf_free(&a);
	buf_free(&b);
}
END_TEST

START_TEST(no_more_is_kept_than_there_may_be)
{
	static struct buf bufs[100];

	for (size_t i = 0; i < 100; i++)
		bufs[i] = buf_of(16384);
	for (size_t i = 0; i < 100; i++)
		rooms_take_back(&rooms, &bufs[i]);
	ck_assert_uint_eq(rooms.bytes, ROOMS_BYTES_MAX);
	rooms_clear(&rooms);
	ck_assert_uint_eq(rooms.bytes, 0);
	rooms_lend(&rooms, &bufs[0]);
	ck_assert_ptr_null(bufs[0].bytes);
}
END_TEST

Suite *
rooms_suite(void)
{
	Suite *suite = suite_create("rooms");
	TCase *tcase = tcase_create("rooms");

	tcase_add_test(tcase, what_was_taken_back_last_is_lent_first);
	tcase_add_test(tcase, no_more_is_kept_than_there_may_be);
	suite_add_tcase(suite, tcase);
	return suite;
}
