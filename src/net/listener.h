/**
 * listener: sockets that accept clients.
 */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "base/attr.h"

#include <event2/event.h>

/** Open a listening TCP socket on ${address}, "127.0.0.1:14290" or
 * "[::1]:14290".  Return a non-blocking descriptor, or -1 with errno (EINVAL:
 * not an address). */
int listen_tcp(const char *address) MUST_USE;

/** Open a listening Unix socket at ${path}, mode 0666 less the umask.  A socket
 * file that nobody listens on is replaced.  Return a non-blocking descriptor,
 * or -1 with errno (EADDRINUSE: somebody does). */
int listen_unix(const char *path) MUST_USE;

struct listener;

/** A client came: ${fd} is non-blocking and the callee's. */
typedef void listener_accepted(int fd, void *arg);

/** Accept on ${fd}, which it takes over, and hand over each client.  When
 * descriptors run out, accepting pauses for 100 ms.  NULL with errno:
 * ENOMEM, or ${fd}, which stays the caller's, is no listening socket. */
struct listener *listener_new(struct event_base *base, int fd,
    listener_accepted *accepted, void *arg) MUST_USE;

/** Accept whoever waits, now; not those that come meanwhile without end. */
void listener_accept(struct listener *listener);

/** The address it listens on, as text.  Owned by the listener. */
const char *listener_address(const struct listener *listener);

/** Close it, or NULL.  Connections waiting to be accepted stay in the socket
 * if another process has it too. */
void listener_free(struct listener *listener);

#endif
