/**
 * limits_source: loads the limits that a daemon starts with.
 */
#ifndef DRIPGATED_LIMITS_SOURCE_H
#define DRIPGATED_LIMITS_SOURCE_H

#include "base/attr.h"
#include "config/config.h"
#include "limit/rules_text.h"

/** The limits in the file that ${config} names; none if that is missing and
 * need not exist.  ${reasons} is set as by rules_from_ini(). */
struct rules *limits_source_read_file(
    const struct config *config, struct reasons *reasons) MUST_USE;

/** The limits to start with: those in the file; or, if limits come from Redis,
 * those that an earlier run saved, or none, until Redis replies.  Without a
 * file of settings and of limits, there are none: ${config} then says that it
 * starts so.  NULL: the daemon cannot start.  ${reasons} is set as by
 * rules_from_ini(). */
struct rules *limits_source_start(
    struct config *config, struct reasons *reasons) MUST_USE;

#endif
