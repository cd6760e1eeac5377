/**
 * thread: starts threads.  For src/net only.
 */
#ifndef NET_THREAD_H
#define NET_THREAD_H

#include "base/attr.h"

#include <pthread.h>

/** Run ${run} on a thread of its own, which leaves all signals to the others.
 * The caller joins ${thread}; NULL: it is detached.  Return 0, or -1 with
 * errno. */
int thread_start(
    pthread_t *thread, void *(*run)(void *arg), void *arg) MUST_USE;

#endif
