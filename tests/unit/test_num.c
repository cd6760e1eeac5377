#include "base/num.h"
#include "suites.h"

#include "base/attr.h"

#include <errno.h>
#include <string.h>

struct reading {
	const char *text;
	int error; /* 0, or errno */
	int64_t value;
};

/* Hold what a reader returned against ${expected}. */
static void
check_reading(const struct reading *expected, int status, int64_t value)
{
	ck_assert_msg((status == 0) == (expected->error == 0), "%s: status %d",
	    expected->text, status);
	if (status == 0)
		ck_assert_msg(value == expected->value, "%s: %jd",
		    expected->text, (intmax_t)value);
	else
		ck_assert_msg(errno == expected->error, "%s: errno %d",
		    expected->text, errno);
}

static const struct reading ints[] = {
    {"0", 0, 0},
    {"-0", 0, 0},
    {"7", 0, 7},
    {"007", 0, 7},
    {"1000", 0, 1000},
    {"-1000", 0, -1000},
    {"1001", ERANGE, 0},
    {"-1001", ERANGE, 0},
    {"9223372036854775808", ERANGE, 0},
    {"99999999999999999999999999", ERANGE, 0},
    {"", EINVAL, 0},
    {"-", EINVAL, 0},
    {"--1", EINVAL, 0},
    {"+1", EINVAL, 0},
    {" 1", EINVAL, 0},
    {"1 ", EINVAL, 0},
    {"1.5", EINVAL, 0},
    {"1.", EINVAL, 0},
    {"1e3", EINVAL, 0},
    {"0x5", EINVAL, 0},
    {"nan", EINVAL, 0},
    {"inf", EINVAL, 0},
    {"1,000", EINVAL, 0},
    {"\xD9\xA1", EINVAL, 0}, /* ARABIC-INDIC DIGIT ONE */
    {"99999999999999999999999999x", EINVAL, 0},
};

START_TEST(int_is_read_whole_or_not_at_all)
{
	const struct reading *expected = &ints[_i];
	int64_t value = 0;
	int status = num_read_int(
	    expected->text, strlen(expected->text), -1000, 1000, &value);

	check_reading(expected, status, value);
}
END_TEST

START_TEST(int_reaches_both_ends_of_64_bits)
{
	static const char min[] = "-9223372036854775808";
	static const char max[] = "9223372036854775807";
	int64_t value;

	ck_assert_int_eq(
	    num_read_int(min, strlen(min), INT64_MIN, INT64_MAX, &value), 0);
	ck_assert(value == INT64_MIN);
	ck_assert_int_eq(
	    num_read_int(max, strlen(max), INT64_MIN, INT64_MAX, &value), 0);
	ck_assert(value == INT64_MAX);
}
END_TEST

START_TEST(int_ends_where_its_length_says)
{
	int64_t value;

	ck_assert_int_eq(num_read_int("123", 2, 0, 1000, &value), 0);
	ck_assert_int_eq(value, 12);
}
END_TEST

static const struct reading durations[] = {
    {"0", 0, 0},
    {"0s", 0, 0},
    {"1us", 0, 1},
    {"1ms", 0, 1000},
    {"250ms", 0, 250000},
    {"60s", 0, 60000000},
    {"1m", 0, 60000000},
    {"1h", 0, INT64_C(3600000000)},
    {"1d", 0, INT64_C(86400000000)},
    {"1.5s", 0, 1500000},
    {"0.5ms", 0, 500},
    {"0.000001s", 0, 1},
    {"1.0000000000000000000000000us", 0, 1},
    {"0.0000001m", 0, 6},
    {"0.00000000125d", 0, 108},
    {"0.99999999875d", 0, INT64_C(86399999892)},
    {"4503599627370496us", 0, INT64_C(1) << 52},
    {"4503599627370497us", ERANGE, 0},
    {"52125d", ERANGE, 0},
    {"99999999999999999999s", ERANGE, 0},
    {"0.5us", EINVAL, 0},
    {"0.0000001s", EINVAL, 0},
    {"0.3333333333333333333333s", EINVAL, 0},
    {"", EINVAL, 0},
    {"5", EINVAL, 0},
    {"00", EINVAL, 0},
    {"s", EINVAL, 0},
    {"5 s", EINVAL, 0},
    {" 5s", EINVAL, 0},
    {"5s ", EINVAL, 0},
    {"-5s", EINVAL, 0},
    {"+5s", EINVAL, 0},
    {".5s", EINVAL, 0},
    {"5.s", EINVAL, 0},
    {"1.5.5s", EINVAL, 0},
    {"5S", EINVAL, 0},
    {"5sec", EINVAL, 0},
    {"5w", EINVAL, 0},
    {"5ss", EINVAL, 0},
    {"1h30m", EINVAL, 0},
    {"0x5s", EINVAL, 0},
    {"1e3s", EINVAL, 0},
    {"nan", EINVAL, 0},
    {"infs", EINVAL, 0},
};

