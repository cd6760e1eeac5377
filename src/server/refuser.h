/**
 * refuser: tells clients that there are too many of them, and closes them.
 *
 * The refuser speaks the client's protocol, which its first bytes show.  They
 * may come a moment after the connection, so it waits for them a little. Owns:
 * the sockets of the clients that it waits for.
 */
#ifndef SERVER_REFUSER_H
#define SERVER_REFUSER_H

#include "base/attr.h"
#include "net/loop.h"

struct refuser;

/** Make one that lives on ${loop}.  NULL: out of memory. */
struct refuser *refuser_new(struct loop *loop) MUST_USE;

/** Refuse the client on ${fd}, a non-blocking socket, which it takes over. */
void refuser_refuse(struct refuser *refuser, int fd);

/** Free it; NULL: no-op.  The clients that it waits for are refused at once. */
void refuser_free(struct refuser *refuser);

#endif
