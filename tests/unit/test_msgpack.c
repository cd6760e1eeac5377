#include "base/msgpack.h"
#include "suites.h"

#include "base/attr.h"

#include <string.h>

struct encoded {
	const char *bytes;
	size_t len;
	enum msgpack_type type;
	int64_t number;
	size_t count;
};

#define BYTES(text) text, sizeof(text) - 1

static const struct encoded heads[] = {
    {BYTES("\xc0"), MSGPACK_NIL, 0, 0},
    {BYTES("\xc2"), MSGPACK_BOOL, 0, 0},
    {BYTES("\xc3"), MSGPACK_BOOL, 1, 0},
    {BYTES("\x00"), MSGPACK_INT, 0, 0},
    {BYTES("\x7f"), MSGPACK_INT, 127, 0},
    {BYTES("\xe0"), MSGPACK_INT, -32, 0},
    {BYTES("\xff"), MSGPACK_INT, -1, 0},
    {BYTES("\xcc\xff"), MSGPACK_INT, 255, 0},
    {BYTES("\xcd\x01\x00"), MSGPACK_INT, 256, 0},
    {BYTES("\xce\xff\xff\xff\xff"), MSGPACK_INT, 4294967295, 0},
    {BYTES("\xcf\x7f\xff\xff\xff\xff\xff\xff\xff"), MSGPACK_INT, INT64_MAX, 0},
    {BYTES("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), MSGPACK_INT, INT64_MAX, 0},
    {BYTES("\xd0\x80"), MSGPACK_INT, -128, 0},
    {BYTES("\xd1\x80\x00"), MSGPACK_INT, -32768, 0},
    {BYTES("\xd2\x80\x00\x00\x00"), MSGPACK_INT, -INT64_C(2147483648), 0},
    {BYTES("\xd3\x80\x00\x00\x00\x00\x00\x00\x00"), MSGPACK_INT, INT64_MIN, 0},
    {BYTES("\xca\x7f\xc0\x00\x00"), MSGPACK_FLOAT, 0, 0},
    {BYTES("\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00"), MSGPACK_FLOAT, 0, 0},
    {BYTES("\xa0"), MSGPACK_TEXT, 0, 0},
    {BYTES("\xa2hi"), MSGPACK_TEXT, 0, 2},
    {BYTES("\xd9\x02hi"), MSGPACK_TEXT, 0, 2},
    {BYTES("\xda\x00\x02hi"), MSGPACK_TEXT, 0, 2},
    {BYTES("\xdb\x00\x00\x00\x02hi"), MSGPACK_TEXT, 0, 2},
    {BYTES("\xc4\x02hi"), MSGPACK_TEXT, 0, 2},
    {BYTES("\xc5\x00\x02hi"), MSGPACK_TEXT, 0, 2},
    {BYTES("\xc6\x00\x00\x00\x02hi"), MSGPACK_TEXT, 0, 2},
    {BYTES("\x90"), MSGPACK_LIST, 0, 0},
    {BYTES("\x92\x01\x02"), MSGPACK_LIST, 0, 2},
    {BYTES("\xdc\x00\x01\x01"), MSGPACK_LIST, 0, 1},
    {BYTES("\xdd\x00\x00\x00\x01\x01"), MSGPACK_LIST, 0, 1},
    {BYTES("\x81\x01\x02"), MSGPACK_MAP, 0, 1},
    {BYTES("\xde\x00\x01\x01\x02"), MSGPACK_MAP, 0, 1},
    {BYTES("\xdf\x00\x00\x00\x01\x01\x02"), MSGPACK_MAP, 0, 1},
};

static struct msgpack
place_of(const char *bytes, size_t len)
{
	const unsigned char *at = (const unsigned char *)bytes;

	return (struct msgpack){at, at + len};
}

START_TEST(each_head_is_read_whole_or_not_at_all)
{
	const struct encoded *head = &heads[_i];
	struct msgpack from = place_of(head->bytes, head->len);
	struct msgpack_value value;

	ck_assert_int_eq(msgpack_next(&from, &value), 0);
	ck_assert_int_eq(value.type, head->type);
	ck_assert_int_eq(value.number, head->number);
	ck_assert_uint_eq(value.count, head->count);
	if (head->type == MSGPACK_TEXT && head->count > 0)
		ck_assert_mem_eq(value.bytes, "hi", 2);
	from = place_of(head->bytes, head->len);
	ck_assert_int_eq(msgpack_skip(&from), 0);
	ck_assert_ptr_eq(from.at, from.end);
	for (size_t len = 0; len < head->len; len++) {
		from = place_of(head->bytes, len);
		ck_assert_int_eq(msgpack_skip(&from), -1);
	}
}
END_TEST

static const struct encoded wrong[] = {
    {BYTES("\xc1"), 0, 0, 0},
    {BYTES("\xc7\x00\x01"), 0, 0, 0},
    {BYTES("\xd4\x01\x01"), 0, 0, 0},
    {BYTES("\xdb\xff\xff\xff\xff"), 0, 0, 0},
    {BYTES("\xdd\xff\xff\xff\xff\x01"), 0, 0, 0},
    {BYTES("\xdf\xff\xff\xff\xff\x01"), 0, 0, 0},
    {BYTES("\x82\x01\x01\x01"), 0, 0, 0},
};

START_TEST(what_says_more_than_there_is_is_refused)
{
	struct msgpack from = place_of(wrong[_i].bytes, wrong[_i].len);

	ck_assert_int_eq(msgpack_skip(&from), -1);
}
END_TEST

START_TEST(any_depth_is_passed_over)
{
	static char deep[1 << 20];
	struct msgpack from = place_of(deep, sizeof(deep));

	memset(deep, 0x91, sizeof(deep) - 1);
	ck_assert_int_eq(msgpack_skip(&from), 0);
	ck_assert_ptr_eq(from.at, from.end);
	memset(deep, 0x9f, sizeof(deep));
	from = place_of(deep, sizeof(deep));
	ck_assert_int_eq(msgpack_skip(&from), -1);
}
END_TEST

Suite *
msgpack_suite(void)
{
	Suite *suite = suite_create("msgpack");
	TCase *tests = tcase_create("msgpack");

	tcase_add_loop_test(
	    tests, each_head_is_read_whole_or_not_at_all, 0, (int)COUNT(heads));
	tcase_add_loop_test(tests, what_says_more_than_there_is_is_refused, 0,
	    (int)COUNT(wrong));
	tcase_add_test(tests, any_depth_is_passed_over);
	suite_add_tcase(suite, tests);
	return suite;
}
