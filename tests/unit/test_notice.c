#include "control/notice.h"
#include "suites.h"

#include "base/attr.h"

#include <string.h>

static struct notice
notice_from(const char *text, const struct notice *plain)
{
	struct message message = message_read(text, strlen(text));

	return notice_of(&message, plain);
}

static const struct {
	const char *message, *text;
	int64_t spread_us;
} notices[] = {
    {"reload", "reload:spread:40.5", 40500000},
    {"reload:nonsense", "reload:spread:40.5", 40500000},
    {"reload:immediate", "reload:immediate", 0},
    {"reload:spread:60", "reload:spread:60", 60000000},
    {"reload:spread:60.0", "reload:spread:60.0", 60000000},
    {"reload:spread:1e0", "reload:spread:1", 1000000},
    {"reload:spread:.5", "reload:spread:0.5", 500000},
    {"reload:spread:5.", "reload:spread:5", 5000000},
    {"reload:spread:+0.000001", "reload:spread:0.000001", 1},
    {"reload:spread:86399.999999 ", "reload:spread:86399.999999", 86399999999},
    {"reload:spread:1.0000000000000000000000000000000000000000000000000000",
	"reload:spread:1", 1000000},
};

START_TEST(notice_is_what_every_daemon_reads)
{
	const struct notice plain = notice_plain(40500000);
	struct notice notice = notice_from(notices[_i].message, &plain);

	ck_assert_str_eq(notice.text, notices[_i].text);
	ck_assert_int_eq(notice.spread_us, notices[_i].spread_us);
	notice = notice_from(notice.text, &plain);
	ck_assert_int_eq(notice.spread_us, notices[_i].spread_us);
}
END_TEST

START_TEST(plain_notice_without_a_spread_may_take_a_day)
{
	const struct notice plain = notice_plain(0);

	ck_assert_str_eq(plain.text, "reload");
	ck_assert_int_eq(plain.spread_us, INT64_C(86400000000));
}
END_TEST

START_TEST(stronger_notice_of_two_is_kept)
{
	const struct notice plain = notice_plain(0);
	struct notice notice = {0}, none = {0}, other;

	ck_assert(notice_is_none(&notice));
	notice_add(&notice, &none);
	ck_assert(notice_is_none(&notice));
	notice_add(&notice, &plain);
	ck_assert_str_eq(notice.text, "reload");
	other = notice_from("reload:spread:60", &plain);
	notice_add(&notice, &other);
	ck_assert_str_eq(notice.text, "reload:spread:60");
	other = notice_from("reload:spread:61", &plain);
	notice_add(&notice, &other);
	notice_add(&notice, &plain);
	notice_add(&notice, &none);
	ck_assert_str_eq(notice.text, "reload:spread:60");
	other = notice_from("reload:immediate", &plain);
	notice_add(&notice, &other);
	ck_assert_str_eq(notice.text, "reload:immediate");
}
END_TEST

Suite *
notice_suite(void)
{
	Suite *suite = suite_create("notice");
	TCase *tcase = tcase_create("notice");

	tcase_add_loop_test(
	    tcase, notice_is_what_every_daemon_reads, 0, COUNT(notices));
	tcase_add_test(tcase, plain_notice_without_a_spread_may_take_a_day);
	tcase_add_test(tcase, stronger_notice_of_two_is_kept);
	suite_add_tcase(suite, tcase);
	return suite;
}
