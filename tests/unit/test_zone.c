#include "base/civil.h"
#include "base/zone_file.h"
#include "base/zone_rule.h"
#include "suites.h"

#include "base/attr.h"

#include <endian.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct zone_rule
rule(const char *text)
{
	struct zone_rule rule;

	ck_assert_msg(zone_rule_read(text, strlen(text), &rule), "%s", text);
	return rule;
}

static void
check_span(struct zone_span span, int64_t from, int64_t until, int64_t offset)
{
	ck_assert_int_eq(span.from, from);
	ck_assert_int_eq(span.until, until);
	ck_assert_int_eq(span.offset, offset);
}

START_TEST(days_are_those_of_the_calendar)
{
	int64_t day = civil_day(1600, 1, 1);

	ck_assert_int_eq(civil_day(1970, 1, 1), 0);
	ck_assert_int_eq(civil_day(2000, 2, 29), 11016);
	ck_assert_int_eq(civil_day(2023, 13, 1), civil_day(2024, 1, 1));
	ck_assert_int_eq(civil_weekday(0), 3);
	for (int year = 1600; year < 2400; year++)
		for (int month = 1; month <= 12; month++)
			while (day < civil_day(year, month + 1, 1)) {
				struct civil civil = civil_of(day);

				ck_assert_int_eq(civil.year, year);
				ck_assert_int_eq(civil.month, month);
				ck_assert_int_eq(
				    civil_day(year, month, civil.day), day);
				ck_assert_int_eq(civil_weekday(++day),
				    (civil_weekday(day - 1) + 1) % 7);
			}
	ck_assert_int_eq(day, civil_day(2400, 1, 1));
}
END_TEST

START_TEST(rules_change_clocks_each_year)
{
	struct zone_rule berlin = rule("CET-1CEST,M3.5.0,M10.5.0/3");
	struct zone_rule apia = rule("<+13>-13");

	/* 29 March and 25 October 2026 at 01:00 UTC */
	check_span(zone_rule_span_at(&berlin, 1774746000), 1774746000,
	    1792890000, 7200);
	check_span(zone_rule_span_at(&berlin, 1774745999), 1761440400,
	    1774746000, 3600);
	check_span(
	    zone_rule_span_at(&apia, 0), INT64_MIN, INT64_MAX, 13 * 3600);
}
END_TEST

START_TEST(rules_may_have_odd_days_and_times)
{
	struct zone_rule all_year = rule("XXX3EDT4,0/0,J365/23");
	struct zone_rule lord_howe =
	    rule("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0");
	struct zone_rule godthab = rule("<-02>2<-01>,M3.5.0/-1,M10.5.0/0");
	struct zone_rule julian = rule("ABC3DEF,J60/0,J61/0");
	struct zone_rule late = rule("ABC0DEF5,0365/40,0365/26");
	struct zone_rule early = rule("ABC0DEF,0/-144,0/-145");
	struct zone_rule numbered = rule("ABC3DEF,59/0,60/0");

	for (int64_t at = 1700000000; at < 1800000000; at += 10000000)
		ck_assert_int_eq(
		    zone_rule_span_at(&all_year, at).offset, -4 * 3600);
	ck_assert_int_eq(
	    zone_rule_span_at(&lord_howe, 1782864000).offset, 37800);
	ck_assert_int_eq(
	    zone_rule_span_at(&lord_howe, 1767225600).offset, 39600);
	/* Until a day of January, what changed last changed a year and days
	 * ago; what comes next may be in a December. */
	ck_assert_int_eq(zone_rule_span_at(&late, 946684800).offset, -5 * 3600);
	check_span(zone_rule_span_at(&early, 1798675200), 1798243200,
	    1829772000, 3600);
	/* The Saturday before, at 23:00 of local time. */
	ck_assert_int_eq(
	    zone_rule_span_at(&godthab, 1780000000).from, 1774746000);
	/* 1 March, and 29 February of a leap year. */
	ck_assert_int_eq(
	    zone_rule_span_at(&julian, 1709262000 + 9000).from, 1709262000);
	ck_assert_int_eq(
	    zone_rule_span_at(&numbered, 1709175600 + 9000).from, 1709175600);
}
END_TEST

START_TEST(what_is_no_rule_is_refused)
{
	static const char *const texts[] = {"", "CE-1", "CET", "CET-1CEST",
	    "CET-25", "CET-1CEST,M3.5.0", "CET-1CEST,M13.5.0,M10.5.0",
	    "CET-1CEST,M3.6.0,M10.5.0", "CET-1CEST,M3.5.7,M10.5.0",
	    "CET-1CEST,M3.5.0,M10.5.0/168", "CET-1CEST,J0,J5", "<+13-13",
	    "CET-1CEST,M3.5.0,M10.5.0x", "CET-1:60", "CET-1CEST,366,5",
	    "CET-99999999999999999999", "CET-1:0:60",
	    "CET-1:0:", "CET-1:", "CET-1,", "CET-1CE", "CET-1CEST-25",
	    "CET-1CEST,M3", "CET-1CEST,M3.", "CET-1CEST,M3.5",
	    "CET-1CEST,M3.5.", "CET-1CEST,M.5.0,M10.5.0",
	    "CET-1CEST,M3.0.0,M10.5.0", "CET-1CEST,M3.5.0/,M10.5.0",
	    "CET-1CEST,M3.5.0/2:60,M10.5.0", "CET-1CEST,J366,J5"};
	struct zone_rule rule;

	for (size_t i = 0; i < COUNT(texts); i++)
		for (size_t len = 0; len <= strlen(texts[i]); len++)
			ck_assert_msg(len < strlen(texts[i]) ||
					  !zone_rule_read(texts[i], len, &rule),
			    "%s", texts[i]);
}
END_TEST

