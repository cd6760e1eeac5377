/**
 * civil: days of the Gregorian calendar.
 *
 * A day is a number: 1 January 1970 is 0.
 */
#ifndef BASE_CIVIL_H
#define BASE_CIVIL_H

#include <stdint.h>

#define CIVIL_DAY INT64_C(86400) /* seconds */

struct civil {
	int64_t year;
	int month; /* 1..12 */
	int day;   /* 1..31 */
};

/** The number of a day.  ${month} may be 13: the next year's first. */
int64_t civil_day(int64_t year, int month, int day);

/** The year, month and day of a number. */
struct civil civil_of(int64_t day);

/** The day of the week, 0..6 from Monday on. */
int civil_weekday(int64_t day);

/** ${number} / ${by}, rounded down; ${by} > 0. */
int64_t civil_floor(int64_t number, int64_t by);

#endif
