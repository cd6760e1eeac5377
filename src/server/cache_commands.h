/**
 * cache_commands: what operators and clients ask of stored responses (CACHE,
 * FORGET, GET).
 */
#ifndef SERVER_CACHE_COMMANDS_H
#define SERVER_CACHE_COMMANDS_H

#include "server/report.h"

/** CACHE: a row an upstream that stores responses. */
extern const struct report cache_report;

/** FORGET: a slot whose bytes are NAME or NAME:GLOB, globs of the names of
 * upstreams, and of targets.  A row an upstream. */
extern const struct report purge_report;
int cache_commands_begin_purge(
    struct slot *slot, const struct request *request);

/** GET NAME:TARGET: the body of a response that is fresh in memory, or in Redis
 * behind that, or nil.  The slot is one of relay.h, but for what it writes. */
int cache_commands_begin_get(struct slot *slot, const struct request *request);
slot_write cache_commands_write_get;

#endif
