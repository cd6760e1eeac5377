/**
 * background: runs work that may block, on a file for instance, on a thread of
 * its own.
 *
 * Owns: the thread, while it works.
 */
#ifndef NET_BACKGROUND_H
#define NET_BACKGROUND_H

#include "base/attr.h"
#include "net/loop.h"

#include <stdbool.h>

struct background;

struct background_events {
	/** On the thread: do it. */
	void (*work)(void *arg);

	/** On the loop, later: it is done. */
	void (*done)(void *arg);
};

/** NULL with errno. */
struct background *background_new(struct loop *loop,
    const struct background_events *events, void *arg) MUST_USE;

/** Start the work; none may be under way.  Return 0; or -1 with errno, and
 * neither event follows. */
int background_start(struct background *background) MUST_USE;

/** Whether work is under way, or its done event is still to come. */
bool background_is_busy(const struct background *background);

/** Free it; NULL: no-op.  Return whether work is under way: its thread goes on
 * and uses ${arg}. */
bool background_free(struct background *background);

#endif
