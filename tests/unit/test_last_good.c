#include "control/last_good.h"
#include "suites.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE(text)                                                             \
	{                                                                      \
		text, sizeof(text) - 1                                         \
	}

static const struct rules_line lines[] = {
    LINE("login match=login:* capacity=5 recharge=60s"),
    LINE("api match=api:* capacity=10 rate=100/s"),
};

static char folder[] = "/tmp/dripgate-last-good-XXXXXX";

static void
make_folder(void)
{
	strcpy(folder + sizeof(folder) - 7, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
}

static const char *
path_of(const char *name)
{
	static char path[100];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void
remove_folder(void)
{
	unlink(path_of("limits"));
	rmdir(path_of("limits.new"));
	ck_assert_int_eq(rmdir(folder), 0);
}

static void
write_file(const char *text)
{
	FILE *file = fopen(path_of("limits"), "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
}

static void
check_kept(size_t count)
{
	struct rules_error error;
	struct rules *rules = last_good_load(folder, &error);

	ck_assert_msg(rules != NULL, "%s", error.reason);
	ck_assert_uint_eq(rules_count(rules), count);
	if (count > 0)
		ck_assert_str_eq(rules_at(rules, 0)->name, "login");
	rules_unref(rules);
}

START_TEST(what_is_saved_is_loaded)
{
	ck_assert_int_eq(last_good_save(folder, lines, 2), 0);
	check_kept(2);
	ck_assert_int_eq(last_good_save(folder, lines, 1), 0);
	check_kept(1);
	ck_assert_int_eq(last_good_save(folder, NULL, 0), 0);
	check_kept(0);
}
END_TEST

START_TEST(save_that_fails_leaves_what_was_kept)
{
	ck_assert_int_eq(last_good_save(folder, lines, 2), 0);
	ck_assert_int_eq(mkdir(path_of("limits.new"), 0700), 0);
	ck_assert_int_eq(last_good_save(folder, lines, 1), -1);
	ck_assert_int_eq(errno, EISDIR);
	check_kept(2);
}
END_TEST

START_TEST(save_leaves_no_other_file)
{
	ck_assert_int_eq(last_good_save(folder, lines, 2), 0);
	ck_assert_int_eq(access(path_of("limits.new"), F_OK), -1);
}
END_TEST

START_TEST(nothing_kept_is_told)
{
	struct rules_error error;

	ck_assert_ptr_null(last_good_load(folder, &error));
	ck_assert_ptr_nonnull(strstr(error.reason, "/limits: No such file"));
}
END_TEST

START_TEST(what_is_no_set_is_told)
{
	struct rules_error error;

	write_file("login match=login:* capacity=5 recharge=60s\nlogin\n");
	ck_assert_ptr_null(last_good_load(folder, &error));
	ck_assert_ptr_nonnull(strstr(error.reason, "/limits: member 2: "));
}
END_TEST

Suite *
last_good_suite(void)
{
	Suite *suite = suite_create("last_good");
	TCase *tcase = tcase_create("last_good");

	tcase_add_checked_fixture(tcase, make_folder, remove_folder);
	tcase_add_test(tcase, what_is_saved_is_loaded);
	tcase_add_test(tcase, save_that_fails_leaves_what_was_kept);
	tcase_add_test(tcase, save_leaves_no_other_file);
	tcase_add_test(tcase, nothing_kept_is_told);
	tcase_add_test(tcase, what_is_no_set_is_told);
	suite_add_tcase(suite, tcase);
	return suite;
}
