/**
 * serving: a pool of workers, which a test turns, and clients that it plays.
 */
#ifndef STATES_SERVING_H
#define STATES_SERVING_H

#include "config/config.h"
#include "fake/peer.h"
#include "server/pool.h"

#include <stddef.h>

/** What serves; NULL: nothing does. */
extern struct pool *pool;

/** Have one worker serve by these settings and limits, as their files have
 * them. */
void serve(const char *settings, const char *limits);

/** The same with ${workers}. */
void serve_with(size_t workers, const char *settings, const char *limits);

/** Have it pass requests on to the upstreams of these settings.  Return whether
 * that was done. */
bool serve_upstreams(void);

/** Stop, and free clients and all. */
void stop_serving(void);

/** A set of limits. */
struct rules *rules_of(const char *limits);

/** Settings. */
struct config *config_of(const char *settings);

/** A client comes, and the loops run.  stop_serving() frees it. */
struct peer *client_comes(void);

/** The same, and the loops do not run yet. */
struct peer *client_given(void);

/** A client that is offered something else, and the loops run. */
struct peer *client_offered(enum offer offer);

/** The client that came last goes, and is freed, and the loops run. */
void client_goes(void);

/** What the clients that a drained pool hands over had sent, and no one read: a
 * line each, "-" for nothing, with commas between.  This reads it. */
const char *handover_unread(void);

/** What STATS, asked for by a client that comes for it, says of ${name}. */
long stat_of(const char *name);

#endif
