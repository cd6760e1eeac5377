/**
 * worker: a thread with an event loop, and the clients that were given to it.
 *
 * Owns all that a request needs, so that a request never leaves its thread.
 * Other threads touch a worker through these calls only.
 */
#ifndef GATE_WORKER_H
#define GATE_WORKER_H

#include "base/attr.h"
#include "gate/shared.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct worker;

/** Start the worker of place ${index} (from 0; the first one also sweeps).
 * Return it, or NULL with errno. */
struct worker *worker_start(struct shared *shared, size_t index) MUST_USE;

/** Whether its store is connected, or its first attempt failed. */
bool worker_is_settled(const struct worker *worker);

/** Hand over a client, a non-blocking socket, counted in shared->clients. */
void worker_give(struct worker *worker, int fd);

/** Have it look at ${shared} now: new limits, draining. */
void worker_wake(struct worker *worker);

/** When it last showed that its loop turns (clock_us()). */
int64_t worker_alive_us(const struct worker *worker);

/** The generation of the limits that it uses (shared->generation). */
unsigned worker_generation(const struct worker *worker);

/** Whether it has drained (shared->draining) and its thread is at its end. */
bool worker_is_done(const struct worker *worker);

/** Clients that a done worker kept open for a successor, if
 * shared->keeps_clients.  worker_stop() closes them. */
const int *worker_kept(const struct worker *worker, size_t *count);

/** End the thread, drained or not, and free the worker, or NULL. */
void worker_stop(struct worker *worker);

#endif
