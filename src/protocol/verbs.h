/**
 * verbs: what a client can ask for, one row each.
 *
 * The parsers of all protocols, COMMAND and HELP read this table; a test holds
 * the manual page to it.  What the server does for a verb is one row in
 * server/serve.c.
 */
#ifndef PROTOCOL_VERBS_H
#define PROTOCOL_VERBS_H

#include "base/attr.h"
#include "base/buf.h"
#include "limit/bucket.h"

#include <stdbool.h>
#include <stddef.h>

/** One word behind a verb. */
enum argument {
	ARGUMENT_NONE,
	ARGUMENT_KEY,
	ARGUMENT_AMOUNT,
	ARGUMENT_DROPS,    /* an amount that is not negative */
	ARGUMENT_SECONDS,  /* how long to wait */
	ARGUMENT_LEASE,    /* what names it */
	ARGUMENT_EACH_KEY, /* of several, each with its amount */
	ARGUMENT_EACH_AMOUNT,
	ARGUMENT_COUNT,  /* of lines */
	ARGUMENT_FILTER, /* of decisions: a glob of keys, or a verdict */
	ARGUMENT_STORED, /* responses: a glob of upstreams, and of targets */
	ARGUMENT_SECRET, /* or the name before it */
	ARGUMENT_ID,     /* of the request: "id=ID" */
};

/** Most arguments that are described one by one. */
#define ARGUMENTS_MAX 3

/** Most keys of one request. */
#define VERB_KEYS_MAX 16

/** No limit on the number of arguments. */
#define ARGUMENTS_ANY 1000000

/**
 * What may follow a verb.
 *
 * X(ID, fewest, most, as HELP shows it, argument ...)
 *
 * redis-cell's arguments behind the key are for protocol/resp/throttle.c, which
 * also counts them, since its errors are those of redis-cell.
 */
#define VERB_SHAPES(X)                                                         \
	X(NONE, 0, 0, "", ARGUMENT_NONE)                                       \
	X(FILTER, 0, 2, " [glob] [denied|allowed]", ARGUMENT_FILTER,           \
	    ARGUMENT_FILTER)                                                   \
	X(COUNT, 0, 1, " [n]", ARGUMENT_COUNT)                                 \
	X(STORED, 1, 1, " upstream:glob", ARGUMENT_STORED)                     \
	X(SECRET, 1, 2, " [name] secret", ARGUMENT_SECRET, ARGUMENT_SECRET)    \
	X(KEY, 1, 1, " key", ARGUMENT_KEY)                                     \
	X(KEY_AMOUNT, 1, 2, " key [amount]", ARGUMENT_KEY, ARGUMENT_AMOUNT)    \
	X(KEY_SECONDS, 1, 3, " key [amount] [seconds]", ARGUMENT_KEY,          \
	    ARGUMENT_DROPS, ARGUMENT_SECONDS)                                  \
	X(KEY_LEASE, 2, 2, " key id", ARGUMENT_KEY, ARGUMENT_LEASE)            \
	X(KEY_LEASE_DROPS, 2, 3, " key id [amount]", ARGUMENT_KEY,             \
	    ARGUMENT_LEASE, ARGUMENT_DROPS)                                    \
	X(KEY_AMOUNT_ID, 1, 3, " key [amount] [id=ID]", ARGUMENT_KEY,          \
	    ARGUMENT_AMOUNT, ARGUMENT_ID)                                      \
	X(KEY_DROPS_ID, 2, 3, " key amount [id=ID]", ARGUMENT_KEY,             \
	    ARGUMENT_DROPS, ARGUMENT_ID)                                       \
	X(KEYS, 2, 2 * VERB_KEYS_MAX, " key amount [key amount ...]",          \
	    ARGUMENT_EACH_KEY, ARGUMENT_EACH_AMOUNT)                           \
	X(KEYS_ID, 2, 2 * VERB_KEYS_MAX + 1,                                   \
	    " key amount [key amount ...] [id=ID]", ARGUMENT_EACH_KEY,         \
	    ARGUMENT_EACH_AMOUNT, ARGUMENT_ID)                                 \
	X(CELL, 0, ARGUMENTS_ANY, " key max_burst count period [quantity]",    \
	    ARGUMENT_KEY)

