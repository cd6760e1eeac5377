#include "server/scheduler.h"

void
scheduler_init(struct scheduler *scheduler)
{
	TAILQ_INIT(&scheduler->queue);
	scheduler->count = 0;
}

void
scheduler_add(struct scheduler *scheduler, struct task *task)
{
	if (task->is_queued)
		return;
	task->is_queued = true;
	scheduler->count++;
	TAILQ_INSERT_TAIL(&scheduler->queue, task, entry);
}

void
scheduler_remove(struct scheduler *scheduler, struct task *task)
{
	if (!task->is_queued)
		return;
	task->is_queued = false;
	scheduler->count--;
	TAILQ_REMOVE(&scheduler->queue, task, entry);
}

/* A task does not save up time that it was given and did not use. */
static void
scheduler_pay(struct task *task)
{
	task->credit_us += SCHEDULER_QUANTUM_US;
	if (task->credit_us > SCHEDULER_QUANTUM_US)
		task->credit_us = SCHEDULER_QUANTUM_US;
}

struct task *
scheduler_next(struct scheduler *scheduler)
{
	struct task *task;

	while ((task = TAILQ_FIRST(&scheduler->queue))) {
		TAILQ_REMOVE(&scheduler->queue, task, entry);
		scheduler_pay(task);
		if (task->credit_us > 0) {
			task->is_queued = false;
			scheduler->count--;
			return task;
		}
		TAILQ_INSERT_TAIL(&scheduler->queue, task, entry);
	}
	return NULL;
}

/* Even if it took no time, it has had its turn. */
void
scheduler_charge(struct task *task, int64_t spent_us)
{
	task->credit_us -= spent_us > 0 ? spent_us : 1;
	if (task->credit_us < -SCHEDULER_DEBT_MAX_US)
		task->credit_us = -SCHEDULER_DEBT_MAX_US;
}
