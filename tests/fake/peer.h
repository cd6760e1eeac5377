/**
 * peer: the other end of a connection, held by a test: a Redis server for what
 * dials, a client for what serves.
 *
 * Owns: the descriptor, and what was received and not yet looked at.
 */
#ifndef FAKE_PEER_H
#define FAKE_PEER_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>

struct peer;

/** The oldest dial to ${name} (NULL: to any) connects to it, in the next turn.
 */
struct peer *peer_connect(const char *name) MUST_USE;

/** The same, and the loops run. */
struct peer *peer_accept(const char *name) MUST_USE;

/** One that is not connected to anything yet: ${fd} gets the other end, a
 * non-blocking socket, the caller's. */
struct peer *peer_new(int *fd) MUST_USE;

/** A client that connects to the Unix socket at ${path}; NULL: none listens
 * there.  The loops run. */
struct peer *peer_reach(const char *path) MUST_USE;

/** Free it, and close its end if that is open. */
void peer_free(struct peer *peer);

/** Write bytes, as printf would, and run the loops. */
void peer_say(struct peer *peer, const char *format, ...) PRINTF_LIKE(2, 3);

/** The same, and the loops do not run yet. */
void peer_write(struct peer *peer, const char *bytes, size_t len);

/** Write as many of ${len} bytes as the socket takes; return how many. */
size_t peer_try_write(struct peer *peer, const char *bytes, size_t len);

/** Close its end, and run the loops. */
void peer_close(struct peer *peer);

/** Close its end over what it was sent and did not look at, which the other end
 * sees it as a reset, and run the loops. */
void peer_reset(struct peer *peer);

/** Say that it will write no more, and run the loops. */
void peer_shutdown(struct peer *peer);

/** What was received since the last look, as text, valid until the next. */
const char *peer_heard(struct peer *peer);

/** Say of each of ${count} peers whether there is something to hear, or its
 * end: all are looked at by one call. */
void peer_look(struct peer *const *peers, int count, bool *news);

/** The next command of Redis's protocol that was received whole, its arguments
 * with blanks between them, those of more than 60 bytes as "...", valid until
 * the next look; NULL: there is none. */
const char *peer_command(struct peer *peer);

/** All of them, with commas between; "": there is none. */
const char *peer_commands(struct peer *peer);

/** The next one, and it stays the next. */
const char *peer_coming(struct peer *peer);

/** Take the greeting of a link without a login and with database 0, and reply
 * to it as a server of its own, a master, without a topology, does.  The
 * process ends if it is another. */
void peer_greet(struct peer *peer);

/** Whether the other end is closed, once all that it wrote was looked at. */
bool peer_is_left(struct peer *peer);

/** Bound what the socket holds on the way to this peer, to few kilobytes. */
void peer_narrow(int fd);

#endif
