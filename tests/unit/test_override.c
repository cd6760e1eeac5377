#include "limit/override.h"
#include "suites.h"

#include "base/attr.h"

#include "base/clock.h"
#include "limit/rules.h"
#include "limit/rules_text.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VALUE(action) action " 1764250000 ron@host\na night sale"

static struct limit *
read_it(const char *pattern, const char *value, struct limit_error *error)
{
	return override_read(pattern, strlen(pattern), value, strlen(value),
	    clock_us() + 1000000000, error);
}

static struct limit *
override_of(const char *pattern, const char *value)
{
	struct limit_error error;
	struct limit *limit = read_it(pattern, value, &error);

	ck_assert_msg(limit != NULL, "%s", error.reason);
	return limit;
}

START_TEST(an_override_is_a_limit_with_a_note)
{
	struct limit *denies = override_of("a:*", VALUE("deny"));
	struct limit *times = override_of("a", VALUE("x10"));

	ck_assert_str_eq(denies->name, "override.deny");
	ck_assert_int_eq(denies->action, ACTION_DENY);
	ck_assert_int_eq(denies->override->times, 0);
	ck_assert_str_eq(denies->override->note,
	    "deny until 2025-11-27T13:26:40Z by ron@host: a night sale");
	ck_assert_int_eq(times->override->times, 10);
	ck_assert_str_eq(times->name, "override.x10");
	limit_free(denies);
	limit_free(times);
}
END_TEST

START_TEST(what_is_no_override_is_refused)
{
	static const char *const values[] = {"", "deny", "deny 1", "deny 1 x",
	    "deny x y\n", "deny -1 y\n", "deny 99999999999999 y\n",
	    "maybe 1 y\n", "x0 1 y\n", "x1 1 y\n", "x1001 1 y\n", "x 1 y\n",
	    "x2a 1 y\n", "allowallow 1 y\n", " 1 y\n"};
	static const char *const patterns[] = {
	    "", "~a", "a b", "a\nEND", "\x7f"};
	struct limit_error error;
	char large[OVERRIDE_VALUE_MAX + 2] = "deny 1 x\n";

	for (size_t i = 0; i < COUNT(values); i++)
		ck_assert_msg(
		    !read_it("a", values[i], &error), "%s", values[i]);
	for (size_t i = 0; i < COUNT(patterns); i++)
		ck_assert_ptr_null(read_it(patterns[i], VALUE("deny"), &error));
	ck_assert_ptr_null(read_it("a", VALUE("x1000000000"), &error));
	ck_assert_str_eq(error.reason,
	    "must be allow, deny, or x2 to x1000, and not 'x1000000000'");
	memset(large + 9, 'x', sizeof(large) - 10);
	ck_assert_ptr_null(read_it("a", large, &error));
	memset(large, 'a', OVERRIDE_PATTERN_MAX + 1);
	large[OVERRIDE_PATTERN_MAX + 1] = '\0';
	ck_assert_ptr_null(read_it(large, VALUE("deny"), &error));
}
END_TEST

static struct rules *
base_of(const char *text)
{
	struct reasons reasons;
	struct rules *rules =
	    rules_from_ini("test", text, strlen(text), &reasons);

	ck_assert_ptr_nonnull(rules);
	return rules;
}

/* The set with these overrides in front, each a pattern and an action. */
static struct rules *
rules_with(struct rules *base, const char *const (*pairs)[2], size_t count)
{
	struct rules *overrides = rules_new(), *both;
	char value[100];

	for (size_t i = 0; i < count; i++) {
		snprintf(value, sizeof(value), "%s 1 x\ny", pairs[i][1]);
		ck_assert_int_eq(
		    rules_add(overrides, override_of(pairs[i][0], value)), 0);
	}
	ck_assert_int_eq(rules_finish(overrides), 0);
	both = rules_override(base, overrides);
	ck_assert_ptr_nonnull(both);
	rules_unref(overrides);
	rules_unref(base);
	return both;
}

static const struct limit *
match(const struct rules *rules, const char *key)
{
	struct rules_scratch *scratch = rules_scratch_new();
	struct key made = key_make(key, strlen(key));
	const struct limit *limit = rules_match(rules, &made, scratch);

	rules_scratch_free(scratch);
	return limit;
}

START_TEST(overrides_are_in_front_of_all_limits)
{
	static const char *const pairs[][2] = {{"login:ron", "allow"},
	    {"login:*", "deny"}, {"mail:*", "x3"}, {"web:*", "x3"},
	    {"fast:*", "x1000"}, {"none:*", "x5"}};
	struct rules *rules = rules_with(
	    base_of("[login]\nmatch = login:*\ncapacity = 5\nrate = 1/s\n"
		    "[mail]\nmatch = mail:*\nalgorithm = fixed_window\n"
		    "capacity = 5\nwindow = 60s\n"
		    "[web]\nmatch = web:*\ncapacity = 900000000\nrate = 1/s\n"
		    "[fast]\nmatch = fast:*\ncapacity = 1\nrate = 900000/s\n"
		    "[open]\nmatch = open:*\naction = allow\n"),
	    pairs, COUNT(pairs));
	const struct limit *mail = match(rules, "mail:1");
	const struct limit *web = match(rules, "web:1");

	ck_assert_uint_eq(rules_override_count(rules), COUNT(pairs));
	ck_assert_str_eq(match(rules, "login:ron")->name, "override.allow");
	ck_assert_str_eq(match(rules, "login:x")->name, "override.deny");
	ck_assert_str_eq(match(rules, "open:x")->name, "open");
	ck_assert_ptr_null(match(rules, "none:x"));
	ck_assert_ptr_null(match(rules, "y"));
	ck_assert_int_eq(mail->capacity, 15);
	ck_assert_ptr_eq(mail->overridden_by, rules_override_at(rules, 2));
	ck_assert(hash128_equal(mail->id, rules_at(rules, 1)->id));
	ck_assert_int_eq(rules_at(rules, 1)->capacity, 5);
	ck_assert_int_eq(web->capacity, LIMIT_CAPACITY_MAX);
	ck_assert_int_eq(web->recharge_us, 333334);
	ck_assert_int_eq(match(rules, "fast:1")->recharge_us, 1);
	rules_unref(rules);
}
END_TEST

