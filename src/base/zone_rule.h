/**
 * zone_rule: when clocks change in years without end, as the last line of a
 * TZif file says it: "CET-1CEST,M3.5.0,M10.5.0/3", a POSIX TZ string.
 */
#ifndef BASE_ZONE_RULE_H
#define BASE_ZONE_RULE_H

#include "base/attr.h"
#include "base/zone.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** A day of each year, and a time on it. */
struct zone_date {
	enum {
		ZONE_DATE_JULIAN, /* day 1..365, without leap days */
		ZONE_DATE_DAY,    /* day 0..365 */
		ZONE_DATE_WEEKDAY /* the day of a week of a month */
	} kind;
	int month, week; /* 1..12; 1..5, 5 being the last */
	int day;         /* of a week: 0..6 from Sunday on */
	int64_t seconds; /* of the local time before the change */
};

struct zone_rule {
	int64_t offset;        /* standard time */
	bool has_summer;       /* or the like */
	int64_t summer_offset; /* while it lasts */
	struct zone_date begins, ends;
};

/** Read ${len} bytes.  False: they are no rule. */
bool zone_rule_read(
    const char *text, size_t len, struct zone_rule *rule) MUST_USE;

/** The span by the rule that has the time ${at}. */
struct zone_span zone_rule_span_at(const struct zone_rule *rule, int64_t at);

#endif
