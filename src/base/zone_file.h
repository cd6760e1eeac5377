/**
 * zone_file: the time zones of the system, in TZDIR or /usr/share/zoneinfo.
 */
#ifndef BASE_ZONE_FILE_H
#define BASE_ZONE_FILE_H

#include "base/attr.h"
#include "base/zone.h"

#include <stddef.h>

/** Room for the reason why there is no such zone, with its NUL. */
#define ZONE_REASON_MAX 140

/** Read the zone ${name}, as "Europe/Berlin".  Return it, or NULL with
 * ${reason}: what is wrong, behind a word and a blank; perhaps with a zone
 * that was meant. */
struct zone *zone_file_read(
    const char *name, char reason[ZONE_REASON_MAX]) MUST_USE;

#endif
