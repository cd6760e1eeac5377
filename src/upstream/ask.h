/**
 * ask: one client's request to an upstream, between the worker that has the
 * client and the upstream thread.
 *
 *   worker                                    upstream thread
 *     ask_new(), ask_start() ----inbox---->     flight
 *     ask_take()             <---port------     ask_begin(), ask_add(), ...
 *     ask_end()              ----inbox---->     frees it
 *
 * The response comes in pieces, of which ASK_ROOM bytes wait here at most: what
 * the client does not take, the upstream must keep.
 */
#ifndef UPSTREAM_ASK_H
#define UPSTREAM_ASK_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/list.h"
#include "net/loop.h"
#include "upstream/response.h"
#include "upstream/upstream.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Bytes of a body that wait for its client. */
#define ASK_ROOM 16384

/** Headers of a client that ask whether what it has is changed: of a request
 * that may be answered by the cache, they do not go out. */
#define ASK_CONDITIONS "if-none-match if-modified-since"

/** Longest name of a method. */
#define ASK_METHOD_MAX 15

/** Why there is no response of the upstream.
 *
 * X(ID, status, code word, text) */
#define UPSTREAM_FAULTS(X)                                                     \
	X(NAME, 404, "noupstream", "no upstream has this name")                \
	X(PATH, 400, "badpath",                                                \
	    "a path has no .., no escaped slash and no other odd byte")        \
	X(METHOD, 405, "badmethod", "this upstream does not take this method") \
	X(BODY, 413, "toolong",                                                \
	    "the body is longer than the upstream's "                          \
	    "max_body")                                                        \
	X(LIMITED, 429, "limited", "the limits of the upstream have no room")  \
	X(BLOCKED, 429, "blocked", "the upstream said to come back later")     \
	X(UNMATCHED, 503, "nolimit",                                           \
	    "no limit matches the key of the "                                 \
	    "upstream")                                                        \
	X(OPEN, 503, "failing",                                                \
	    "the upstream failed several times in a row; it is left alone")    \
	X(SHARED, 503, "failing",                                              \
	    "the upstream failed at the same request of another client")       \
	X(BUSY, 503, "busy", "too many requests wait for the upstream")        \
	X(CONNECT, 502, "badgateway", "the upstream could not be reached")     \
	X(BAD, 502, "badgateway", "the upstream's response is malformed")      \
	X(TIMEOUT, 504, "timeout", "the upstream did not respond in time")     \
	X(NOTCACHED, 504, "notcached",                                         \
	    "the request wants only what is stored, and nothing is")           \
	X(ENDING, 503, "draining", "the server is about to end")               \
	X(MEMORY, 503, "unavailable", "out of memory")

enum upstream_fault {
	UPSTREAM_FINE,
#define X(id, ...) UPSTREAM_FAULT_##id,
	UPSTREAM_FAULTS(X)
#undef X
};

struct upstream_fault_row {
	int status;
	const char *code, *text;
};

/** By enum upstream_fault. */
extern const struct upstream_fault_row upstream_faults[];

struct ask;
TAILQ_HEAD(ask_list, ask);

/** The worker's end: which asks have news, and which have orders.  A field of
 * the worker. */
struct port {
	struct loop *loop;
	pthread_mutex_t lock; /* of what its asks share */
	struct ask_list news;

	/* the worker's: orders to be handed over at the end of a turn */
	struct ask_list out;
	unsigned over;  /* that can wait */
	bool is_urgent; /* one of them can not */
};

void port_init(struct port *port, struct loop *loop);

/** Call news of each ask that has some; on the worker's thread, once its loop
 * was woken. */
void port_take(struct port *port);

/** Hand over what was ordered; at the end of a turn. */
void port_send(struct port *port);

/** Hand over the rest.  None of its asks may be left. */
void port_clear(struct port *port);

/** What the worker wants of the upstream thread; bits. */
enum ask_order { ASK_START = 1, ASK_GO_ON = 2, ASK_END = 4 };

/** What X-Cache says. */
enum ask_cache { ASK_BYPASS, ASK_MISS, ASK_HIT, ASK_STALE };

const char *ask_cache_name(enum ask_cache cache);

/** Most asks that are over, and wait to be freed until the upstream thread has
 * something else to do. */
#define INBOX_OVER_MAX 16

/** Where orders come in; any thread. */
struct inbox {
	struct loop *loop; /* woken */
	pthread_mutex_t lock;
	struct ask_list asks;
	bool is_woken; /* the upstream thread is about to take all */
	unsigned over; /* asks that it was not woken for */

	struct ask_list due; /* the upstream thread's: to be told */
};

struct ask {
	/* given */
	struct port *port;
	struct inbox *inbox;
	void (*news)(struct ask *ask, void *arg);
	void *arg;

	/* the request; it does not change */
	struct upstream *upstream; /* a reference */
	char method[ASK_METHOD_MAX + 1];
	struct buf bytes; /* the target with its NUL, headers, body */
	size_t target_len, fields_len;
	bool is_cached; /* the response may be stored, and be for others, too */
	struct request_control control; /* if it is */
	struct stored_response *stored; /* what may be stale; or NULL; held */

	/* shared, under the port's lock */
	TAILQ_ENTRY(ask) new;
	bool is_new;   /* it is among the port's news */
	bool is_over;  /* the worker is done with it */
	bool has_head; /* and it was not taken yet */
	bool is_full;  /* the flight waits for room */
	bool is_done;  /* there is no more */
	bool is_large; /* what was gathered for it is counted until it ends */
	bool is_cut;   /* it ended before its end */
	int status;
	int64_t length; /* of the body; -1: not known */
	struct buf head, body;
	struct stored_response *whole; /* in place of head and body; held */
	enum ask_cache cache;          /* where it is from */
	enum upstream_fault fault;
	int64_t retry_us; /* with it; 0: not known */

