#include "base/civil.h"

/* Years are counted from March here, so that a leap day is a year's last; an
 * era is 400 years, after which all is the same again. */
#define ERA_YEARS   400
#define ERA_DAYS    146097
#define EPOCH_SHIFT 719468 /* days from 1 March of year 0 to 1970 */

int64_t
civil_floor(int64_t number, int64_t by)
{
	return number / by - (number % by < 0);
}

int64_t
civil_day(int64_t year, int month, int day)
{
	int64_t march = year + civil_floor(month - 3, 12);
	int64_t months = (month + 9) % 12; /* since March */
	int64_t era = civil_floor(march, ERA_YEARS);
	int64_t years = march - era * ERA_YEARS;

	return era * ERA_DAYS + years * 365 + years / 4 - years / 100 +
	       (153 * months + 2) / 5 + day - 1 - EPOCH_SHIFT;
}

struct civil
civil_of(int64_t day)
{
	int64_t since = day + EPOCH_SHIFT;
	int64_t era = civil_floor(since, ERA_DAYS);
	int64_t days = since - era * ERA_DAYS;
	int64_t years =
	    (days - days / 1460 + days / 36524 - days / (ERA_DAYS - 1)) / 365;
	int64_t left = days - (365 * years + years / 4 - years / 100);
	int64_t months = (5 * left + 2) / 153;

	return (struct civil){
	    .year = era * ERA_YEARS + years + (months >= 10),
	    .month = (int)(months < 10 ? months + 3 : months - 9),
	    .day = (int)(left - (153 * months + 2) / 5 + 1),
	};
}

int
civil_weekday(int64_t day)
{
	int64_t since = day + 3; /* 29 December 1969 was a Monday */

	return (int)(since - civil_floor(since, 7) * 7);
}
