/**
 * pool: all the workers, as main sees them.
 *
 * Owns: the workers, and what they have in common (shared.h).  Every call is
 * for main's thread, but where it says otherwise.
 */
#ifndef GATE_POOL_H
#define GATE_POOL_H

#include "base/attr.h"
#include "gate/shared.h"

#include <stdbool.h>
#include <stddef.h>

struct pool;

/** Start ${workers} threads with ${rules} in force, whose reference it takes
 * over, also on failure.  ${options} are borrowed.  NULL with errno. */
struct pool *pool_start(const struct gate_options *options, size_t workers,
    struct rules *rules) MUST_USE;

/** End the threads, drained or not, and free everything; or NULL. */
void pool_stop(struct pool *pool);

/** Whether each worker's store is connected, or its first attempt failed. */
bool pool_is_settled(const struct pool *pool);

/** Whether the loops of all workers have turned lately. */
bool pool_is_alive(const struct pool *pool);

/** Whether the workers are through with draining. */
bool pool_is_drained(const struct pool *pool);

/** Serve a client, a non-blocking socket that it takes over. */
void pool_give(struct pool *pool, int fd);

/** Clients connected now. */
size_t pool_clients(const struct pool *pool);

/** Limits in force. */
size_t pool_limits(struct pool *pool);

/** Put ${rules}, whose reference it takes over, in force.  Returns once all
 * workers use them, or, if one is busy for long, after a tenth of a second.
 * From any thread. */
void pool_set_rules(struct pool *pool, struct rules *rules);

/** Answer so from now on where no limit matches. */
void pool_set_unmatched(struct pool *pool, enum unmatched unmatched);

/** Answer what was received, and part from the clients; with ${keep}, without
 * closing the connections, as far as they are between two requests. */
void pool_drain(struct pool *pool, bool keep);

/** The clients that a drained pool has kept, a worker at a time; pool_stop()
 * closes them. */
typedef void pool_visit_kept(const int *fds, size_t count);
void pool_each_kept(const struct pool *pool, pool_visit_kept *visit);

#endif
