/*
 * Any file of a time zone, and any rule: a zone that is read has spans that
 * follow each other, and windows that end.
 */
#include "base/zone.h"
#include "fuzz.h"
#include "limit/calendar.h"

#include <string.h>

#define SECOND INT64_C(1000000)

/* A file without changes, whose rule is ${len} bytes. */
static struct zone *
zone_of_rule(const uint8_t *rule, size_t len, const char **reason)
{
	static const char head[50] = "TZif2";
	char bytes[50 + sizeof(head) + 300];
	size_t used = 0;

	for (int i = 0; i < 2; i++) {
		memcpy(bytes + used, head, sizeof(head));
		bytes[used + 39] = 1;
		used += sizeof(head);
	}
	if (len > 200)
		len = 200;
	bytes[used++] = '\n';
	memcpy(bytes + used, rule, len);
	used += len;
	bytes[used++] = '\n';
	return zone_read("fuzz", bytes, used, reason);
}

static void
check_zone(const struct zone *zone, int64_t at)
{
	struct zone_span span = zone_span_at(zone, at);

	check(span.from <= at && at < span.until);
	check(llabs(span.offset) < ZONE_OFFSET_MAX);
	if (span.until < INT64_C(1) << 40)
		check(zone_span_at(zone, span.until).from >= span.from);
	for (int unit = 1; unit < CALENDAR_UNITS; unit++) {
		int64_t end = calendar_end_us(unit, zone, at * SECOND);

		check(end > at * SECOND);
		check(calendar_end_us(unit, zone, end - 1) <= end);
		check(calendar_end_by_mark(calendar_mark(unit, zone, end),
			  at * SECOND) > at * SECOND);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *reason;
	struct zone *zone = zone_read("fuzz", data, size, &reason);

	if (!zone)
		zone = zone_of_rule(data, size, &reason);
	if (!zone)
		return 0;
	for (int64_t at = 0; at < INT64_C(9000000000); at += 314159265)
		check_zone(zone, at);
	zone_free(zone);
	return 0;
}
