/**
 * listen: opens sockets that clients connect to.
 *
 * Owns nothing: what is opened is the caller's.
 */
#ifndef NET_LISTEN_H
#define NET_LISTEN_H

#include "base/attr.h"

#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/** Most sockets of one TCP address: a name has several, "*" has two. */
#define LISTEN_TCP_MAX 8

/** Room for why something cannot be listened on. */
#define LISTEN_REASON_MAX 200

/** Look up what ${address} says (host_port.h).  Waits for the resolver.  Return
 * a list for freeaddrinfo(), or NULL with ${reason}. */
struct addrinfo *listen_look_up(
    const char *address, char reason[LISTEN_REASON_MAX]) MUST_USE;

/** Whether this host can listen on the addresses.  Does not check whether the
 * port is in use, or reserved for root. */
bool listen_is_possible(
    const struct addrinfo *list, char reason[LISTEN_REASON_MAX]) MUST_USE;

/** Open non-blocking listening sockets on all of them, except families that
 * this host does not have.  Return how many, or -1 with ${reason}. */
int listen_tcp(const struct addrinfo *list, int fds[LISTEN_TCP_MAX],
    char reason[LISTEN_REASON_MAX]) MUST_USE;

/** A Unix socket. */
struct listen_unix {
	const char *path;
	int mode;          /* of the file; -1: 0777 less the umask */
	const char *group; /* of the file, a name or a number; "": ours */
};

/** A socket file, as it was bound. */
struct listen_file {
	const char *path; /* NULL: none */
	dev_t device;
	ino_t inode;
};

/** Whether the group and the path's folder exist, and the path is free or leads
 * to a socket. */
bool listen_unix_is_possible(
    const struct listen_unix *what, char reason[LISTEN_REASON_MAX]) MUST_USE;

/** Open a non-blocking listening Unix socket.  A socket file that no process
 * listens on is replaced; any other file is left alone.  Return the descriptor,
 * with ${file} set; or -1 with ${reason}. */
int listen_unix(const struct listen_unix *what, struct listen_file *file,
    char reason[LISTEN_REASON_MAX]) MUST_USE;

/** Remove the file, unless the path leads to another by now. */
void listen_remove(const struct listen_file *file);

#endif
