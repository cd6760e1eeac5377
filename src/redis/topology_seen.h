/**
 * topology_seen: when a topology was last seen to stand in Redis.
 *
 * On a cluster the record (topology_record.h) is on one master only: a link to
 * another one cannot read it, and waits until it was read by what can.
 */
#ifndef REDIS_TOPOLOGY_SEEN_H
#define REDIS_TOPOLOGY_SEEN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/** What reads the record, on a thread of its own. */
struct topology_reader {
	pthread_mutex_t lock; /* of these two */
	void (*read)(void *arg);
	void *arg;
};

/** Set up, with nothing that reads it. */
void topology_reader_init(struct topology_reader *reader);

/** Have ${read} called from now on, by any thread, when the record is to be
 * read at once; NULL: nothing is, and no call is under way any more.  Any
 * thread. */
void topology_reader_set(
    struct topology_reader *reader, void (*read)(void *arg), void *arg);

void topology_reader_clear(struct topology_reader *reader);

struct topology_seen {
	_Atomic int64_t asked_us; /* the record was asked for at that time, and
				   * was this topology's; 0: never */
	struct topology_reader *reader; /* borrowed */
};

/** It stood there when it was asked for, at ${asked_us}.  Any thread. */
static inline void
topology_seen_note(struct topology_seen *seen, int64_t asked_us)
{
	seen->asked_us = asked_us;
}

/** Whether it stood there at ${since_us} or later.  Any thread. */
static inline bool
topology_seen_since(const struct topology_seen *seen, int64_t since_us)
{
	return seen->asked_us >= since_us;
}

/** Have the record read at once.  Any thread. */
void topology_seen_want(const struct topology_seen *seen);

#endif
