/*
 * Job: reads a POSIX TZ string, and says what it makes of a time.
 * Invariant: the reader never looks behind the text's end.
 * The heart: zone_rule_read(), zone_rule_span_at().
 */
#include "base/zone_rule.h"

#include "base/civil.h"

#include <ctype.h>
#include <stdlib.h>

/*
 * Reading.
 */

struct zone_text {
	const char *at, *end;
};

static bool
zone_rule_take(struct zone_text *text, char c)
{
	if (text->at == text->end || *text->at != c)
		return false;
	text->at++;
	return true;
}

static bool
zone_rule_is_digit(const struct zone_text *text)
{
	return text->at < text->end && isdigit((unsigned char)*text->at);
}

static bool
zone_rule_number(struct zone_text *text, int least, int most, int *number)
{
	int value = 0;

	if (!zone_rule_is_digit(text))
		return false;
	for (; zone_rule_is_digit(text); text->at++) {
		value = value * 10 + (*text->at - '0');
		if (value > most)
			return false;
	}
	*number = value;
	return value >= least;
}

static bool
zone_rule_is_of_name(char c, bool is_quoted)
{
	return isalpha((unsigned char)c) ||
	       (is_quoted &&
		   (isdigit((unsigned char)c) || c == '+' || c == '-'));
}

/* "CET", or "<+0330>". */
static bool
zone_rule_name(struct zone_text *text)
{
	const char *start = text->at;
	bool is_quoted = zone_rule_take(text, '<');

	while (
	    text->at < text->end && zone_rule_is_of_name(*text->at, is_quoted))
		text->at++;
	if (text->at - start < 3)
		return false;
	return !is_quoted || zone_rule_take(text, '>');
}

/* "[+-]H[:M[:S]]", as seconds. */
static bool
zone_rule_time(struct zone_text *text, int hours_max, int64_t *seconds)
{
	bool is_negative = zone_rule_take(text, '-');
	int hours, minutes = 0, rest = 0;

	if (!is_negative)
		zone_rule_take(text, '+');
	if (!zone_rule_number(text, 0, hours_max, &hours))
		return false;
	if (zone_rule_take(text, ':')) {
		if (!zone_rule_number(text, 0, 59, &minutes))
			return false;
		if (zone_rule_take(text, ':') &&
		    !zone_rule_number(text, 0, 59, &rest))
			return false;
	}
	*seconds = hours * 3600 + minutes * 60 + rest;
	if (is_negative)
		*seconds = -*seconds;
	return true;
}

/* The string has how far UTC is ahead of the zone. */
static bool
zone_rule_offset(struct zone_text *text, int64_t *offset)
{
	if (!zone_rule_time(text, 24, offset))
		return false;
	*offset = -*offset;
	return true;
}

static bool
zone_rule_weekday(struct zone_text *text, struct zone_date *date)
{
	date->kind = ZONE_DATE_WEEKDAY;
	return zone_rule_number(text, 1, 12, &date->month) &&
	       zone_rule_take(text, '.') &&
	       zone_rule_number(text, 1, 5, &date->week) &&
	       zone_rule_take(text, '.') &&
	       zone_rule_number(text, 0, 6, &date->day);
}

/* ",M3.5.0/2", ",J60" or ",59". */
static bool
zone_rule_date(struct zone_text *text, struct zone_date *date)
{
	bool is_read;

	*date = (struct zone_date){.seconds = 2 * 3600};
	if (!zone_rule_take(text, ','))
		return false;
	if (zone_rule_take(text, 'M')) {
		is_read = zone_rule_weekday(text, date);
	} else if (zone_rule_take(text, 'J')) {
		date->kind = ZONE_DATE_JULIAN;
		is_read = zone_rule_number(text, 1, 365, &date->day);
	} else {
		date->kind = ZONE_DATE_DAY;
		is_read = zone_rule_number(text, 0, 365, &date->day);
	}
	return is_read && (!zone_rule_take(text, '/') ||
			      zone_rule_time(text, 167, &date->seconds));
}

bool
zone_rule_read(const char *bytes, size_t len, struct zone_rule *rule)
{
	struct zone_text text = {bytes, bytes + len};

	*rule = (struct zone_rule){0};
	if (!zone_rule_name(&text) || !zone_rule_offset(&text, &rule->offset))
		return false;
	if (text.at == text.end)
		return true;
	rule->has_summer = true;
	rule->summer_offset = rule->offset + 3600;
	if (!zone_rule_name(&text))
		return false;
	if (text.at < text.end && *text.at != ',' &&
	    !zone_rule_offset(&text, &rule->summer_offset))
		return false;
	return zone_rule_date(&text, &rule->begins) &&
	       zone_rule_date(&text, &rule->ends) && text.at == text.end;
}

/*
 * Spans.
 */

static int64_t
zone_rule_weekday_in(int64_t year, const struct zone_date *date)
{
	int64_t first = civil_day(year, date->month, 1);
	int64_t next = civil_day(year, date->month + 1, 1);
	/* From Monday on, as civil_weekday() counts. */
	int64_t day = first +
		      ((date->day + 6) % 7 - civil_weekday(first) + 7) % 7 +
		      7 * (date->week - 1);

	return day < next ? day : day - 7;
}

/* The local time of the date in ${year}, in seconds. */
static int64_t
zone_rule_local(int64_t year, const struct zone_date *date)
{
	int64_t first = civil_day(year, 1, 1);
	bool is_leap = civil_day(year + 1, 1, 1) - first == 366;
	int64_t day = 0;

	switch (date->kind) {
	case ZONE_DATE_JULIAN: /* 60 is 1 March, always */
		day = first + date->day - 1 + (is_leap && date->day >= 60);
		break;
	case ZONE_DATE_DAY:
		day = first + date->day;
		break;
	case ZONE_DATE_WEEKDAY:
		day = zone_rule_weekday_in(year, date);
		break;
	}
	return day * CIVIL_DAY + date->seconds;
}

/* A change of the clocks. */
struct zone_change {
	int64_t at;
	int64_t offset; /* from then on */
};

/* Two at once: summer time that ends when it begins again lasts. */
static int
zone_rule_by_time(const void *a, const void *b, void *rule)
{
	const struct zone_change *i = a, *k = b;
	int64_t summer = ((const struct zone_rule *)rule)->summer_offset;

	if (i->at == k->at)
		return (i->offset == summer) - (k->offset == summer);
	return (i->at > k->at) - (i->at < k->at);
}

struct zone_span
zone_rule_span_at(const struct zone_rule *rule, int64_t at)
{
	struct zone_span span = {INT64_MIN, INT64_MAX, rule->offset};
	int64_t year =
	    civil_of(civil_floor(at + rule->offset, CIVIL_DAY)).year - 2;
	struct zone_change changes[10];
	unsigned count = 0;

	if (!rule->has_summer)
		return span;
	/* Times of a date may be days away from it, so also in another year:
	 * the changes around ${at} may be those of the years next to its
	 * neighbours. */
	for (; count < 10; year++) {
		changes[count++] = (struct zone_change){
		    zone_rule_local(year, &rule->begins) - rule->offset,
		    rule->summer_offset};
		changes[count++] = (struct zone_change){
		    zone_rule_local(year, &rule->ends) - rule->summer_offset,
		    rule->offset};
	}
	qsort_r(changes, count, sizeof(changes[0]), zone_rule_by_time,
	    (void *)(uintptr_t)rule);
	for (unsigned i = 0; i < count; i++) {
		if (changes[i].at > at) {
			span.until = changes[i].at;
			break;
		}
		span.from = changes[i].at;
		span.offset = changes[i].offset;
	}
	return span;
}
