#include "server/scheduler.h"

/* A task with more credit than this goes ahead of others. */
#define LIGHT_US (SCHEDULER_QUANTUM_US - SCHEDULER_QUANTUM_US / 8)

static void
scheduler_append(struct task_list *list, struct task *task)
{
	task->list = list;
	TAILQ_INSERT_TAIL(list, task, entry);
}

static void
scheduler_take(struct scheduler *scheduler, struct task *task)
{
	TAILQ_REMOVE(task->list, task, entry);
	task->list = NULL;
	scheduler->count--;
}

void
scheduler_init(struct scheduler *scheduler)
{
	*scheduler = (struct scheduler){.round = 1};
	TAILQ_INIT(&scheduler->light);
	TAILQ_INIT(&scheduler->queue);
	scheduler_append(&scheduler->queue, &scheduler->mark);
}

/* Give it this round's quantum, once.  A task does not save up time that it was
 * given and did not use. */
static void
scheduler_pay(const struct scheduler *scheduler, struct task *task)
{
	if (task->round == scheduler->round)
		return;
	task->round = scheduler->round;
	task->credit_us += SCHEDULER_QUANTUM_US;
	if (task->credit_us > SCHEDULER_QUANTUM_US)
		task->credit_us = SCHEDULER_QUANTUM_US;
}

void
scheduler_add(struct scheduler *scheduler, struct task *task)
{
	if (task->list)
		return;
	scheduler_pay(scheduler, task);
	scheduler->count++;
	scheduler_append(
	    task->credit_us > LIGHT_US ? &scheduler->light : &scheduler->queue,
	    task);
}

void
scheduler_remove(struct scheduler *scheduler, struct task *task)
{
	if (task->list)
		scheduler_take(scheduler, task);
}

/* Whether the first of the queue is to be served now. */
static bool
scheduler_is_its_turn(struct scheduler *scheduler, struct task *first)
{
	if (first == &scheduler->mark) {
		scheduler->round++;
		return false;
	}
	scheduler_pay(scheduler, first);
	return first->credit_us > 0;
}

struct task *
scheduler_next(struct scheduler *scheduler)
{
	struct task *task = TAILQ_FIRST(&scheduler->light);

	if (scheduler->count == 0) {
		scheduler->round++;
		return NULL;
	}
	while (!task) {
		struct task *first = TAILQ_FIRST(&scheduler->queue);

		if (scheduler_is_its_turn(scheduler, first)) {
			task = first;
		} else {
			TAILQ_REMOVE(&scheduler->queue, first, entry);
			TAILQ_INSERT_TAIL(&scheduler->queue, first, entry);
		}
	}
	scheduler_take(scheduler, task);
	return task;
}

/* Even if it took no time, it has had its turn. */
void
scheduler_charge(struct task *task, int64_t spent_us)
{
	task->credit_us -= spent_us > 0 ? spent_us : 1;
	if (task->credit_us < -SCHEDULER_DEBT_MAX_US)
		task->credit_us = -SCHEDULER_DEBT_MAX_US;
}
