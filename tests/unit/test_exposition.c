#include "stats/exposition.h"
#include "base/attr.h"
#include "suites.h"

#include <string.h>

static struct buf out;
static struct exposition exposition;

static void
start(bool is_open)
{
	buf_free(&out);
	exposition = (struct exposition){.out = &out, .is_open = is_open};
}

static void
written(const char *text)
{
	ck_assert(!exposition.failed);
	ck_assert_int_eq(buf_add(&out, "", 1), 0);
	ck_assert_str_eq(buf_data(&out), text);
	buf_free(&out);
}

static const struct metric counter = {
    "waited_us", METRIC_COUNTER, UNIT_MICROSECONDS, "how long"};
static const struct metric gauge = {
    "things", METRIC_GAUGE, UNIT_NONE, "how many"};
static const struct metric size = {
    "process_memory_bytes", METRIC_GAUGE, UNIT_BYTES, "how much"};
static const struct metric info = {"build", METRIC_INFO, UNIT_NONE, "which"};
static const struct metric took = {
    "took_us", METRIC_HISTOGRAM, UNIT_MICROSECONDS, "how long"};

START_TEST(each_type_in_the_format_of_prometheus)
{
	start(false);
	exposition_begin(&exposition, &counter);
	exposition_sample(&exposition, &counter, "", 1500000);
	exposition_begin(&exposition, &gauge);
	exposition_sample(&exposition, &gauge, "a=\"b\"", -3);
	exposition_begin(&exposition, &size);
	exposition_sample(&exposition, &size, "", 7);
	exposition_begin(&exposition, &info);
	exposition_sample(&exposition, &info, "a=\"b\"", 1);
	exposition_end(&exposition);
	ck_assert(!exposition.failed);
	written("# HELP dripgate_waited_seconds_total How long.\n"
		"# TYPE dripgate_waited_seconds_total counter\n"
		"dripgate_waited_seconds_total 1.500000\n"
		"# HELP dripgate_things How many.\n"
		"# TYPE dripgate_things gauge\n"
		"dripgate_things{a=\"b\"} -3\n"
		"# HELP process_memory_bytes How much.\n"
		"# TYPE process_memory_bytes gauge\n"
		"process_memory_bytes 7\n"
		"# HELP dripgate_build_info Which.\n"
		"# TYPE dripgate_build_info gauge\n"
		"dripgate_build_info{a=\"b\"} 1\n");
}
END_TEST

START_TEST(each_type_in_the_format_of_openmetrics)
{
	start(true);
	exposition_begin(&exposition, &counter);
	exposition_sample(&exposition, &counter, "", 1500000);
	exposition_begin(&exposition, &info);
	exposition_sample(&exposition, &info, "a=\"b\"", 1);
	exposition_end(&exposition);
	ck_assert(!exposition.failed);
	written("# HELP dripgate_waited_seconds How long.\n"
		"# TYPE dripgate_waited_seconds counter\n"
		"# UNIT dripgate_waited_seconds seconds\n"
		"dripgate_waited_seconds_total 1.500000\n"
		"# HELP dripgate_build Which.\n"
		"# TYPE dripgate_build info\n"
		"dripgate_build_info{a=\"b\"} 1\n"
		"# EOF\n");
}
END_TEST

START_TEST(classes_of_a_histogram_add_up)
{
	struct histogram histogram = {0}, sum = {0};

	histogram_add(&histogram, -5, 1); /* a clock that was set back */
	histogram_add(&histogram, 10, 2);
	histogram_add(&histogram, 11, 1);
	histogram_add_shared(&histogram, 1000000);
	histogram_add_shared(&histogram, 1000001);
	histogram_sum(&sum, &histogram);
	histogram_sum(&sum, &histogram);
	start(false);
	exposition_histogram(&exposition, &took, "a=\"b\"", &sum);
	ck_assert_int_eq(buf_add(&out, "", 1), 0);
#define BUCKET(bound, count)                                                   \
	"dripgate_took_seconds_bucket{a=\"b\",le=\"" bound "\"} " count "\n"
	ck_assert_ptr_eq(strstr(buf_data(&out),
			     BUCKET("0.00001", "6") BUCKET("0.000025", "8")
				 BUCKET("0.00005", "8")),
	    buf_data(&out));
	ck_assert_ptr_nonnull(strstr(buf_data(&out),
	    BUCKET("0.5", "8") BUCKET("1.0", "10") BUCKET(
		"+Inf", "12") "dripgate_took_seconds_sum{a=\"b\"} 4.000064\n"
			      "dripgate_took_seconds_count{a=\"b\"} 12\n"));
	buf_free(&out);
}
END_TEST

START_TEST(labels_are_escaped_and_bounded)
{
	char text[40] = "", tiny[12] = "";

	exposition_label(text, sizeof(text), "a", "x");
	ck_assert_str_eq(exposition_label(text, sizeof(text), "b", "\"\\\n"),
	    "a=\"x\",b=\"\\\"\\\\\\n\"");
	ck_assert_str_eq(
	    exposition_label(tiny, sizeof(tiny), "a", "0123456789abc"),
	    "a=\"01234\"");
}
END_TEST

Suite *
exposition_suite(void)
{
	Suite *suite = suite_create("exposition");
	TCase *tcase = tcase_create("exposition");

	tcase_add_test(tcase, each_type_in_the_format_of_prometheus);
	tcase_add_test(tcase, each_type_in_the_format_of_openmetrics);
	tcase_add_test(tcase, classes_of_a_histogram_add_up);
	tcase_add_test(tcase, labels_are_escaped_and_bounded);
	suite_add_tcase(suite, tcase);
	return suite;
}
