/**
 * source: the limits that a daemon starts with, from where its settings say.
 */
#ifndef SOURCE_H
#define SOURCE_H

#include "base/attr.h"
#include "config.h"
#include "limit/rules_text.h"

/** The limits in a file; or NULL with ${error} set. */
struct rules *source_read_file(
    const char *path, struct rules_error *error) MUST_USE;

/** The limits to start with: those in the file, or, where they come from Redis,
 * those that were in force last, or none, until it has been asked.  NULL with
 * ${error} set: the daemon cannot start. */
struct rules *source_start(
    const struct config *config, struct rules_error *error) MUST_USE;

#endif
