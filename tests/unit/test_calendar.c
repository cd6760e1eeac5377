#include "limit/calendar.h"
#include "suites.h"

#include "base/civil.h"
#include "base/zone_file.h"
#include "limit/algorithm.h"
#include "limit/rules.h"
#include "limit/rules_text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define SECOND INT64_C(1000000)
#define HOUR   (3600 * SECOND)
#define DAY    (24 * HOUR)

/* A moment of UTC, as "2026-03-29 01:00:00".  Of this century's end a time_t of
 * 32 bits knows nothing. */
static int64_t
utc(const char *text)
{
	struct tm tm = {0};

	ck_assert_ptr_nonnull(strptime(text, "%Y-%m-%d %H:%M:%S", &tm));
	return civil_day(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday) * DAY +
	       tm.tm_hour * HOUR + (tm.tm_min * 60 + tm.tm_sec) * SECOND;
}

static struct zone *
zone_of(const char *name)
{
	char reason[ZONE_REASON_MAX];
	struct zone *zone = zone_file_read(name, reason);

	ck_assert_msg(zone != NULL, "%s", reason);
	return zone;
}

/* The window that ends at ${end} starts at ${start}.  Where clocks change,
 * these are years of the past: of later ones governments may still decide. */
static void
check_window(
    const char *unit, const char *name, const char *start, const char *end)
{
	enum calendar_unit found = calendar_find(unit);
	struct zone *zone = name ? zone_of(name) : NULL;
	int64_t from_us = utc(start), end_us = utc(end);

	ck_assert_int_eq(calendar_end_us(found, zone, from_us), end_us);
	ck_assert_int_eq(
	    calendar_end_us(found, zone, (from_us + end_us) / 2), end_us);
	ck_assert_int_eq(calendar_end_us(found, zone, end_us - 1), end_us);
	ck_assert_int_gt(calendar_end_us(found, zone, end_us), end_us);
	ck_assert_int_eq(calendar_end_us(found, zone, from_us - 1), from_us);
	zone_free(zone);
}

static void
check_end(const char *unit, const char *name, const char *now, const char *end)
{
	struct zone *zone = zone_of(name);

	ck_assert_int_eq(
	    calendar_end_us(calendar_find(unit), zone, utc(now)), utc(end));
	zone_free(zone);
}

START_TEST(days_end_at_midnight_of_the_zone)
{
	check_window("day", NULL, "2026-05-01 00:00:00", "2026-05-02 00:00:00");
	check_window("day", "Europe/Berlin", "2026-04-30 22:00:00",
	    "2026-05-01 22:00:00");
	check_window("day", "Asia/Kathmandu", "2026-04-30 18:15:00",
	    "2026-05-01 18:15:00");
}
END_TEST

START_TEST(days_on_which_clocks_change_are_shorter_or_longer)
{
	check_window("day", "Europe/Berlin", "2024-03-30 23:00:00",
	    "2024-03-31 22:00:00");
	check_window("day", "Europe/Berlin", "2024-10-26 22:00:00",
	    "2024-10-27 23:00:00");
	/* By half an hour. */
	check_window("day", "Australia/Lord_Howe", "2024-04-06 13:00:00",
	    "2024-04-07 13:30:00");
	check_window("day", "Australia/Lord_Howe", "2024-10-05 13:30:00",
	    "2024-10-06 13:00:00");
}
END_TEST

START_TEST(a_midnight_that_clocks_skip_is_when_they_do)
{
	check_window("day", "America/Havana", "2024-03-10 05:00:00",
	    "2024-03-11 04:00:00");
	check_window("day", "America/Sao_Paulo", "2018-11-04 03:00:00",
	    "2018-11-05 02:00:00");
}
END_TEST

START_TEST(a_midnight_that_clocks_show_twice_ends_a_day_once)
{
	/* From 01:00 to 00:00. */
	check_window("day", "America/Havana", "2024-11-03 04:00:00",
	    "2024-11-04 05:00:00");
	/* From 00:01 of the day to 23:01 of the day before. */
	check_window("day", "America/St_Johns", "2010-11-07 02:30:00",
	    "2010-11-08 03:30:00");
	check_end("day", "America/St_Johns", "2010-11-07 02:45:00",
	    "2010-11-08 03:30:00");
	/* From midnight, which it never was, to 23:00. */
	check_window("day", "America/Sao_Paulo", "2019-02-16 02:00:00",
	    "2019-02-17 03:00:00");
}
END_TEST

