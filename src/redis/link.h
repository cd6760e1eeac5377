/**
 * link: one connection to one Redis server, kept up.
 *
 * Owns: the socket, the queue of calls in flight, the deadlines, reconnecting.
 * Never: knows limits, clients or scripts; resends anything.
 *
 * Calls are pipelined, and their replies come in order.  The first call that
 * misses its deadline closes the connection, since a late reply could be taken
 * for another's.  Reconnecting backs off with full jitter
 * (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/),
 * from LINK_BACKOFF_MIN_US up to a maximum, until link_proven().  A new master
 * (sentinel.h) is dialed at once, but no two waits in a row are cut short.
 *
 * Servers close connections that are idle for long (Redis: timeout).  Such a
 * close, with nothing in flight, is no failure: the link reconnects at once,
 * and calls made meanwhile wait.  The link is down only if that attempt fails.
 */
#ifndef REDIS_LINK_H
#define REDIS_LINK_H

#include "base/attr.h"
#include "base/script.h"
#include "net/dial.h"
#include "net/tls.h"
#include "redis/command.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdint.h>

#define LINK_BACKOFF_MIN_US INT64_C(50000)
#define LINK_BACKOFF_MAX_US INT64_C(500000)

/** The longest while its name cannot be looked up, which costs no server
 * anything, and is soon over when the name server is back. */
#define LINK_UNKNOWN_MAX_US INT64_C(2000000)

/** What sort of server will do. */
enum link_kind {
	LINK_TO_ANY,
	LINK_TO_MASTER, /* of a cluster only if there is a cluster_key */
	LINK_TO_SENTINEL,
	LINK_TO_CLUSTER,
};

/** Where to find out which server it is (sentinel.h). */
struct sentinel_options {
	const char *hosts; /* a list (host_port.h); NULL: the endpoint is it */

	/* The hosts are nodes of a cluster, and it is the master of this key's
	 * slot; NULL: they are sentinels. */
	const char *cluster_key;
	const char *master_name;
	const char *username; /* of the sentinels; "": the default user */
	const char *password; /* "": none */
	bool tls;             /* as to the server itself */
};

/** What must stand in a key of the server, or nothing (topology_record.h). */
struct link_record {
	const char *key, *text;
};

struct secret;

struct link_options {
	struct endpoint endpoint;
	int64_t db;
	const char *username;       /* "" or NULL: the default user */
	const char *password;       /* "": none, or an empty one */
	const char *password_file;  /* where ${secret} is from; "" or NULL */
	struct secret *secret;      /* instead of the password; NULL: that */
	int64_t connect_timeout_us; /* until the server has greeted */
	int64_t socket_timeout_us;  /* a call */
	int64_t backoff_max_us;     /* 0: LINK_BACKOFF_MAX_US */
	int64_t reply_max_bytes;    /* 0: REPLY_MAX_BYTES */
	struct tls_options tls;
	struct tls_context *tls_context; /* of these, borrowed; NULL: no TLS */
	enum link_kind kind;
	enum script_mode script; /* for script_call */
	struct sentinel_options sentinel;
	const struct link_record *record; /* NULL: any will do */

	/* The server's CLIENT LIST has it as dripgate-NODE-ROLE. */
	const char *node; /* of this daemon; NULL: it has no name there */
	const char *role; /* what it is for: "worker-1"; NULL: the same */
};

struct link_events {
	/** Connected, and greeted (greeting.h): calls may be made. */
	void (*up)(void *arg);

	/** The link was up and is not any more, or an attempt failed.  Calls in
	 * flight got NULL before. */
	void (*down)(void *arg);

	/** A message was published on a subscribed channel: an array of
	 * "message", the channel, and the text, valid during the call.  NULL:
	 * no channel is subscribed to, and such an array is an error. */
	void (*message)(const redisReply *reply, void *arg);
};

struct link; /* opaque */

/** The reply to a call, valid during this callback; NULL: there was none, and
 * whether the command ran is not known. */
typedef void link_done(const redisReply *reply, void *arg);

/** Start connecting, and reconnect whenever the connection ends.  ${options}
 * are borrowed.  No event comes from within.  NULL: out of memory. */
struct link *link_new(struct loop *loop, struct dialer *dialer,
    const struct link_options *options, const struct link_events *events,
    void *arg) MUST_USE;

/** Give NULL to the calls in flight, close, free; NULL: no-op.  Causes no
 * event.  Not from within a callback of this link. */
void link_free(struct link *link);

/** Queue one command; link_flush() sends it.  Return 0 and later call ${done}
 * exactly once, never from within this call; or return -1 (not up, or out of
 * memory) and never call it. */
int link_call(struct link *link, const struct command *command,
    int64_t deadline_us, link_done *done, void *arg) MUST_USE;

/** Whether a call would be sent at once; it may also wait for a reconnection.
 */
bool link_is_up(const struct link *link);

/** If no call was made for a while, look whether the server has closed the
 * connection, which is made again then.  So does each call, which waits for
 * that. */
void link_look(struct link *link);

/** When the connection came up, if it is. */
int64_t link_up_since_us(const struct link *link);

/** Send what was queued. */
void link_flush(struct link *link);

/** Close the connection because of what the server sent, and look its name up
 * again, or ask another of those that say which server it is.  Calls in flight
 * get NULL, then down is called, from within. */
void link_drop(struct link *link, const char *reason);

/** Where the link is connected to; valid until it is down. */
const struct endpoint *link_endpoint(const struct link *link);

/** The link is to the master of a slot, which is now ${master}: connect to that
 * at once.  The link is up, and no call is in flight.  Until up or down is
 * called, it is neither. */
void link_follow(struct link *link, const struct endpoint *master);

/** The server does its work: the next back-off starts from the shortest
 * again. */
void link_proven(struct link *link);

/** "127.0.0.1:6379" or the socket's path, for people. */
const char *link_name(const struct link *link);

#endif
