#include "base/attr.h"
#include "redis/topology_record.h"
#include "suites.h"

#include <stdlib.h>
#include <string.h>

static const struct {
	struct topology_options options;
	const char *text;
} written[] = {
    {{.kind = "single", .partitions = 1}, "partitions=1"},
    {{.kind = "single", .partitions = 16, .hosts = "s:1 t:2"},
	"partitions=16"}, /* the hosts are sentinels */
    {{.kind = "sharded", .partitions = 16, .hosts = "B:2 a:1  [::1]:3"},
	"partitions=16 hosts=[::1]:3,a:1,b:2"},
    {{.kind = "sharded",
	 .partitions = 16,
	 .hosts = "B.x.:02 a:1 [0:0:0:0:0:0:0:1]:3"},
	"partitions=16 hosts=[::1]:3,a:1,b.x:2"},
};

START_TEST(topology_has_one_text)
{
	char *text = topology_record_write(&written[_i].options);

	ck_assert_str_eq(text, written[_i].text);
	ck_assert(topology_record_agrees(text, text, strlen(text)));
	free(text);
}
END_TEST

START_TEST(record_is_read)
{
	static const char text[] =
	    " hosts=B.example:2,a.example:1  partitions=5 ";
	struct topology_record record;

	ck_assert_ptr_null(topology_record_read(&record, text, strlen(text)));
	ck_assert_int_eq(record.partitions, 5);
	ck_assert_str_eq(record.hosts, "b.example:2 a.example:1");
	topology_record_close(&record);
}
END_TEST

static const char *const wrong[] = {"", " ", "partitions=", "partitions=0",
    "partitions=1025", "partitions=1x", "partitions=4 hosts=", "hosts=a:1",
    "partitions=4 hosts=a", "partitions=4 hosts=a:1,a:1", "partitions=4 foo=1",
    "partitions=1 hosts=a:1,b:1", "partition=4"};

START_TEST(wrong_record_is_refused)
{
	struct topology_record record;

	ck_assert_ptr_nonnull(
	    topology_record_read(&record, wrong[_i], strlen(wrong[_i])));
	/* It stops no one. */
	ck_assert(topology_record_agrees(
	    "partitions=1", wrong[_i], strlen(wrong[_i])));
}
END_TEST

START_TEST(record_that_is_too_long_is_refused)
{
	static char text[TOPOLOGY_RECORD_MAX + 20];
	struct topology_record record;

	memset(text, ' ', sizeof(text));
	memcpy(text, "partitions=4", strlen("partitions=4"));
	ck_assert_ptr_null(
	    topology_record_read(&record, text, TOPOLOGY_RECORD_MAX));
	topology_record_close(&record);
	ck_assert_ptr_nonnull(
	    topology_record_read(&record, text, TOPOLOGY_RECORD_MAX + 1));
}
END_TEST

static const struct {
	const char *own, *text;
	bool agrees;
} pairs[] = {
    {"partitions=4", "partitions=4", true},
    {"partitions=4", "  partitions=4 ", true},
    {"partitions=4", "partitions=5", false},
    {"partitions=4", "partitions=4 hosts=a:1", false},
    {"partitions=4 hosts=a:1,b:2", "hosts=b:2,A:1 partitions=4", true},
    {"partitions=4 hosts=[::1]:1,b:2",
	"hosts=b.:2,[0:0:0:0:0:0:0:1]:1 partitions=4", true},
    {"partitions=4 hosts=a:1,b:2", "hosts=b:2 partitions=4", false},
    {"partitions=4 hosts=a:1,b:2", "partitions=4", false},
};

START_TEST(records_agree_by_what_they_mean)
{
	ck_assert_int_eq(topology_record_agrees(pairs[_i].own, pairs[_i].text,
			     strlen(pairs[_i].text)),
	    pairs[_i].agrees);
}
END_TEST

Suite *
topology_record_suite(void)
{
	Suite *suite = suite_create("topology_record");
	TCase *tcase = tcase_create("topology_record");

	tcase_add_loop_test(
	    tcase, topology_has_one_text, 0, (int)COUNT(written));
	tcase_add_test(tcase, record_is_read);
	tcase_add_loop_test(
	    tcase, wrong_record_is_refused, 0, (int)COUNT(wrong));
	tcase_add_test(tcase, record_that_is_too_long_is_refused);
	tcase_add_loop_test(
	    tcase, records_agree_by_what_they_mean, 0, (int)COUNT(pairs));
	suite_add_tcase(suite, tcase);
	return suite;
}
