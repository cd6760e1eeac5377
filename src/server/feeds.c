#include "server/feeds.h"

#include "server/queue.h"

static void
feeds_take(struct slot *slot)
{
	TAILQ_REMOVE(&slot->cache->feeds.waiting, slot, report.waiting);
	slot->report.waits = false;
	slot->ready = true;
}

static void
feeds_on_tick(void *arg)
{
	struct feeds *feeds = arg;
	struct slot *slot;

	/* None of them waits again before its client's turn. */
	while ((slot = TAILQ_FIRST(&feeds->waiting))) {
		feeds_take(slot);
		slot->queue->ready(slot->queue);
	}
}

void
feeds_init(struct feeds *feeds, struct loop *loop)
{
	TAILQ_INIT(&feeds->waiting);
	timer_init(&feeds->tick, loop, feeds_on_tick, feeds);
}

void
feeds_wait(struct slot *slot)
{
	struct feeds *feeds = &slot->cache->feeds;

	if (TAILQ_EMPTY(&feeds->waiting))
		timer_set(&feeds->tick, FEEDS_TICK_US);
	TAILQ_INSERT_TAIL(&feeds->waiting, slot, report.waiting);
	slot->report.waits = true;
	slot->ready = false;
}

void
feeds_forget(struct slot *slot)
{
	if (slot->report.waits)
		feeds_take(slot);
}

void
feeds_clear(struct feeds *feeds)
{
	timer_stop(&feeds->tick);
}
