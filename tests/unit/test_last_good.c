#include "control/last_good.h"
#include "control/saved_overrides.h"
#include "suites.h"

#include "base/attr.h"
#include "base/buf.h"

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
	unlink(path_of("overrides"));
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

/*
 * Overrides.
 */

#define OVERRIDE(pattern, value, left_us)                                      \
	{                                                                      \
		pattern, value, sizeof(pattern) - 1, sizeof(value) - 1,        \
		    left_us                                                    \
	}

/* Reasons may have lines of their own. */
static const struct override_line overrides[] = {
    OVERRIDE("login:*", "deny 1764250000 ron\nwhy\nnot", 3600000000),
    OVERRIDE("api:*", "x10 1764250000 ron\n", 3600000000),
    OVERRIDE("ended", "deny 1764250000 ron\n", 0),
    OVERRIDE("wrong", "deny never\n", -1),
};

static bool
save_overrides(const char *mark, size_t count)
{
	last_good_set_overrides(last_good, mark, overrides, count);
	return last_good_flush(last_good);
}

/* What the file has, in front of a limit. */
static struct rules *
load_overridden(struct reasons *reasons)
{
	struct rules *rules = rules_from_lines("test", lines, 1, reasons);

	ck_assert_ptr_nonnull(rules);
	reasons_clear(reasons);
	rules = last_good_override(folder, rules, reasons);
	ck_assert_ptr_nonnull(rules);
	ck_assert_uint_eq(rules_count(rules), 1);
	return rules;
}

static void
check_overrides(size_t count)
{
	struct reasons reasons;
	struct rules *rules = load_overridden(&reasons);

	ck_assert_msg(reasons.count == 0, "%s", reasons_first(&reasons));
	ck_assert_uint_eq(rules_override_count(rules), count);
	ck_assert_int_eq(rules_has_overrides(rules), count > 0);
	rules_unref(rules);
}

START_TEST(overrides_that_are_saved_are_loaded_but_those_that_ended)
{
	struct reasons reasons;
	struct rules *rules;
	const struct limit *first;

	check_overrides(0);
	ck_assert(save_overrides("two", COUNT(overrides)));
	check_overrides(2);
	rules = load_overridden(&reasons);
	first = rules_override_at(rules, 0);
	ck_assert_str_eq(first->match, "login:*");
	ck_assert_str_eq(first->override->note,
	    "deny until 2025-11-27T13:26:40Z by ron: why\\x0anot");
	ck_assert_int_le(override_left_us(first->override), 3600000000);
	ck_assert_int_gt(override_left_us(first->override), 3500000000);
	rules_unref(rules);
}
END_TEST

START_TEST(no_overrides_are_no_file)
{
	ck_assert(save_overrides("two", 2));
	ck_assert(save_overrides("none", 0));
	ck_assert_int_eq(access(path_of("overrides"), F_OK), -1);
	check_overrides(0);
	ck_assert(save_overrides("two", 2));
	check_overrides(2);
}
END_TEST

/* Those of a process before, which are none now. */
START_TEST(a_new_process_removes_the_file)
{
	ck_assert(save_overrides("two", 2));
	last_good_free(last_good);
	last_good = last_good_new(folder);
	ck_assert(save_overrides("none", 0));
	check_overrides(0);
}
END_TEST

START_TEST(overrides_that_cannot_be_saved_are_saved_later)
{
	ck_assert_int_eq(mkdir(path_of("overrides.new"), 0700), 0);
	ck_assert(!save_overrides("two", 2));
	check_overrides(0);
	ck_assert_int_eq(rmdir(path_of("overrides.new")), 0);
	ck_assert(last_good_flush(last_good));
	check_overrides(2);
}
END_TEST

/* Whatever is in the file, the limits are in force. */
START_TEST(a_file_of_overrides_that_is_wrong_is_said)
{
	static const char *const texts[] = {"", "hello\n", "saved\n",
	    "saved x\n", "saved 1\nx", "saved 1\n1 1\na\nb\n",
	    "saved 1\n1 9 1\na\nb\n", "saved 1\n1 1 2\na\nb\n",
	    "saved 1\n1 -1 1\na\nb\n", "saved 1\n1 1 1\nab\nb\n",
	    "saved 1\n1 99999999999999999999 1\na\nb\n"};

	for (size_t i = 0; i < COUNT(texts); i++) {
		struct reasons reasons;
		FILE *file = fopen(path_of("overrides"), "w");

		ck_assert_ptr_nonnull(file);
		fputs(texts[i], file);
		fclose(file);
		rules_unref(load_overridden(&reasons));
		ck_assert_uint_eq(reasons.count, 1);
		ck_assert_ptr_nonnull(
		    strstr(reasons_first(&reasons), "not what was saved"));
	}
}
END_TEST

/* The clock of the machine says how much of an override is left; set back, it
 * makes none longer. */
START_TEST(the_wall_clock_ends_saved_overrides)
{
	struct override_line read[OVERRIDES_MAX];
	struct buf text = {0};
	size_t count;

	ck_assert_int_eq(
	    saved_overrides_write(&text, 5000000, overrides, 1), 0);
	ck_assert_int_eq(saved_overrides_read(buf_data(&text), buf_len(&text),
			     3604999999, read, &count),
	    0);
	ck_assert_uint_eq(count, 1);
	ck_assert_int_eq(read[0].left_us, 1);
	ck_assert_int_eq(saved_overrides_read(buf_data(&text), buf_len(&text),
			     3605000000, read, &count),
	    0);
	ck_assert_uint_eq(count, 0);
	ck_assert_int_eq(saved_overrides_read(
			     buf_data(&text), buf_len(&text), 1, read, &count),
	    0);
	ck_assert_int_eq(read[0].left_us, 3600000000);
	buf_free(&text);
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
	tcase_add_test(
	    tcase, overrides_that_are_saved_are_loaded_but_those_that_ended);
	tcase_add_test(tcase, no_overrides_are_no_file);
	tcase_add_test(tcase, a_new_process_removes_the_file);
	tcase_add_test(tcase, overrides_that_cannot_be_saved_are_saved_later);
	tcase_add_test(tcase, a_file_of_overrides_that_is_wrong_is_said);
	tcase_add_test(tcase, the_wall_clock_ends_saved_overrides);
	suite_add_tcase(suite, tcase);
	return suite;
}
