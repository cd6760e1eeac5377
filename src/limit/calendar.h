/**
 * calendar: windows that end as the calendar says, in a time zone.
 *
 * A window ends at the first moment at which clocks show the day that starts
 * the next one, or a later day.  Days that clocks skip, or show twice, count as
 * what clocks show.  Times are microseconds since the epoch.
 */
#ifndef LIMIT_CALENDAR_H
#define LIMIT_CALENDAR_H

#include "base/attr.h"
#include "base/zone.h"

#include <stdbool.h>
#include <stdint.h>

/** Rows of calendar_units; 0: not of the calendar. */
enum calendar_unit {
	CALENDAR_NONE,
	CALENDAR_DAY,
	CALENDAR_WEEK, /* from Monday on */
	CALENDAR_MONTH,
	CALENDAR_YEAR,
	CALENDAR_UNITS
};

/** Longer than any window is than its unit's length. */
#define CALENDAR_MORE_US (3 * INT64_C(86400000000))

/** The unit of that name, or CALENDAR_NONE. */
enum calendar_unit calendar_find(const char *name);

/** The name of a unit. */
const char *calendar_name(enum calendar_unit unit);

/** How long a window mostly is: of a month 30 days, of a year 365. */
int64_t calendar_length_us(enum calendar_unit unit);

/** The end of the window that ${now_us}, at least 0, is in; ${zone} NULL: of
 * UTC. */
int64_t calendar_end_us(
    enum calendar_unit unit, const struct zone *zone, int64_t now_us);

/** Four such ends in a row: ${now_us} is in the window that ends at the third
 * one.  What would be before the epoch is 0. */
void calendar_ends_us(enum calendar_unit unit, const struct zone *zone,
    int64_t now_us, int64_t ends[4]);

/** A number from CALENDAR_MARK_MIN to BUCKET_NUMBER_MAX that says how windows
 * that end at about ${end_us} end. */
int64_t calendar_mark(
    enum calendar_unit unit, const struct zone *zone, int64_t end_us);

#define CALENDAR_MARK_MIN (INT64_C(1) << 52)

/** As calendar_end_us(), by such a number: as if clocks never changed.  Any
 * other number from CALENDAR_MARK_MIN on is taken for one of days. */
int64_t calendar_end_by_mark(int64_t mark, int64_t now_us);

#endif
