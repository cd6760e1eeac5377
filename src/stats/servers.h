/**
 * servers: what the calls to each Redis server came to; for metrics.
 *
 * Each worker has a link to each server, and all links to one server share a
 * row, which stays after the last of them is gone.  Any thread may call.
 */
#ifndef STATS_SERVERS_H
#define STATS_SERVERS_H

#include "base/attr.h"
#include "stats/histogram.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Most servers with a row of their own; the others share the last one. */
#define SERVERS_MAX     64
#define SERVER_NAME_MAX 300

/** X(NAME, name): how a call, or an attempt to connect, failed. */
#define SERVER_ERRORS(X)                                                       \
	X(CONNECT, connect) /* no connection, or no greeting */                \
	X(LOST, lost)       /* the connection ended */                         \
	X(TIMEOUT, timeout) /* queries waited longer than socket_timeout */    \
	X(REFUSED, refused) /* the server replied with an error */             \
	X(FOREIGN, foreign) /* the reply was not of our script */

enum server_error {
#define X(id, name) SERVER_ERROR_##id,
	SERVER_ERRORS(X)
#undef X
	    SERVER_ERROR_COUNT
};

extern const char *const server_error_names[SERVER_ERROR_COUNT];

struct server {
	char name[SERVER_NAME_MAX];
	unsigned links, links_up; /* under the lock of the servers */
	int64_t since_us;         /* when it last came up or went down */

	_Atomic uint64_t reconnects, calls;
	_Atomic uint64_t errors[SERVER_ERROR_COUNT];
	struct histogram took; /* calls, from when they were sent */
};

struct servers;

/** NULL: out of memory. */
struct servers *servers_new(void) MUST_USE;
void servers_free(struct servers *servers);

/** A link is to the server ${name} now; ${from} is the one that it was to
 * before, or NULL.  Return the server, which lives as long as ${servers}. */
struct server *servers_attach(struct servers *servers, struct server *from,
    const char *name, int64_t now_us);

/** A link, which ${was_up} or not, is gone. */
void servers_detach(
    struct servers *servers, struct server *server, bool was_up);

/** A link, which ${was_up} or not, is down: count that as an error.  Return
 * whether an outage begins with that: there was none. */
bool servers_note_down(struct servers *servers, struct server *server,
    bool was_up, int64_t now_us);

/** A link that was down is up.  Return whether an outage ends with that: all
 * links are up. */
bool servers_note_up(
    struct servers *servers, struct server *server, int64_t now_us);

/** A server as of now. */
struct server_view {
	const struct server *server;
	unsigned links; /* 0: it is no longer used */
	bool up;        /* all of them are */
	int64_t since_us;
};

/** The server at place ${i}.  Return false if there are no more. */
bool servers_at(
    struct servers *servers, size_t i, struct server_view *view) MUST_USE;

/** Add one to a count of a server. */
static inline void
server_count(_Atomic uint64_t *count)
{
	atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
}

/** Count a call that took ${us} until its reply. */
static inline void
server_time_call(struct server *server, int64_t us)
{
	histogram_add_shared(&server->took, us);
}

#endif
