/**
 * loop: calls back for descriptors, timers, signals and wake-ups.
 *
 * Owns: an event base of libevent and, once started, the thread that turns it.
 * Never: knows what the callbacks do.
 *
 * A loop and all that lives on it (timer.h, io.h, wake.h) belong to one thread,
 * the one that runs it.  Before it runs and after it ended, they belong to the
 * thread that made it.  Only calls that say so may come from others.
 *
 * In a turn, timers, signals, wake-ups and what io_hurry() was called for come
 * before all else, so that they wait for no crowd of clients.
 *
 * Only src/net includes libevent, and all of these are plain calls: a test
 * links its own loop, timer, io and wake in their place, and turns time by
 * itself.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop; /* opaque */

/** Each may be NULL. */
struct loop_events {
	/** A turn is over: each callback that was due has been called.  Return
	 * whether the next turn must follow at once, without waiting. */
	bool (*turned)(void *arg);

	/** loop_wake() was called, once or several times. */
	void (*woken)(void *arg);

	/** A signal that loop_catch() asked for arrived. */
	void (*caught)(int number, void *arg);
};

/** Make a loop, which does not run yet.  NULL with errno. */
struct loop *loop_new(const struct loop_events *events, void *arg) MUST_USE;

/** Free it; NULL: no-op.  It must not run, and nothing may live on it any more.
 */
void loop_free(struct loop *loop);

/** Catch ${count} signals, from now on, on one loop of the process.  Those that
 * arrived while they were blocked are caught as well.  Return 0, or -1 with
 * errno. */
int loop_catch(struct loop *loop, const int *numbers, size_t count) MUST_USE;

/** Turn it on this thread until loop_stop(). */
void loop_run(struct loop *loop);

/** Turn it on a thread of its own, which leaves all signals to the others.
 * Return 0, or -1 with errno. */
int loop_start(struct loop *loop) MUST_USE;

/** Wait until the thread of loop_start() has ended; none: no-op. */
void loop_join(struct loop *loop);

/** End it when the turn under way is over.  Any thread. */
void loop_stop(struct loop *loop);

/** Have it call woken.  Any thread. */
void loop_wake(struct loop *loop);

/** Whether it turned within the last ${within_us}, which must be well over a
 * second.  Any thread. */
bool loop_is_alive(const struct loop *loop, int64_t within_us);

#endif
