/**
 * zone: how far the clocks of a time zone are ahead of UTC, and when.
 *
 * Pure: reads the bytes of a TZif file (RFC 9636), as the system has one for
 * each zone, and never the environment.  Times are seconds since the epoch.
 */
#ifndef BASE_ZONE_H
#define BASE_ZONE_H

#include "base/attr.h"

#include <stddef.h>
#include <stdint.h>

/** Longest name of a zone. */
#define ZONE_NAME_MAX 63

/** Largest file of one; those of the system have some thousand bytes. */
#define ZONE_FILE_MAX 65536

/** Clocks are never further from UTC than this. */
#define ZONE_OFFSET_MAX (26 * 3600)

struct zone; /* never changes */

/** A time during which clocks are the same number of seconds ahead. */
struct zone_span {
	int64_t from, until; /* until is not part of it */
	int64_t offset;
};

/** Read the zone ${name} of at most ZONE_NAME_MAX bytes from ${len} bytes of
 * its file.  Return it, or NULL with ${reason}, what is wrong with the file: a
 * constant. */
struct zone *zone_read(const char *name, const void *bytes, size_t len,
    const char **reason) MUST_USE;

/** Free it; NULL: no-op. */
void zone_free(struct zone *zone);

/** Its name. */
const char *zone_name(const struct zone *zone);

/** The span that has the time ${at}, from 0 to 2^40; those before 1970 are
 * right as well. */
struct zone_span zone_span_at(const struct zone *zone, int64_t at);

#endif
