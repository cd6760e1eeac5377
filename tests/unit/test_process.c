#include "base/process.h"
#include "suites.h"

#include <sys/resource.h>

static struct rlimit before;

static void
start(void)
{
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
}

static void
stop(void)
{
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
}

/* Of descriptors. */
static void
set_limit(rlim_t soft)
{
	const struct rlimit limit = {soft, before.rlim_max};

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static rlim_t
limit(void)
{
	struct rlimit now;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &now), 0);
	return now.rlim_cur;
}

START_TEST(room_is_made_for_clients)
{
	set_limit(40);
	ck_assert_uint_eq(process_make_room(100, 30), 100);
	ck_assert_uint_eq(limit(), 130);
	ck_assert_uint_eq(process_make_room(50, 10), 50);
	ck_assert_uint_eq(limit(), 130);
}
END_TEST

START_TEST(at_least_half_of_the_room_is_for_clients)
{
	const size_t most = before.rlim_max;

	ck_assert_uint_eq(process_make_room(2 * most, 20), most - 20);
	ck_assert_uint_eq(limit(), most);
	ck_assert_uint_eq(process_make_room(most, most), most - most / 2);
	ck_assert_uint_eq(process_make_room(20, most), 20);
}
END_TEST

START_TEST(what_is_used_is_measured)
{
	struct process_usage usage;

	process_measure(&usage);
	ck_assert_int_gt(usage.resident_bytes, 0);
	ck_assert_int_gt(usage.virtual_bytes, usage.resident_bytes);
	ck_assert_int_ge(usage.open_fds, 3);
	ck_assert_int_eq(usage.max_fds, (int64_t)before.rlim_cur);
	ck_assert_int_ge(usage.threads, 1);
}
END_TEST

START_TEST(what_cannot_be_read_is_0)
{
	struct process_usage usage;

	set_limit(0); /* none more can be opened */
	process_measure(&usage);
	ck_assert_int_eq(usage.resident_bytes, 0);
	ck_assert_int_eq(usage.virtual_bytes, 0);
	ck_assert_int_eq(usage.threads, 0);
	ck_assert_int_eq(usage.max_fds, 0);
}
END_TEST

Suite *
process_suite(void)
{
	Suite *suite = suite_create("process");
	TCase *tcase = tcase_create("process");

	tcase_add_checked_fixture(tcase, start, stop);
	tcase_add_test(tcase, room_is_made_for_clients);
	tcase_add_test(tcase, at_least_half_of_the_room_is_for_clients);
	tcase_add_test(tcase, what_is_used_is_measured);
	tcase_add_test(tcase, what_cannot_be_read_is_0);
	suite_add_tcase(suite, tcase);
	return suite;
}
