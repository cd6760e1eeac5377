/*
 * Job: reads a TZif file, and finds the span of a time in it.
 * Invariant: changes ascend; behind the last one, the rule says what time it
 * is, if there is one.
 * The heart: zone_read_body(), zone_span_at().
 */
#include "base/zone.h"

#include "base/zone_rule.h"

#include <endian.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define ZONE_HEADER 44 /* bytes */
#define ZONE_TYPE   6

struct zone {
	char name[ZONE_NAME_MAX + 1];
	int64_t first; /* the offset before the first change */
	struct zone_rule rule;
	bool has_rule;
	size_t count;
	struct zone_at {
		int64_t at;
		int64_t offset; /* from then on */
	} changes[];
};

/*
 * The file: a header and a body with times of 4 bytes, the same with 8 bytes,
 * and the rule between two newlines.
 */

struct zone_header {
	uint32_t isutcnt, isstdcnt, leapcnt, timecnt, typecnt, charcnt;
};

static const char ZONE_CUT[] = "ends too early";
static const char ZONE_STRANGE[] = "is no file of a time zone";

static uint32_t
zone_load(const unsigned char *at)
{
	uint32_t word;

	memcpy(&word, at, sizeof(word));
	return be32toh(word);
}

static int64_t
zone_load_long(const unsigned char *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return (int64_t)be64toh(word);
}

static bool
zone_read_header(const unsigned char *at, size_t len, struct zone_header *to)
{
	if (len < ZONE_HEADER || memcmp(at, "TZif", 4) != 0)
		return false;
	to->isutcnt = zone_load(at + 20);
	to->isstdcnt = zone_load(at + 24);
	to->leapcnt = zone_load(at + 28);
	to->timecnt = zone_load(at + 32);
	to->typecnt = zone_load(at + 36);
	to->charcnt = zone_load(at + 40);
	return to->typecnt > 0;
}

/* Bytes of the body whose times have ${time} bytes. */
static uint64_t
zone_body_len(const struct zone_header *header, uint64_t time)
{
	return header->timecnt * (time + 1) +
	       (uint64_t)header->typecnt * ZONE_TYPE + header->charcnt +
	       header->leapcnt * (time + 4) + header->isstdcnt +
	       header->isutcnt;
}

/* The offset of type ${type}; false: there is no such type. */
static bool
zone_read_type(const struct zone_header *header, const unsigned char *types,
    unsigned type, int64_t *offset)
{
	if (type >= header->typecnt)
		return false;
	*offset = (int32_t)zone_load(types + (size_t)type * ZONE_TYPE);
	return *offset > -ZONE_OFFSET_MAX && *offset < ZONE_OFFSET_MAX;
}

static bool
zone_read_changes(struct zone *zone, const struct zone_header *header,
    const unsigned char *times)
{
	const unsigned char *indices = times + (size_t)header->timecnt * 8;
	const unsigned char *types = indices + header->timecnt;

	if (!zone_read_type(header, types, 0, &zone->first))
		return false;
	for (size_t i = 0; i < header->timecnt; i++) {
		struct zone_at *change = &zone->changes[i];

		change->at = zone_load_long(times + i * 8);
		if (!zone_read_type(
			header, types, indices[i], &change->offset) ||
		    (i > 0 && change->at <= change[-1].at))
			return false;
	}
	zone->count = header->timecnt;
	return true;
}

/* ${at} is behind the body.  An empty rule is none. */
static bool
zone_read_rule(struct zone *zone, const unsigned char *at, size_t len)
{
	const unsigned char *end;

	if (len < 2 || *at != '\n')
		return false;
	end = memchr(at + 1, '\n', len - 1);
	if (!end)
		return false;
	zone->has_rule = end > at + 1;
	return !zone->has_rule || zone_rule_read((const char *)at + 1,
				      (size_t)(end - at - 1), &zone->rule);
}

static struct zone *
zone_read_body(const struct zone_header *header, const unsigned char *body,
    size_t len, const char **reason)
{
	uint64_t size = zone_body_len(header, 8);
	struct zone *zone;

	*reason = ZONE_CUT;
	if (size > len)
		return NULL;
	*reason = "counts leap seconds";
	if (header->leapcnt > 0)
		return NULL;
	*reason = "needs more memory than there is";
	zone = calloc(
	    1, sizeof(*zone) + header->timecnt * sizeof(zone->changes[0]));
	if (!zone)
		return NULL;
	*reason = ZONE_STRANGE;
	if (zone_read_changes(zone, header, body) &&
	    zone_read_rule(zone, body + size, len - size))
		return zone;
	zone_free(zone);
	return NULL;
}

struct zone *
zone_read(const char *name, const void *bytes, size_t len, const char **reason)
{
	const unsigned char *at = bytes;
	struct zone_header header;
	struct zone *zone;
	uint64_t skip;

	*reason = ZONE_STRANGE;
	if (len > ZONE_FILE_MAX || !zone_read_header(at, len, &header))
		return NULL;
	*reason = "is of the first version of its format, which ends in 2038";
	if (at[4] < '2')
		return NULL;
	*reason = ZONE_CUT;
	skip = ZONE_HEADER + zone_body_len(&header, 4);
	if (skip > len || !zone_read_header(at + skip, len - skip, &header))
		return NULL;
	skip += ZONE_HEADER;
	zone = zone_read_body(&header, at + skip, len - skip, reason);
	if (zone)
		strncpy(zone->name, name, ZONE_NAME_MAX);
	return zone;
}

void
zone_free(struct zone *zone)
{
	free(zone);
}

const char *
zone_name(const struct zone *zone)
{
	return zone->name;
}

/* How many changes there were until ${at}. */
static size_t
zone_find(const struct zone *zone, int64_t at)
{
	size_t low = 0, high = zone->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (zone->changes[middle].at <= at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct zone_span
zone_span_at(const struct zone *zone, int64_t at)
{
	size_t i = zone_find(zone, at);
	int64_t from = i > 0 ? zone->changes[i - 1].at : INT64_MIN;
	struct zone_span span;

	if (i == zone->count && zone->has_rule) {
		span = zone_rule_span_at(&zone->rule, at);
		if (span.from < from)
			span.from = from;
		return span;
	}
	return (struct zone_span){
	    .from = from,
	    .until = i < zone->count ? zone->changes[i].at : INT64_MAX,
	    .offset = i > 0 ? zone->changes[i - 1].offset : zone->first,
	};
}