START_TEST(a_day_that_clocks_skip_has_no_window)
{
	check_window("day", "Pacific/Apia", "2011-12-29 10:00:00",
	    "2011-12-30 10:00:00");
	check_window("day", "Pacific/Apia", "2011-12-30 10:00:00",
	    "2011-12-31 10:00:00");
}
END_TEST

START_TEST(weeks_start_on_monday_also_over_the_end_of_a_year)
{
	check_window(
	    "week", NULL, "2026-12-28 00:00:00", "2027-01-04 00:00:00");
	check_window("week", "Europe/Berlin", "2024-12-29 23:00:00",
	    "2025-01-05 23:00:00");
	check_window("week", "Europe/Berlin", "2024-03-24 23:00:00",
	    "2024-03-31 22:00:00");
}
END_TEST

START_TEST(months_and_years_have_their_days)
{
	check_window(
	    "month", NULL, "2024-02-01 00:00:00", "2024-03-01 00:00:00");
	check_window(
	    "month", NULL, "2026-02-01 00:00:00", "2026-03-01 00:00:00");
	check_window(
	    "month", NULL, "2026-12-01 00:00:00", "2027-01-01 00:00:00");
	check_window("month", "Europe/Berlin", "2024-02-29 23:00:00",
	    "2024-03-31 22:00:00");
	check_window(
	    "year", NULL, "2024-01-01 00:00:00", "2025-01-01 00:00:00");
	check_window(
	    "year", NULL, "2100-01-01 00:00:00", "2101-01-01 00:00:00");
	check_window("year", "Pacific/Apia", "2011-01-01 10:00:00",
	    "2011-12-31 10:00:00");
	check_window("year", "America/New_York", "2023-01-01 05:00:00",
	    "2024-01-01 05:00:00");
}
END_TEST

START_TEST(ends_around_a_time_are_in_a_row)
{
	struct zone *zones[] = {
	    NULL, zone_of("Pacific/Apia"), zone_of("America/St_Johns")};

	for (int unit = 1; unit < CALENDAR_UNITS; unit++)
		for (int64_t at = 0; at < utc("2030-01-01 00:00:00");
		     at += 17 * DAY + HOUR) {
			struct zone *zone = zones[at / HOUR % 3];
			int64_t ends[4];

			calendar_ends_us(unit, zone, at, ends);
			ck_assert_int_gt(ends[2], at);
			ck_assert_int_le(ends[1], at);
			ck_assert_int_eq(
			    calendar_end_us(unit, zone, ends[1]), ends[2]);
			ck_assert_int_eq(
			    calendar_end_us(unit, zone, ends[2]), ends[3]);
			if (ends[0] > 0)
				ck_assert_int_eq(
				    calendar_end_us(unit, zone, ends[0]),
				    ends[1]);
		}
	zone_free(zones[1]);
	zone_free(zones[2]);
}
END_TEST

START_TEST(a_mark_is_how_windows_end_while_clocks_do_not_change)
{
	struct zone *zone = zone_of("America/St_Johns");

	for (int unit = 1; unit < CALENDAR_UNITS; unit++) {
		int64_t end =
		    calendar_end_us(unit, zone, utc("2026-07-04 12:00:00"));
		int64_t mark = calendar_mark(unit, zone, end);

		ck_assert_int_ge(mark, CALENDAR_MARK_MIN);
		ck_assert_int_le(mark, BUCKET_NUMBER_MAX);
		ck_assert_int_eq(calendar_end_by_mark(mark, end - HOUR), end);
		ck_assert_int_gt(calendar_end_by_mark(mark, end), end);
	}
	/* Those that are none are taken for something. */
	for (int64_t mark = CALENDAR_MARK_MIN; mark <= BUCKET_NUMBER_MAX;
	     mark += (INT64_C(1) << 45) + 12345)
		ck_assert_int_gt(calendar_end_by_mark(mark, DAY), DAY);
	zone_free(zone);
}
END_TEST

/*
 * Limits.
 */

static struct rules *
rules_of(const char *words)
{
	char text[300];
	struct reasons reasons;
	struct rules *rules;

	snprintf(text, sizeof(text),
	    "[a]\nmatch = *\nalgorithm = fixed_window\ncapacity = 3\n%s\n",
	    words);
	rules = rules_from_ini("test", text, strlen(text), &reasons);
	ck_assert_ptr_nonnull(rules);
	return rules;
}

