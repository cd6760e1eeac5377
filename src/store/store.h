/**
 * store: where buckets live, as its callers see it.
 *
 * A store belongs to one worker thread and is asked from there only; what the
 * threads share, it locks itself.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "limit/bucket.h"
#include "limit/key.h"
#include "limit/limit.h"
#include "limit/rules.h"

#include <stdbool.h>

enum answer {
	ANSWER_DECISION,    /* the decision stands in the ask */
	ANSWER_DONE,        /* a reset took place */
	ANSWER_UNAVAILABLE, /* the store could not be reached, or not in time */
};

/**
 * One question to a store, and its answer.  Whoever asks owns it, and keeps it
 * and its rules in place until it is answered.
 */
struct ask {
	/* the question */
	const struct rules *rules; /* the set that the limit is of */
	const struct limit *limit;
	struct key key;            /* borrowed during store_ask() only */
	enum op op;
	int64_t amount;
	int64_t now_us;            /* when it was received */
	void (*done)(struct ask *);

	/* the answer */
	enum answer answer;
	enum from from;
	struct decision decision;

	/* the answer FROM_REDIS, for who keeps it */
	int64_t decided_us;        /* when, by the clock of Redis */
	struct bucket bucket;      /* as it is since then */

	uint32_t deny_mark;        /* the deny cache's */

	/* the store's, while it holds the ask */
	struct ask *next;
};

struct store;

struct store_ops {
	bool (*ask)(struct store *, struct ask *);
	void (*flush)(struct store *);
	void (*free)(struct store *);
};

/** First member of every store. */
struct store {
	const struct store_ops *ops;
};

/** Put a question.  True: answered at once, ${ask}->done will not be called.
 * False: ${ask}->done is called exactly once, later, never from within. */
static inline bool
store_ask(struct store *store, struct ask *ask)
{
	return store->ops->ask(store, ask);
}

/** Send what the questions of this loop turn need sent. */
static inline void
store_flush(struct store *store)
{
	if (store->ops->flush)
		store->ops->flush(store);
}

/** Free a store, or NULL.  Open questions are answered UNAVAILABLE first. */
static inline void
store_free(struct store *store)
{
	if (store)
		store->ops->free(store);
}

#endif