START_TEST(duration_is_exact_and_has_a_unit)
{
	const struct reading *expected = &durations[_i];
	int64_t us = 0;
	int status =
	    num_read_duration(expected->text, strlen(expected->text), &us);

	check_reading(expected, status, us);
}
END_TEST

static const struct reading seconds[] = {
    {"0", 0, 0},
    {"60", 0, 60000000},
    {"1.5", 0, 1500000},
    {"5m", 0, 300000000},
    {"99999999999999999999", ERANGE, 0},
    {"0.0000001", EINVAL, 0},
    {"", EINVAL, 0},
    {"5u", EINVAL, 0},
    {"5.", EINVAL, 0},
    {".5", EINVAL, 0},
    {"-5", EINVAL, 0},
    {"5 ", EINVAL, 0},
};

START_TEST(plain_number_is_seconds)
{
	const struct reading *expected = &seconds[_i];
	int64_t us = 0;
	int status =
	    num_read_seconds(expected->text, strlen(expected->text), &us);

	check_reading(expected, status, us);
}
END_TEST

static const struct reading rates[] = {
    {"60/h", 0, 60000000000},
    {"5/s", 0, 200000000},
    {"10/15m", 0, 90000000000},
    {"1/1.5s", 0, 1500000000},
    {"1000000/s", 0, 1000},
    {"1/us", 0, 1000},
    {"1/d", 0, INT64_C(86400000000000)},
    {"1/4503599627370496us", 0, (INT64_C(1) << 52) * 1000},
    {"3/s", 0, 333333334}, /* rounded up: never faster than said */
    {"7/d", 0, INT64_C(12342857142858)},
    {"999999/s", 0, 1001},
    {"30000/s", 0, 33334},
    {"120000/s", 0, 8334},
    {"1000001/s", ERANGE, 0},
    {"2/us", ERANGE, 0},
    {"0/s", ERANGE, 0},
    {"1/0", ERANGE, 0},
    {"1/0s", ERANGE, 0},
    {"1/99999d", ERANGE, 0},
    {"99999999999999999999/s", ERANGE, 0},
    {"", EINVAL, 0},
    {"/", EINVAL, 0},
    {"5", EINVAL, 0},
    {"5/", EINVAL, 0},
    {"/s", EINVAL, 0},
    {"5/5", EINVAL, 0},
    {"5/-1s", EINVAL, 0},
    {"-5/s", EINVAL, 0},
    {"1.5/s", EINVAL, 0},
    {"5 / s", EINVAL, 0},
    {"5/s ", EINVAL, 0},
    {"5/s/s", EINVAL, 0},
    {"5/x", EINVAL, 0},
    {"0x5/s", EINVAL, 0},
};

START_TEST(rate_is_rounded_to_the_slower_side)
{
	const struct reading *expected = &rates[_i];
	int64_t us = 0;
	int status = num_read_rate(expected->text, strlen(expected->text), &us);

	check_reading(expected, status, us);
}
END_TEST

static const struct writing {
	int64_t value;
	const char *plain;
	const char *seconds; /* NULL: below zero */
} writings[] = {
    {0, "0", "0"},
    {1, "1", "0.000001"},
    {9, "9", "0.000009"},
    {10, "10", "0.000010"},
    {99, "99", "0.000099"},
    {100, "100", "0.000100"},
    {101, "101", "0.000101"},
    {999999, "999999", "0.999999"},
    {1000000, "1000000", "1.000000"},
    {4981234, "4981234", "4.981234"},
    {60000000, "60000000", "60.000000"},
    {INT64_MAX, "9223372036854775807", "9223372036854.775807"},
    {-1, "-1", NULL},
    {-10, "-10", NULL},
    {INT64_MIN, "-9223372036854775808", NULL},
};

START_TEST(numbers_are_written_as_people_write_them)
{
	const struct writing *expected = &writings[_i];
	char text[NUM_MAX_LEN + 1];

	text[num_write_int(text, expected->value)] = '\0';
	ck_assert_str_eq(text, expected->plain);
	if (!expected->seconds)
		return;
	ck_assert_str_eq(num_seconds(text, expected->value), expected->seconds);
}
END_TEST

