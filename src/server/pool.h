/**
 * pool: all the workers, as main sees them.
 *
 * Owns: the workers, and what they have in common: the gateway and the clients.
 * Calls are for main's thread, unless they say otherwise.
 */
#ifndef SERVER_POOL_H
#define SERVER_POOL_H

#include "base/attr.h"
#include "gate/gateway.h"
#include "protocol/protocol.h"

#include <stdbool.h>
#include <stddef.h>

struct pool;
struct upstream_set;
struct users;

/** Start ${workers} threads with ${rules} in force, whose reference it takes
 * over, also on failure.  ${options} are borrowed.  NULL with errno. */
struct pool *pool_start(const struct gateway_options *options, size_t workers,
    struct rules *rules) MUST_USE;

/** End the threads, drained or not, and free everything; NULL: no-op. */
void pool_stop(struct pool *pool);

/** Whether each worker's store, and that of the upstreams, is connected, or its
 * first attempt failed. */
bool pool_is_settled(const struct pool *pool);

/** Whether the loops of all workers have turned lately. */
bool pool_is_alive(const struct pool *pool);

/** Whether all workers have drained. */
bool pool_is_drained(const struct pool *pool);

/** Serve a client, a non-blocking socket that it takes over, this. */
void pool_give(struct pool *pool, int fd, enum offer offer);

/** Clients connected now. */
size_t pool_clients(const struct pool *pool);

/** The buckets in memory; the pool's. */
struct memory *pool_memory(struct pool *pool);

/** What the status page shows of the fleet; the pool's. */
struct fleet_board *pool_fleet_board(struct pool *pool);

/** Limits in force. */
size_t pool_limits(struct pool *pool);

/** Put ${rules}, whose reference it takes over, in force.  ${changes}, or NULL,
 * is set to what changes by that.  Returns once all
 * workers use them, or, if one is busy for long, after a tenth of a second.
 * From any thread. */
void pool_set_rules(
    struct pool *pool, struct rules *rules, struct rules_changes *changes);

/** Have the buckets in Redis be at ${where}, which is borrowed.  Returns once
 * all workers have moved, or, if one is busy for long, after a tenth of a
 * second.  From one thread.  Return 0, or -1 with errno. */
int pool_set_topology(
    struct pool *pool, const struct topology_options *where) MUST_USE;

/** That topology stood in Redis when it was asked for, at ${asked_us}.  The
 * same thread. */
void pool_note_topology(struct pool *pool, int64_t asked_us);

/** Have ${read} called when a worker needs to know at once which topology
 * stands in Redis (topology_reader_set()).  Any thread. */
void pool_set_topology_reader(
    struct pool *pool, void (*read)(void *arg), void *arg);

/** Put ${users}, whose reference it takes over, in force: workers use them from
 * their next turn on. */
void pool_set_users(struct pool *pool, struct users *users);

/** Pass requests on to the upstreams of ${set}, whose reference it takes over;
 * NULL: there are none.  Return 0, or -1 with errno: there is no thread for
 * them. */
int pool_set_upstreams(struct pool *pool, struct upstream_set *set) MUST_USE;

/** Count a reload that was refused, and remember why; or, with "", that the
 * last one was not.  Any thread. */
void pool_note_refused(struct pool *pool, const char *reason);

/** Set what becomes of requests whose key no limit matches. */
void pool_set_unmatched(struct pool *pool, enum unmatched unmatched);

/** Respond to what was received, and close the clients.  With ${handover},
 * leave the connections open that a successor of this process can go on with.
 */
void pool_drain(struct pool *pool, bool handover);

/** The connections that a drained pool has left open for a successor, a worker
 * at a time.  pool_stop() closes them. */
typedef void pool_visit_handover(const int *fds, size_t count);
void pool_each_handover(const struct pool *pool, pool_visit_handover *visit);

#endif
