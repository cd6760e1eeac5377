/*
 * Job: finds the ends of windows of the calendar.
 * Invariant: an end is later than the time that it is asked for.
 * The heart: calendar_end_by().
 */
#include "limit/calendar.h"

#include "base/civil.h"

#include <strings.h>

#define SECOND INT64_C(1000000)
#define DAY_US (86400 * SECOND)

/* A mark is CALENDAR_MARK_MIN, the unit, and the offset from -MARK_MIDDLE. */
#define MARK_BITS   18
#define MARK_MIDDLE (INT64_C(1) << (MARK_BITS - 1))

_Static_assert(ZONE_OFFSET_MAX < MARK_MIDDLE, "an offset fits");

/*
 * Units: the first day of the next one after a day.
 */

static int64_t
calendar_next_day(int64_t day)
{
	return day + 1;
}

static int64_t
calendar_next_week(int64_t day)
{
	return day + 7 - civil_weekday(day);
}

static int64_t
calendar_next_month(int64_t day)
{
	struct civil civil = civil_of(day);

	return civil_day(civil.year, civil.month + 1, 1);
}

static int64_t
calendar_next_year(int64_t day)
{
	return civil_day(civil_of(day).year + 1, 1, 1);
}

static const struct calendar_unit_row {
	const char *name;
	int64_t length_us;
	int64_t (*next)(int64_t day);
} calendar_units[CALENDAR_UNITS] = {
    [CALENDAR_DAY] = {"day", DAY_US, calendar_next_day},
    [CALENDAR_WEEK] = {"week", 7 * DAY_US, calendar_next_week},
    [CALENDAR_MONTH] = {"month", 30 * DAY_US, calendar_next_month},
    [CALENDAR_YEAR] = {"year", 365 * DAY_US, calendar_next_year},
};

enum calendar_unit
calendar_find(const char *name)
{
	for (unsigned i = 1; i < CALENDAR_UNITS; i++)
		if (strcasecmp(calendar_units[i].name, name) == 0)
			return (enum calendar_unit)i;
	return CALENDAR_NONE;
}

const char *
calendar_name(enum calendar_unit unit)
{
	return calendar_units[unit].name;
}

int64_t
calendar_length_us(enum calendar_unit unit)
{
	return calendar_units[unit].length_us;
}

/*
 * Clocks: of a zone, of UTC, or such that never change.
 */

struct calendar_clocks {
	const struct zone *zone; /* NULL: they never change */
	int64_t offset;
};

static struct zone_span
calendar_span_at(const struct calendar_clocks *clocks, int64_t at)
{
	if (clocks->zone)
		return zone_span_at(clocks->zone, at);
	return (struct zone_span){INT64_MIN, INT64_MAX, clocks->offset};
}

/* The first time at which clocks show ${local} or later, in seconds. */
static int64_t
calendar_first(const struct calendar_clocks *clocks, int64_t local)
{
	struct zone_span span =
	    calendar_span_at(clocks, local - ZONE_OFFSET_MAX);

	for (;;) {
		int64_t at = local - span.offset;

		if (at < span.from)
			at = span.from;
		if (at < span.until)
			return at;
		span = calendar_span_at(clocks, span.until);
	}
}

static int64_t
calendar_end_by(enum calendar_unit unit, const struct calendar_clocks *clocks,
    int64_t now_us)
{
	int64_t now = civil_floor(now_us, SECOND);
	int64_t day =
	    civil_floor(now + calendar_span_at(clocks, now).offset, CIVIL_DAY);
	int64_t end;

	/* Clocks that went back over midnight show the day before again. */
	do {
		day = calendar_units[unit].next(day);
		end = calendar_first(clocks, day * CIVIL_DAY);
	} while (end <= now);
	return end * SECOND;
}

int64_t
calendar_end_us(
    enum calendar_unit unit, const struct zone *zone, int64_t now_us)
{
	return calendar_end_by(
	    unit, &(struct calendar_clocks){zone, 0}, now_us);
}

void
calendar_ends_us(enum calendar_unit unit, const struct zone *zone,
    int64_t now_us, int64_t ends[4])
{
	int64_t at =
	    now_us - 2 * calendar_length_us(unit) - 2 * CALENDAR_MORE_US;

	ends[0] = ends[1] = ends[2] = 0;
	if (at < 0)
		at = 0;
	do {
		at = calendar_end_us(unit, zone, at);
		ends[0] = ends[1];
		ends[1] = ends[2];
		ends[2] = at;
	} while (at <= now_us);
	ends[3] = calendar_end_us(unit, zone, at);
}

int64_t
calendar_mark(enum calendar_unit unit, const struct zone *zone, int64_t end_us)
{
	int64_t offset =
	    zone ? zone_span_at(zone, civil_floor(end_us, SECOND)).offset : 0;

	return CALENDAR_MARK_MIN + ((int64_t)unit << MARK_BITS) + offset +
	       MARK_MIDDLE;
}

int64_t
calendar_end_by_mark(int64_t mark, int64_t now_us)
{
	int64_t rest = mark - CALENDAR_MARK_MIN;
	int64_t unit = rest >> MARK_BITS;
	struct calendar_clocks clocks = {
	    .offset = (rest & ((INT64_C(1) << MARK_BITS) - 1)) - MARK_MIDDLE};

	if (unit == CALENDAR_NONE || unit >= CALENDAR_UNITS)
		unit = CALENDAR_DAY;
	return calendar_end_by((enum calendar_unit)unit, &clocks, now_us);
}