static size_t
resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	size_t size, resident;

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fscanf(file, "%zu %zu", &size, &resident), 2);
	fclose(file);
	return resident * (size_t)sysconf(_SC_PAGESIZE);
}

START_TEST(many_overrides_of_many_limits_take_little_memory)
{
	static char text[1000000];
	static char patterns[OVERRIDES_MAX][8], actions[OVERRIDES_MAX][8];
	const char *pairs[OVERRIDES_MAX][2];
	size_t len = 0, before;
	struct rules *rules;

	for (int i = 0; i < 10000; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
		    "[l%d]\nmatch = l%d:*\ncapacity = 1\nrate = 1/s\n", i, i);
	for (int i = 0; i < OVERRIDES_MAX; i++) {
		snprintf(patterns[i], sizeof(patterns[i]), "*:%d", i);
		snprintf(actions[i], sizeof(actions[i]), "x%d", i + 2);
		pairs[i][0] = patterns[i];
		pairs[i][1] = actions[i];
	}
	rules = base_of(text);
	before = resident_bytes();
	rules = rules_with(rules, pairs, OVERRIDES_MAX);
	ck_assert_int_eq(match(rules, "l9999:0")->capacity, 2);
	ck_assert_int_eq(match(rules, "l9999:99")->capacity, 101);
	ck_assert_int_eq(match(rules, "l0:99")->capacity, 101);
	ck_assert_uint_lt(resident_bytes(), before + 50000000);
	rules_unref(rules);
}
END_TEST

static void *
match_as_thread(void *rules)
{
	return (void *)(uintptr_t)match(rules, "1:x");
}

START_TEST(threads_get_the_same_limit_of_an_override)
{
	static const char *const pairs[][2] = {{"*", "x10"}};
	struct rules *rules = rules_with(
	    base_of("[all]\nmatch = *\ncapacity = 5\nrate = 1/s\n"), pairs, 1);
	pthread_t threads[4];
	void *limit;

	for (size_t i = 0; i < COUNT(threads); i++)
		ck_assert_int_eq(
		    pthread_create(&threads[i], NULL, match_as_thread, rules),
		    0);
	for (size_t i = 0; i < COUNT(threads); i++) {
		ck_assert_int_eq(pthread_join(threads[i], &limit), 0);
		ck_assert_ptr_eq(limit, match(rules, "1:x"));
	}
	ck_assert_int_eq(match(rules, "1:x")->capacity, 50);
	rules_unref(rules);
}
END_TEST

START_TEST(an_override_that_ended_is_in_force_no_longer)
{
	static const char *const pairs[][2] = {{"login:*", "deny"}};
	struct rules *base =
	    base_of("[login]\nmatch = login:*\ncapacity = 5\nrate = 1/s\n");
	struct rules *rules = rules_with(rules_ref(base), pairs, 1);
	struct limit *ended = override_of("login:*", VALUE("deny"));
	struct rules *overrides = rules_new();

	ck_assert_str_eq(match(rules, "login:1")->name, "override.deny");
	rules_unref(rules);
	ended->override->ends_us = clock_us();
	ck_assert_int_eq(rules_add(overrides, ended), 0);
	ck_assert_int_eq(rules_finish(overrides), 0);
	rules = rules_override(base, overrides);
	ck_assert_str_eq(match(rules, "login:1")->name, "login");
	rules_unref(overrides);
	rules_unref(base);
	rules_unref(rules);
}
END_TEST

START_TEST(behind_one_that_ended_another_one_counts)
{
	static const struct override_line lines[] = {
	    {"login:ron", VALUE("allow"), 9, sizeof(VALUE("allow")) - 1, 0},
	    {"mail:*", VALUE("deny"), 6, sizeof(VALUE("deny")) - 1, 1000000000},
	    {"login:*", VALUE("deny"), 7, sizeof(VALUE("deny")) - 1,
		1000000000}};
	struct reasons reasons;
	struct rules *rules;

	reasons_clear(&reasons);
	rules = rules_override_lines(
	    base_of("[login]\nmatch = login:*\ncapacity = 5\nrate = 1/s\n"),
	    lines, COUNT(lines), &reasons);
	ck_assert_uint_eq(reasons.count, 0);
	ck_assert_uint_eq(rules_override_count(rules), 3);
	ck_assert_str_eq(match(rules, "login:ron")->name, "override.deny");
	ck_assert_ptr_null(match(rules, "other:ron"));
	rules_unref(rules);
}
END_TEST

Suite *
override_suite(void)
{
	Suite *suite = suite_create("override");
	TCase *tcase = tcase_create("override");

	tcase_add_test(tcase, an_override_is_a_limit_with_a_note);
	tcase_add_test(tcase, what_is_no_override_is_refused);
	tcase_add_test(tcase, overrides_are_in_front_of_all_limits);
	tcase_add_test(tcase, many_overrides_of_many_limits_take_little_memory);
	tcase_add_test(tcase, threads_get_the_same_limit_of_an_override);
	tcase_add_test(tcase, an_override_that_ended_is_in_force_no_longer);
	tcase_add_test(tcase, behind_one_that_ended_another_one_counts);
	suite_add_tcase(suite, tcase);
	return suite;
}