/** Whose verbs a protocol offers, or'ed. */
enum verb_family {
	VERBS_DRIPGATE = 1,   /* ours */
	VERBS_REDIS_CELL = 2, /* the command of that module for Redis */
	VERBS_REDIS = 4,      /* Redis's own, on the key's buckets */
	VERBS_LINE = 16,      /* of lines; other protocols have forms of them */
	VERBS_HTTP = 8,       /* paths of HTTP, without a name elsewhere */
};

/**
 * The verbs, in the order in which HELP shows them.
 *
 * X(ID, name, shape, operation, cost, family, help)
 *
 * The operation is that on the key's bucket.  A verb without a bucket has
 * OP_PEEK if it changes nothing, and else OP_RESET.
 *
 * A request that is EXPENSIVE costs more than a decision: after it, the worker
 * looks at the clock, and serves other clients if the quantum is used up.
 */
#define VERBS(X)                                                               \
	X(CONSUME, "consume", KEY_AMOUNT_ID, OP_CONSUME, CHEAP, DRIPGATE,      \
	    "may amount drops (1) go in? -N gives back")                       \
	X(PEEK, "peek", KEY_AMOUNT, OP_PEEK, CHEAP, DRIPGATE,                  \
	    "the same question; nothing changes")                              \
	X(MCONSUME, "mconsume", KEYS_ID, OP_CONSUME, CHEAP, DRIPGATE,          \
	    "may all of them go in? else none does")                           \
	X(MPEEK, "mpeek", KEYS, OP_PEEK, CHEAP, DRIPGATE,                      \
	    "the same question; nothing changes")                              \
	X(CHARGE, "charge", KEY_DROPS_ID, OP_CHARGE, CHEAP, DRIPGATE,          \
	    "amount drops go in, up to the debt of the limit")                 \
	X(TAKE, "take", KEY_DROPS_ID, OP_TAKE, CHEAP, DRIPGATE,                \
	    "as many of amount drops go in as fit")                            \
	X(WAIT, "wait", KEY_SECONDS, OP_WAIT, CHEAP, DRIPGATE,                 \
	    "amount drops go in when they fit; the response waits")            \
	X(HOLD, "hold", KEY_LEASE_DROPS, OP_HOLD, CHEAP, DRIPGATE,             \
	    "amount drops (1) go in until released, or renews them")           \
	X(RELEASE, "release", KEY_LEASE, OP_RELEASE, CHEAP, DRIPGATE,          \
	    "what is held under the id comes out")                             \
	X(RESET, "reset", KEY, OP_RESET, CHEAP, DRIPGATE,                      \
	    "empty the bucket, end its block")                                 \
	X(EXPLAIN, "explain", KEY, OP_PEEK, EXPENSIVE, DRIPGATE,               \
	    "which limit applies, and why")                                    \
	X(LIMITS, "limits", NONE, OP_PEEK, EXPENSIVE, DRIPGATE,                \
	    "the limits in force")                                             \
	X(STATS, "stats", NONE, OP_PEEK, EXPENSIVE, DRIPGATE, "counters")      \
	X(STATUS, "status", NONE, OP_PEEK, EXPENSIVE, DRIPGATE,                \
	    "how the daemon, its limits and its Redis are")                    \
	X(TOP, "top", COUNT, OP_PEEK, EXPENSIVE, DRIPGATE,                     \
	    "the n (10) keys denied most, and allowed most")                   \
	X(MONITOR, "monitor", FILTER, OP_PEEK, EXPENSIVE, DRIPGATE,            \
	    "decisions as they are made, until you send anything")             \
	X(CACHE, "cache", NONE, OP_PEEK, EXPENSIVE, DRIPGATE,                  \
	    "what is stored of each upstream")                                 \
	X(FORGET, "forget", STORED, OP_RESET, EXPENSIVE, DRIPGATE,             \
	    "forget what is stored of the paths that match")                   \
	X(AUTH, "auth", SECRET, OP_PEEK, EXPENSIVE, LINE, "log in")            \
	X(PING, "ping", NONE, OP_PEEK, EXPENSIVE, DRIPGATE, "PONG")            \
	X(READY, "ready", NONE, OP_PEEK, EXPENSIVE, DRIPGATE,                  \
	    "READY and what decides: redis, memory or fallback")               \
	X(HELP, "help", NONE, OP_PEEK, EXPENSIVE, DRIPGATE, "this")            \
	X(QUIT, "quit", NONE, OP_PEEK, EXPENSIVE, DRIPGATE,                    \
	    "close the connection")                                            \
	X(THROTTLE, "cl.throttle", CELL, OP_CONSUME, CHEAP, REDIS_CELL,        \
	    "as redis-cell does")                                              \
	X(DEL, "del", KEY, OP_RESET, EXPENSIVE, REDIS,                         \
	    "1 if the key had a bucket, of CL.THROTTLE too; forgets it")       \
	X(EXISTS, "exists", KEY, OP_PEEK, EXPENSIVE, REDIS,                    \
	    "1 if the key has a bucket")                                       \
	X(TTL, "ttl", KEY, OP_PEEK, EXPENSIVE, REDIS,                          \
	    "seconds until its bucket is empty; -2: it has none")              \
	X(PTTL, "pttl", KEY, OP_PEEK, EXPENSIVE, REDIS, "the same in ms")      \
	X(GET, "get", KEY, OP_PEEK, EXPENSIVE, REDIS,                          \
	    "what is stored of upstream:path; nil: nothing")                   \
	X(METRICS, "metrics", NONE, OP_PEEK, EXPENSIVE, HTTP,                  \
	    "counters, for Prometheus")                                        \
	X(OPENMETRICS, "openmetrics", NONE, OP_PEEK, EXPENSIVE, HTTP,          \
	    "the same, as OpenMetrics")                                        \
	X(EVENTS, "events", NONE, OP_PEEK, EXPENSIVE, HTTP,                    \
	    "what the status page shows, each second")                         \
	X(CHECK, "check", NONE, OP_CONSUME, EXPENSIVE, HTTP,                   \
	    "may this request go ahead? its route says under which keys")      \
	X(UPSTREAM, "upstream", NONE, OP_CONSUME, EXPENSIVE, HTTP,             \
	    "pass this request on to an upstream, within its limits")

