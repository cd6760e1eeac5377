/**
 * worker: a thread with an event loop, and the clients that were given to it.
 *
 * Owns: all that a request needs, so that a request never leaves its thread.
 * Other threads touch a worker through these calls only.
 */
#ifndef SERVER_WORKER_H
#define SERVER_WORKER_H

#include "base/attr.h"
#include "gate/gateway.h"
#include "protocol/protocol.h"
#include "server/clients.h"

#include <stdbool.h>
#include <stddef.h>

struct worker;

/** Start worker number ${index}, from 0; the first one also sweeps.  Return
 * it, or NULL with errno. */
struct worker *worker_start(
    struct gateway *gateway, struct clients *clients, size_t index) MUST_USE;

/** Whether its store is connected, or its first attempt failed. */
bool worker_is_settled(const struct worker *worker);

/** Give it a client, a non-blocking socket, counted in clients->count, which is
 * to be offered this. */
void worker_give(struct worker *worker, int fd, enum offer offer);

/** Make it check now for new limits, and whether to drain. */
void worker_wake(struct worker *worker);

/** Whether its loop has turned lately. */
bool worker_is_alive(const struct worker *worker);

/** The generation of the limits that it uses (gateway->generation). */
unsigned worker_generation(const struct worker *worker);

/** Whether its buckets are where those of the gateway are.  Any thread. */
bool worker_is_placed(const struct worker *worker);

/** Whether it has drained (clients->draining) and its thread is at its end. */
bool worker_is_done(const struct worker *worker);

/** The connections that a done worker left open for a successor of the process
 * (clients->handover).  worker_free() closes them. */
const int *worker_handover(const struct worker *worker, size_t *count);

/** End the thread, drained or not. */
void worker_stop(struct worker *worker);

/** Free a worker whose thread has ended, and its clients; NULL: no-op.  No
 * thread of other workers may be left. */
void worker_free(struct worker *worker);

#endif
