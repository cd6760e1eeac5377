/**
 * listener: a socket that accepts clients.
 */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "base/attr.h"
#include "net/loop.h"

struct listener;

/** A client connected.  ${fd} is non-blocking, and the callee owns it. */
typedef void listener_accepted(int fd, void *arg);

/** Accept clients on ${fd}, which the listener takes over, and pass each to
 * ${accepted}.  When descriptors run out, the listener pauses for 100 ms.  NULL
 * with errno (EINVAL: not a listening socket), and ${fd} stays the caller's. */
struct listener *listener_new(
    struct loop *loop, int fd, listener_accepted *accepted, void *arg) MUST_USE;

/** Accept the clients that wait now, but only so many: new ones may arrive
 * without end. */
void listener_accept(struct listener *listener);

/** The address it listens on, as text.  Owned by the listener. */
const char *listener_address(const struct listener *listener);

/** Close it; NULL: no-op.  Connections waiting to be accepted stay in the
 * socket if another process has it too. */
void listener_free(struct listener *listener);

#endif