START_TEST(each_number_of_digits_is_written)
{
	uint64_t power = 1;

	for (size_t digits = 1; digits <= 19; digits++, power *= 10) {
		char nines[20] = "", ten[21] = "-1", text[NUM_MAX_LEN + 1];

		memset(nines, '9', digits);
		memset(ten + 2, '0', digits - 1);
		ten[digits + 1] = '\0';
		text[num_write_int(text, (int64_t)power)] = '\0';
		ck_assert_str_eq(text, ten + 1);
		text[num_write_int(text, -(int64_t)power)] = '\0';
		ck_assert_str_eq(text, ten);
		if (digits == 19)
			break; /* 19 nines are too many */
		text[num_write_int(text, (int64_t)(power * 10 - 1))] = '\0';
		ck_assert_str_eq(text, nines);
		text[num_write_int(text, -(int64_t)(power * 10 - 1))] = '\0';
		ck_assert_str_eq(text + 1, nines);
	}
}
END_TEST

START_TEST(what_is_written_reads_back)
{
	for (int64_t i = 1; i < INT64_MAX / 7; i *= 7) {
		char text[NUM_MAX_LEN];
		int64_t value;
		size_t len = num_write_int(text, i);

		ck_assert_int_eq(
		    num_read_int(text, len, 0, INT64_MAX, &value), 0);
		ck_assert_int_eq(value, i);
	}
}
END_TEST

START_TEST(duration_is_written_in_its_largest_unit_and_read_back)
{
	static const struct {
		int64_t us;
		const char *text;
	} rows[] = {{0, "0us"}, {1, "1us"}, {1500, "1500us"}, {50000, "50ms"},
	    {90000000, "90s"}, {300000000, "5m"}, {INT64_C(86400000000), "1d"},
	    {INT64_C(90000000000), "25h"}};
	char text[NUM_MAX_LEN];
	int64_t us;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = num_write_duration(text, rows[i].us);

		ck_assert_uint_eq(len, strlen(rows[i].text));
		ck_assert_mem_eq(text, rows[i].text, len);
		ck_assert_int_eq(num_read_duration(text, len, &us), 0);
		ck_assert_int_eq(us, rows[i].us);
	}
}
END_TEST

static const struct {
	int64_t value;
	const char *text;
} compacts[] = {
    {1, "1"},
    {10, "A"},
    {61, "z"},
    {62, "10"},
    {60000000, "43kjw"},
    {(INT64_C(1) << 53) - 1, "fFgnDxSe7"},
};

START_TEST(compact_number_is_written_and_read)
{
	const char *text = compacts[_i].text;
	char written[NUM_MAX_LEN + 1];
	int64_t value;

	written[num_write_compact(written, compacts[_i].value)] = '\0';
	ck_assert_str_eq(written, text);
	ck_assert_int_eq(num_read_compact(text, strlen(text),
			     (INT64_C(1) << 53) - 1, &value),
	    0);
	ck_assert_int_eq(value, compacts[_i].value);
}
END_TEST

static const char *const not_compacts[] = {
    "", "0", "000", "-1", "a b", "fFgnDxSe8", "zzzzzzzzzzzzzzzzzzzz"};

START_TEST(what_is_no_compact_number_is_refused)
{
	const char *text = not_compacts[_i];
	int64_t value;

	ck_assert_int_eq(num_read_compact(text, strlen(text),
			     (INT64_C(1) << 53) - 1, &value),
	    -1);
}
END_TEST

Suite *
num_suite(void)
{
	Suite *suite = suite_create("num");
	TCase *tcase = tcase_create("num");

	tcase_add_loop_test(
	    tcase, int_is_read_whole_or_not_at_all, 0, COUNT(ints));
	tcase_add_test(tcase, int_reaches_both_ends_of_64_bits);
	tcase_add_test(tcase, int_ends_where_its_length_says);
	tcase_add_loop_test(
	    tcase, duration_is_exact_and_has_a_unit, 0, COUNT(durations));
	tcase_add_loop_test(tcase, plain_number_is_seconds, 0, COUNT(seconds));
	tcase_add_loop_test(
	    tcase, rate_is_rounded_to_the_slower_side, 0, COUNT(rates));
	tcase_add_loop_test(tcase, numbers_are_written_as_people_write_them, 0,
	    COUNT(writings));
	tcase_add_test(tcase, each_number_of_digits_is_written);
	tcase_add_test(tcase, what_is_written_reads_back);
	tcase_add_test(
	    tcase, duration_is_written_in_its_largest_unit_and_read_back);
	tcase_add_loop_test(
	    tcase, compact_number_is_written_and_read, 0, COUNT(compacts));
	tcase_add_loop_test(tcase, what_is_no_compact_number_is_refused, 0,
	    COUNT(not_compacts));
	suite_add_tcase(suite, tcase);
	return suite;
}
