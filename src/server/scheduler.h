/**
 * scheduler: which client of a worker is served next.
 *
 * Deficit round robin (M. Shreedhar and G. Varghese, "Efficient Fair Queuing
 * Using Deficit Round Robin", 1995), in time.  In each round each client that
 * has something to do gets a quantum of it, and pays for the time that serving
 * it took.  A client whose request took longer is in debt, and skipped until
 * the quanta of the next rounds have paid it back.  So a client that asks for
 * much does not slow clients that ask for little.
 *
 * Nor do many of them: a client that has used less than an eighth of its
 * quantum in this round goes ahead of those that have used more (as sparse
 * flows do in FQ-CoDel, RFC 8290, section 5).  The others lose at most an
 * eighth by that.
 *
 * Pure: it has no clock, and knows nothing of clients.
 */
#ifndef SERVER_SCHEDULER_H
#define SERVER_SCHEDULER_H

#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What a client is given in a round, in microseconds. */
#define SCHEDULER_QUANTUM_US 200

/** The largest debt of a client, which bounds the rounds in which it is
 * skipped. */
#define SCHEDULER_DEBT_MAX_US (500 * SCHEDULER_QUANTUM_US)

/** A field of its client.  All zero at first. */
struct task {
	TAILQ_ENTRY(task) entry;
	struct task_list *list; /* NULL: has nothing to do */
	int64_t credit_us;      /* time that it may take; below 0: debt */
	uint64_t round;         /* in which it was last given a quantum */
};

TAILQ_HEAD(task_list, task);

struct scheduler {
	struct task_list light; /* served before the others */
	struct task_list queue;
	struct task mark; /* in the queue: when it comes first, a round ends */
	uint64_t round;
	size_t count; /* of tasks that have something to do */
};

void scheduler_init(struct scheduler *scheduler);

/** Have the task served in its turn; no-op if it is queued. */
void scheduler_add(struct scheduler *scheduler, struct task *task);

/** Do not serve it; no-op if it is not queued. */
void scheduler_remove(struct scheduler *scheduler, struct task *task);

/** Remove and return the task whose turn it is.  NULL: none has anything to
 * do. */
struct task *scheduler_next(struct scheduler *scheduler);

/** The task was served for this long. */
void scheduler_charge(struct task *task, int64_t spent_us);

/** Whether no task has anything to do. */
static inline bool
scheduler_is_empty(const struct scheduler *scheduler)
{
	return scheduler->count == 0;
}

#endif
