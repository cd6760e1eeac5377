#include "control/last_good.h"
#include "suites.h"

#include <stdbool.h>
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

/* Return whether they were saved. */
static bool
save(struct last_good *last_good, size_t count)
{
	char digest[8];

	snprintf(digest, sizeof(digest), "%zu", count);
	last_good_set(last_good, digest, lines, count);
	return last_good_flush(last_good);
}

static void
check_saved(size_t count)
{
	struct reasons reasons;
	struct rules *rules = last_good_load(folder, &reasons);

	ck_assert_msg(rules != NULL, "%s", reasons_first(&reasons));
	ck_assert_uint_eq(rules_count(rules), count);
	if (count > 0)
		ck_assert_str_eq(rules_at(rules, 0)->name, "login");
	rules_unref(rules);
}

static struct last_good *last_good;

static void
make_last_good(void)
{
	make_folder();
	last_good = last_good_new(folder);
	ck_assert_ptr_nonnull(last_good);
}

static void
free_last_good(void)
{
	last_good_free(last_good);
	remove_folder();
}

START_TEST(what_is_saved_is_loaded)
{
	ck_assert(save(last_good, 2));
	check_saved(2);
	ck_assert(save(last_good, 1));
	check_saved(1);
	ck_assert(save(last_good, 0));
	check_saved(0);
}
END_TEST

START_TEST(save_that_fails_leaves_the_file_and_is_repeated)
{
	ck_assert(save(last_good, 2));
	ck_assert_int_eq(mkdir(path_of("limits.new"), 0700), 0);
	ck_assert(!save(last_good, 1));
	check_saved(2);
	ck_assert(!last_good_flush(last_good));
	ck_assert(!save(last_good, 0));
	check_saved(2);
	ck_assert_int_eq(rmdir(path_of("limits.new")), 0);
	ck_assert(last_good_flush(last_good));
	check_saved(0);
}
END_TEST

START_TEST(saved_limits_are_not_written_again)
{
	ck_assert(save(last_good, 2));
	ck_assert_int_eq(unlink(path_of("limits")), 0);
	ck_assert(save(last_good, 2));
	ck_assert_int_eq(access(path_of("limits"), F_OK), -1);
	ck_assert(save(last_good, 1));
	check_saved(1);
}
END_TEST

START_TEST(save_leaves_no_other_file)
{
	ck_assert(save(last_good, 2));
	ck_assert_int_eq(access(path_of("limits.new"), F_OK), -1);
}
END_TEST

START_TEST(missing_file_is_reported)
{
	struct reasons reasons;

	ck_assert_ptr_null(last_good_load(folder, &reasons));
	ck_assert_ptr_nonnull(
	    strstr(reasons_first(&reasons), "/limits: No such file"));
}
END_TEST

START_TEST(wrong_set_is_reported)
{
	struct reasons reasons;

	write_file("login match=login:* capacity=5 recharge=60s\nlogin\n");
	ck_assert_ptr_null(last_good_load(folder, &reasons));
	ck_assert_ptr_nonnull(
	    strstr(reasons_first(&reasons), "/limits: member 2: "));
}
END_TEST

Suite *
last_good_suite(void)
{
	Suite *suite = suite_create("last_good");
	TCase *tcase = tcase_create("last_good");

	tcase_add_checked_fixture(tcase, make_last_good, free_last_good);
	tcase_add_test(tcase, what_is_saved_is_loaded);
	tcase_add_test(tcase, save_that_fails_leaves_the_file_and_is_repeated);
	tcase_add_test(tcase, saved_limits_are_not_written_again);
	tcase_add_test(tcase, save_leaves_no_other_file);
	tcase_add_test(tcase, missing_file_is_reported);
	tcase_add_test(tcase, wrong_set_is_reported);
	suite_add_tcase(suite, tcase);
	return suite;
}