static struct decision
consume(const struct rules *rules, int64_t amount, int64_t now_us,
    struct bucket *bucket)
{
	struct decision decision;

	decide(
	    rules_at(rules, 0), OP_CONSUME, amount, now_us, bucket, &decision);
	return decision;
}

START_TEST(a_denial_says_when_the_day_ends)
{
	struct rules *rules =
	    rules_of("window = day\ntimezone = Europe/Berlin");
	int64_t now = utc("2024-03-31 21:59:59");
	struct bucket bucket = {0};
	struct decision decision;

	ck_assert(
	    consume(rules, 3, utc("2024-03-30 23:00:00"), &bucket).allowed);
	decision = consume(rules, 1, now, &bucket);
	ck_assert(!decision.allowed);
	ck_assert_int_eq(decision.retry_us, SECOND);
	ck_assert_int_eq(decision.next_us, SECOND);
	decision = consume(rules, 1, now + SECOND - 1, &bucket);
	ck_assert_int_eq(decision.retry_us, 1);
	ck_assert(consume(rules, 1, now + SECOND, &bucket).allowed);
	rules_unref(rules);
}
END_TEST

START_TEST(a_count_stays_when_the_zone_or_the_unit_changes)
{
	struct rules *berlin =
	    rules_of("window = day\ntimezone = Europe/Berlin");
	struct rules *tokyo = rules_of("window = day\ntimezone = Asia/Tokyo");
	struct rules *year = rules_of("window = year");
	int64_t now = utc("2026-06-01 12:00:00");
	struct bucket bucket = {0};
	struct decision decision;

	consume(berlin, 1, now, &bucket);
	decision = consume(tokyo, 1, now, &bucket);
	ck_assert_int_eq(decision.level, 2);
	ck_assert_int_eq(decision.next_us, 3 * HOUR);
	decision = consume(year, 1, now, &bucket);
	ck_assert_int_eq(decision.level, 3);
	ck_assert(
	    !consume(year, 1, utc("2026-12-31 23:59:59"), &bucket).allowed);
	ck_assert(
	    consume(year, 1, utc("2027-01-01 00:00:00"), &bucket).allowed);
	rules_unref(berlin);
	rules_unref(tokyo);
	rules_unref(year);
}
END_TEST

START_TEST(a_count_follows_a_clock_that_is_set)
{
	struct rules *rules =
	    rules_of("window = day\ntimezone = Asia/Kathmandu");
	const struct algorithm *algorithm = rules_at(rules, 0)->algorithm;
	int64_t was = utc("2026-06-01 12:00:00");
	struct bucket bucket = {0};

	consume(rules, 2, was, &bucket);
	algorithm->follow_clock(&bucket, was, was - 400 * DAY);
	ck_assert_int_eq(
	    bucket.window.end_us, utc("2026-06-01 18:15:00") - 400 * DAY);
	ck_assert_int_eq(consume(rules, 1, was - 400 * DAY, &bucket).level, 3);
	algorithm->follow_clock(
	    &bucket, was - 400 * DAY, utc("2026-06-01 18:15:00"));
	ck_assert_int_eq(bucket.window.end_us, utc("2026-06-02 18:15:00"));
	rules_unref(rules);
}
END_TEST

Suite *
calendar_suite(void)
{
	Suite *suite = suite_create("calendar");
	TCase *tcase = tcase_create("calendar");

	tcase_add_test(tcase, days_end_at_midnight_of_the_zone);
	tcase_add_test(
	    tcase, days_on_which_clocks_change_are_shorter_or_longer);
	tcase_add_test(tcase, a_midnight_that_clocks_skip_is_when_they_do);
	tcase_add_test(
	    tcase, a_midnight_that_clocks_show_twice_ends_a_day_once);
	tcase_add_test(tcase, a_day_that_clocks_skip_has_no_window);
	tcase_add_test(
	    tcase, weeks_start_on_monday_also_over_the_end_of_a_year);
	tcase_add_test(tcase, months_and_years_have_their_days);
	tcase_add_test(tcase, ends_around_a_time_are_in_a_row);
	tcase_add_test(
	    tcase, a_mark_is_how_windows_end_while_clocks_do_not_change);
	tcase_add_test(tcase, a_denial_says_when_the_day_ends);
	tcase_add_test(tcase, a_count_stays_when_the_zone_or_the_unit_changes);
	tcase_add_test(tcase, a_count_follows_a_clock_that_is_set);
	suite_add_tcase(suite, tcase);
	return suite;
}