/*
 * Files.
 */

/* A file of version 2 whose clocks go from +1 h to +2 h at 1000, and by the
 * rule from 2000 on. */
static size_t
write_file(unsigned char *to, const char *rule_text)
{
	const uint32_t counts[6] = {0, 0, 0, htobe32(2), htobe32(2), 0};
	const uint64_t times[2] = {htobe64(1000), htobe64(2000)};
	const unsigned char tail[] = {1, 0, /* their types */
	    0, 0, 0x0E, 0x10, 0, 0, 0, 0, 0x1C, 0x20, 1, 0};
	size_t len = 0;

	memset(to, 0, 44);
	memcpy(to, "TZif2", 5);
	to[39] = 1; /* a type, and nothing else */
	len = 44 + 6;
	memset(to + 44, 0, 6);
	memset(to + len, 0, 44);
	memcpy(to + len, "TZif2", 5);
	memcpy(to + len + 20, counts, sizeof(counts));
	len += 44;
	memcpy(to + len, times, sizeof(times));
	memcpy(to + len + 16, tail, sizeof(tail));
	len += 16 + sizeof(tail);
	return len + (size_t)sprintf((char *)to + len, "\n%s\n", rule_text);
}

START_TEST(a_file_has_changes_and_then_a_rule)
{
	unsigned char bytes[300];
	size_t len = write_file(bytes, "CET-1");
	const char *reason;
	struct zone *zone = zone_read("Some/where", bytes, len, &reason);

	ck_assert_ptr_nonnull(zone);
	ck_assert_str_eq(zone_name(zone), "Some/where");
	check_span(zone_span_at(zone, 999), INT64_MIN, 1000, 3600);
	check_span(zone_span_at(zone, 1000), 1000, 2000, 7200);
	check_span(zone_span_at(zone, 5000), 2000, INT64_MAX, 3600);
	zone_free(zone);
	len = write_file(bytes, "CET-1CEST,M3.5.0,M10.5.0/3");
	zone = zone_read("Some/where", bytes, len, &reason);
	ck_assert_ptr_nonnull(zone);
	check_span(
	    zone_span_at(zone, 1774746000), 1774746000, 1792890000, 7200);
	zone_free(zone);
	len = write_file(bytes, "");
	zone = zone_read("Some/where", bytes, len, &reason);
	ck_assert_ptr_nonnull(zone);
	check_span(zone_span_at(zone, 5000), 2000, INT64_MAX, 3600);
	zone_free(zone);
	zone_free(NULL);
}
END_TEST

START_TEST(a_file_that_is_cut_anywhere_is_refused)
{
	unsigned char bytes[300];
	size_t len = write_file(bytes, "CET-1CEST,M3.5.0,M10.5.0/3");
	const char *reason;

	for (size_t i = 0; i < len; i++) {
		unsigned char *copy = malloc(i + 1);

		memcpy(copy, bytes, i);
		reason = NULL;
		ck_assert_ptr_null(zone_read("x", copy, i, &reason));
		ck_assert_ptr_nonnull(reason);
		free(copy);
	}
}
END_TEST

START_TEST(a_file_that_is_wrong_is_refused)
{
	static const struct {
		size_t at;
		unsigned char byte;
		const char *reason;
	} wrong[] = {
	    {0, 'x', "is no file of a time zone"},
	    {4, 0, "is of the first version of its format, which ends in 2038"},
	    {50 + 31, 1, "counts leap seconds"},
	    {50 + 35, 200, "ends too early"},
	    {50 + 44 + 7, 0xFF, "is no file of a time zone"}, /* 2 before 1 */
	    {50 + 44 + 17, 2, "is no file of a time zone"},   /* no such type */
	    {50 + 44 + 18, 1, "is no file of a time zone"},   /* too far */
	};
	unsigned char bytes[300];

	for (size_t i = 0; i < COUNT(wrong); i++) {
		size_t len = write_file(bytes, "CET-1");
		const char *reason;

		bytes[wrong[i].at] = wrong[i].byte;
		if (wrong[i].at == 50 + 44 + 7)
			bytes[50 + 44 + 6] = 0xFF;
		if (wrong[i].at == 50 + 31)
			len += 12;
		ck_assert_ptr_null(zone_read("x", bytes, len, &reason));
		ck_assert_str_eq(reason, wrong[i].reason);
	}
}
END_TEST