	/* the worker's */
	TAILQ_ENTRY(ask) out;
	unsigned wanted; /* enum ask_order; 0: it is not in the port's out */

	/* under the inbox's */
	TAILQ_ENTRY(ask) ordered;
	unsigned orders; /* enum ask_order; 0: it is not in the inbox */

	/* the upstream thread's */
	struct flight *flight; /* NULL: over */
	TAILQ_ENTRY(ask) ride;
	bool is_due; /* it is among the inbox's due */
	TAILQ_ENTRY(ask) due;
	size_t gathered; /* bytes in flights->gathered, until it ends */
	bool is_alone;   /* no other may come along */
	bool is_refresh; /* no client waits for it */
};

/** What came since the last look; the bytes are the callee's to free. */
struct ask_part {
	bool has_head;
	int status;
	int64_t length;
	struct buf head; /* whole lines */
	struct buf body;
	bool is_done, is_cut;
	bool has_more;                 /* is there already: look again */
	struct stored_response *whole; /* the callee's to release */
	enum ask_cache cache;
	enum upstream_fault fault;
	int64_t retry_us;
};

/** A request as a client made it; borrowed. */
struct ask_request {
	struct part method;
	struct part target; /* "", or "/PATH?QUERY" behind the name */
	struct headers fields;
	struct part body;
};

/** What of it goes out. */
struct ask_wanted {
	struct buf bytes; /* "/PATH?QUERY" with its NUL, and the headers */
	size_t target_len;
	bool is_cached;
	struct request_control control; /* if it is */
};

/** Write to ${wanted}, whose bytes are used again, what of ${request} goes to
 * ${upstream}.  Return what is wrong with it, or UPSTREAM_FINE. */
enum upstream_fault ask_want(struct ask_wanted *wanted,
    const struct upstream *upstream, const struct ask_request *request);

static inline struct part
ask_wanted_target(const struct ask_wanted *wanted)
{
	return (struct part){buf_data(&wanted->bytes), wanted->target_len};
}

static inline struct headers
ask_wanted_fields(const struct ask_wanted *wanted)
{
	size_t at = wanted->target_len + 1;

	return (struct headers){
	    buf_data(&wanted->bytes) + at, buf_len(&wanted->bytes) - at};
}

/** Make one; ${stored}, or NULL, may be stale, and is held from now on.  NULL:
 * out of memory. */
struct ask *ask_new(struct port *port, struct upstream *upstream,
    const struct ask_wanted *wanted, const struct ask_request *request,
    struct stored_response *stored) MUST_USE;

/** Hand it over to ${inbox}, by port_send(); ${news} is called, on the worker's
 * thread, when there is something to take. */
void ask_start(struct ask *ask, struct inbox *inbox,
    void (*news)(struct ask *ask, void *arg), void *arg);

/** The same, for good: only what is stored is to be made fresh. */
void ask_start_refresh(struct ask *ask, struct inbox *inbox);

/** Take what came; nothing may have. */
void ask_take(struct ask *ask, struct ask_part *part);

/** The worker is done with it, which is not to be touched any more; NULL:
 * no-op. */
void ask_end(struct ask *ask);

/*
 * For the upstream thread.
 */

void inbox_init(struct inbox *inbox, struct loop *loop);

/** Take the next one with orders, and them; NULL: there is none. */
struct ask *inbox_take(struct inbox *inbox, unsigned *orders);

/** Have workers look at what came for their asks; the upstream thread, at the
 * end of a turn. */
void inbox_tell(struct inbox *inbox);

void inbox_clear(struct inbox *inbox);

/** Memory that it holds beside itself and its response. */
static inline size_t
ask_bytes(const struct ask *ask)
{
	return ask->bytes.cap;
}

/** Its target, "/PATH?QUERY", its headers, its body. */
static inline const char *
ask_target(const struct ask *ask)
{
	return ask->bytes.bytes;
}

static inline const char *
ask_fields(const struct ask *ask)
{
	return ask->bytes.bytes + ask->target_len + 1;
}

static inline const char *
ask_body(const struct ask *ask, size_t *len)
{
	*len = ask->bytes.end - ask->target_len - 1 - ask->fields_len;
	return ask_fields(ask) + ask->fields_len;
}

/** Whether its method changes nothing at the server. */
bool ask_is_safe(const struct ask *ask);

/** The response begins.  Takes over ${head}. */
void ask_begin(struct ask *ask, int status, struct buf *head, int64_t length);

/** Append ${body}, which it takes over, whether there is room or not. */
void ask_put(struct ask *ask, struct buf *body);

/** The response is ${whole}, of which it takes a hold. */
void ask_give(
    struct ask *ask, struct stored_response *whole, enum ask_cache cache);

/** Append to its body.  Return whether there was room; if not, the worker
 * orders ASK_GO_ON once there is.  -1: out of memory. */
int ask_add(struct ask *ask, const char *bytes, size_t len) MUST_USE;

/** It is over: well, or ${is_cut}. */
void ask_finish(struct ask *ask, bool is_cut);

/** There is no response, for this reason. */
void ask_fail(struct ask *ask, enum upstream_fault fault, int64_t retry_us);

/** Free it, once ASK_END was ordered. */
void ask_free(struct ask *ask);

#endif