enum verb {
#define X(id, ...) VERB_##id,
	VERBS(X)
#undef X
	    VERB_COUNT
};

struct verb_shape {
	size_t fewest, most; /* arguments */
	const char *usage;   /* "" or " key [amount]" */
	enum argument arguments[ARGUMENTS_MAX];
};

struct verb_row {
	const char *name; /* in lower case */
	size_t name_len;
	const struct verb_shape *shape;
	enum op op;
	bool expensive;
	enum verb_family family;
	const char *help;
};

/** By enum verb. */
extern const struct verb_row verb_rows[VERB_COUNT];

/** The verb that ${len} bytes name, in any case; or VERB_COUNT: ${families}
 * have none of that name. */
enum verb verb_find(const char *name, size_t len, unsigned families);

/** Whether its first argument is a key, the only one. */
static inline bool
verb_has_key(const struct verb_row *row)
{
	return row->shape->arguments[0] == ARGUMENT_KEY;
}

/** Whether it has several. */
static inline bool
verb_has_keys(const struct verb_row *row)
{
	return row->shape->arguments[0] == ARGUMENT_EACH_KEY;
}

/** Whether an id may follow. */
static inline bool
verb_takes_id(const struct verb_shape *shape)
{
	return shape->arguments[2] == ARGUMENT_ID;
}

/** What argument ${i}, from 0, is; ARGUMENT_NONE: there is none, or it is not
 * described. */
static inline enum argument
verb_argument(const struct verb_shape *shape, size_t i)
{
	if (shape->arguments[0] == ARGUMENT_EACH_KEY && i < shape->most)
		i %= 2;
	return i < ARGUMENTS_MAX ? shape->arguments[i] : ARGUMENT_NONE;
}

/** Number of rows that HELP has on the verbs of ${families}. */
size_t verbs_help_count(unsigned families);

/** Append row ${i} of them, a line.  Return 0, or -1 (out of memory). */
int verbs_help_row(struct buf *out, unsigned families, size_t i) MUST_USE;

#endif
