/**
 * shared: the little that all workers have in common.
 *
 * The pool makes it, before the first worker starts; it outlives the last.
 */
#ifndef GATE_SHARED_H
#define GATE_SHARED_H

#include "gate/tally.h"
#include "limit/rules.h"
#include "metrics.h"
#include "store/deny_cache.h"
#include "store/memory.h"
#include "store/remote.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum store_type { STORE_MEMORY, STORE_REDIS };

enum unmatched { UNMATCHED_ALLOW, UNMATCHED_DENY, UNMATCHED_ERROR };

struct gate_options {
	int64_t idle_timeout_us;  /* a client that says nothing; 0: for ever */
	int64_t line_timeout_us;  /* a line that does not end */
	int inline_limits;        /* a request may bring its limit along */
	enum store_type store;
	struct memory_options memory; /* of the store, and of the fallback */
	struct remote_options remote;
};

struct shared {
	const struct gate_options *options;
	struct memory *memory;       /* the memory store, and the fallback */
	struct deny_marks *deny_marks; /* Redis store */
	struct metrics *metrics;     /* one set a worker */
	size_t workers;              /* started so far */
	int64_t started_us;

	_Atomic int unmatched;       /* enum unmatched */
	_Atomic bool draining;
	_Atomic bool keeps_clients;  /* draining leaves connections open */
	_Atomic size_t clients;      /* connected now, all workers' */
	_Atomic uint64_t client_id;  /* of the last one to be given one */

	pthread_mutex_t lock;        /* of ${rules} and ${tallies} */
	struct rules *rules;         /* in force */
	struct tallies *tallies;     /* of these; NULL: there was no memory */
	size_t cells;                /* in each tally: workers to be started */
	_Atomic unsigned generation; /* counts the sets that were in force */
};

/** Put ${rules}, whose reference it takes over, in force. */
void shared_set_rules(struct shared *shared, struct rules *rules);

/** The set in force and its tallies; a reference to each is the caller's. */
struct rules *shared_get_rules(struct shared *shared, struct tallies **tallies,
    unsigned *generation);

#endif
