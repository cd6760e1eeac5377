/**
 * store: where buckets live, as its callers see it.
 *
 * A store belongs to one worker thread, and only that thread calls it; a store
 * locks what it shares with other threads.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "limit/bucket.h"
#include "limit/key.h"
#include "limit/limit.h"
#include "limit/rules.h"

#include <stdbool.h>
#include <stdint.h>

enum result {
	RESULT_DECISION,    /* the decision is in the query */
	RESULT_DONE,        /* a reset took place */
	RESULT_UNAVAILABLE, /* the store could not be reached, or not in time */
};

/** Why a result is RESULT_UNAVAILABLE. */
enum unavailable {
	UNAVAILABLE_DOWN,    /* not connected, or no longer */
	UNAVAILABLE_TIMEOUT, /* no reply in time */
	UNAVAILABLE_REFUSED, /* an error, or a strange reply */
};

/** What became of an id. */
enum once_result {
	ONCE_NEW,      /* decided by this query */
	ONCE_REPEATED, /* it has the results that it had before */
	ONCE_OTHER,    /* it came with another question before: no result */
};

/**
 * The id of a request that is charged once, however often it comes: within the
 * id_memory of the limit, the store gives it the results that it had.  A denial
 * it gives again only as long as the drops would still not fit.
 */
struct once {
	const char *id; /* as id_is_valid() says */
	size_t len;
	enum once_result result;

	/* the store's: its names, in the keys of the batch */
	uint32_t name_at;
	uint16_t name_len;
};

/** Most queries that can be decided together. */
#define MATES_MAX 16

/**
 * One question to a store, and its result.  The caller owns it, and keeps it
 * and its rules in place until it has its result.
 *
 * Queries of one place, see store_place(), about different buckets can be
 * decided together: the first has the others as its mates, in a chain.  All of
 * them are charged, or none is; one whose limit is in shadow keeps none of the
 * others from it.  Only the first is given to store_query(), and only its done
 * is called, once all have their results.  They are all consumes, all charges
 * or all peeks.  What puts drops in can have an id.
 */
struct query {
	/* the question */
	const struct rules *rules; /* the set that has the limit */
	const struct limit *limit;
	struct key key; /* borrowed during store_query() only */
	int64_t amount;
	int64_t now_us; /* when it was received */
	void (*done)(struct query *);
	void *owner; /* the caller's */

	struct query *mate; /* the next of those decided together; or NULL */
	struct once *once;  /* of the first of these; NULL: there is no id */
	enum op op;

	/* the result */
	enum result result;
	enum unavailable why; /* if it is RESULT_UNAVAILABLE */
	enum decided_by decided_by;
	struct decision decision;

	/* set if DECIDED_BY_REDIS; of OP_WAIT always */
	int64_t decided_us; /* when, by the clock of Redis */
	union {
		int64_t wait_us; /* before OP_WAIT: for how long, at most, it
				  * may wait; above 0 */
		uint64_t lease;  /* before OP_HOLD and OP_RELEASE: lease_name()
				  * of the one that it names */
		struct bucket bucket; /* after the decision; before OP_GIVE_BACK
				       * and OP_LEAVE, as it was after the
				       * consume */
	};

	bool charged; /* its drops were put in */

	uint32_t deny_mark; /* the deny cache's */

	/* the store's, while it holds the query */
	struct query *next;
	uint16_t partition; /* of the key, in Redis */
	uint16_t entry;     /* of its batch */
	uint32_t deny_turn; /* the deny cache's, too */
};

struct store;

struct store_ops {
	bool (*query)(struct store *, struct query *);
	size_t (*place)(struct store *, const struct query *);  /* or NULL */
	void (*prefetch)(struct store *, const struct query *); /* or NULL */
	void (*flush)(struct store *);
	bool (*has_room)(const struct store *); /* NULL: always */
	size_t (*trim)(struct store *);         /* NULL: it keeps nothing */
	void (*free)(struct store *);
};

/** First member of every store. */
struct store {
	const struct store_ops *ops;
	bool has_places; /* more than one, which ops->place tells apart */
};

/** Whether both ask the same of their buckets. */
static inline bool
query_is_alike(const struct query *a, const struct query *b)
{
	return a->op == b->op && a->amount == b->amount &&
	       (a->op != OP_WAIT || a->wait_us == b->wait_us) &&
	       (!op_names_lease(a->op) || a->lease == b->lease);
}

/** Ask.  True: the query has its result, and ${query}->done will not be called.
 * False: ${query}->done is called exactly once, later, never from within. */
static inline bool
store_query(struct store *store, struct query *query)
{
	return store->ops->query(store, query);
}

/** The place where ${query}, which has its key, is decided: a number. */
static inline size_t
store_place(struct store *store, const struct query *query)
{
	return store->has_places ? store->ops->place(store, query) : 0;
}

/** ${query}, which has its limit and its key, will be asked soon: have the
 * processor fetch the memory that holds its bucket.  Changes nothing. */
static inline void
store_prefetch(struct store *store, const struct query *query)
{
	if (store->ops->prefetch)
		store->ops->prefetch(store, query);
}

/** Whether it can take more queries now and give them results in time.  False
 * is only advice: further queries are queued. */
static inline bool
store_has_room(const struct store *store)
{
	return !store->ops->has_room || store->ops->has_room(store);
}

/** Send what the queries of this loop turn need sent. */
static inline void
store_flush(struct store *store)
{
	if (store->ops->flush)
		store->ops->flush(store);
}

/** Free what it kept to be used again, and did not need since the last trim.
 * Return how many bytes that was. */
static inline size_t
store_trim(struct store *store)
{
	return store->ops->trim ? store->ops->trim(store) : 0;
}

/** Free a store; NULL: no-op.  Open queries get RESULT_UNAVAILABLE first. */
static inline void
store_free(struct store *store)
{
	if (store)
		store->ops->free(store);
}

#endif