/*
 * The system's.
 */

static void
check_reason(const char *name, const char *expected)
{
	char reason[ZONE_REASON_MAX];

	ck_assert_ptr_null(zone_file_read(name, reason));
	ck_assert_str_eq(reason, expected);
}

START_TEST(zones_of_the_system_are_read)
{
	char reason[ZONE_REASON_MAX];
	struct zone *zone = zone_file_read("Pacific/Apia", reason);

	ck_assert_msg(zone != NULL, "%s", reason);
	/* The end of 29 December 2011, and with it of the 30th. */
	ck_assert_int_eq(zone_span_at(zone, 1325239199).offset, -10 * 3600);
	ck_assert_int_eq(zone_span_at(zone, 1325239200).offset, 14 * 3600);
	zone_free(zone);
}
END_TEST

START_TEST(what_is_no_zone_is_refused_with_one_that_may_be_meant)
{
	check_reason("Europe/Belrin",
	    "'Europe/Belrin' does not exist, did you mean 'Europe/Berlin'?");
	check_reason(
	    "berlin", "'berlin' does not exist, did you mean 'Europe/Berlin'?");
	check_reason("x", "'x' does not exist, give one like Europe/Berlin");
	check_reason(
	    "Europe", "'Europe' does not exist, give one like Europe/Berlin");
	check_reason("../../../etc/passwd",
	    "'../../../etc/passwd' does not exist, give one like "
	    "Europe/Berlin");
	check_reason("zone.tab",
	    "'zone.tab' does not exist, give one like Europe/Berlin");
	check_reason("/etc/localtime",
	    "'/etc/localtime' does not exist, give one like Europe/Berlin");
}
END_TEST

START_TEST(a_host_may_have_no_zones)
{
	setenv("TZDIR", "/nonexistent", 1);
	check_reason("Europe/Berlin",
	    "Europe/Berlin: there are no time zones on this host, only UTC: "
	    "install tzdata");
	unsetenv("TZDIR");
}
END_TEST

static void
write_zone(const char *name, const char *text)
{
	FILE *file = fopen(name, "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

START_TEST(a_host_may_have_strange_zones)
{
	char folder[] = "/tmp/dripgate-zones-XXXXXX", path[PATH_MAX + 1];

	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(chdir(folder), 0);
	write_zone("Text", "no zone\n");
	write_zone("zone.tab",
	    "# comment\n\nno tabs\nXX\tone tab\nXX\t+00\tTown\n"
	    "XX\t+00\tLand/City\ta note\nXX\t+00\tLand/Last");
	ck_assert_int_eq(symlink("Loop", "Loop"), 0);
	setenv("TZDIR", folder, 1);
	check_reason("Text", "Text is no file of a time zone");
	check_reason("Loop",
	    "Loop: cannot read its file: Too many levels of symbolic links");
	check_reason("Text/a", "'Text/a' does not exist, give one like "
			       "Europe/Berlin");
	check_reason(
	    "city", "'city' does not exist, did you mean 'Land/City'?");
	check_reason(
	    "last", "'last' does not exist, did you mean 'Land/Last'?");
	check_reason("Twon", "'Twon' does not exist, did you mean 'Town'?");
	check_reason("", "'' does not exist, give one like Europe/Berlin");
	check_reason(
	    "Land/", "'Land/' does not exist, give one like Europe/Berlin");
	memset(path, 'a', PATH_MAX);
	path[PATH_MAX] = '\0';
	setenv("TZDIR", path, 1);
	check_reason("Town", "Town: cannot read its file: File name too long");
	setenv("TZDIR", "", 1);
	check_reason(
	    "berlin", "'berlin' does not exist, did you mean 'Europe/Berlin'?");
	unsetenv("TZDIR");
	unlink("Text");
	unlink("Loop");
	unlink("zone.tab");
	ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

Suite *
zone_suite(void)
{
	Suite *suite = suite_create("zone");
	TCase *tcase = tcase_create("zone");

	tcase_add_test(tcase, days_are_those_of_the_calendar);
	tcase_add_test(tcase, rules_change_clocks_each_year);
	tcase_add_test(tcase, rules_may_have_odd_days_and_times);
	tcase_add_test(tcase, what_is_no_rule_is_refused);
	tcase_add_test(tcase, a_file_has_changes_and_then_a_rule);
	tcase_add_test(tcase, a_file_that_is_cut_anywhere_is_refused);
	tcase_add_test(tcase, a_file_that_is_wrong_is_refused);
	tcase_add_test(tcase, zones_of_the_system_are_read);
	tcase_add_test(
	    tcase, what_is_no_zone_is_refused_with_one_that_may_be_meant);
	tcase_add_test(tcase, a_host_may_have_no_zones);
	tcase_add_test(tcase, a_host_may_have_strange_zones);
	suite_add_tcase(suite, tcase);
	return suite;
}
