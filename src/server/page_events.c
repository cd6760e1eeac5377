#include "server/page_events.h"

#include "base/num.h"
#include "gate/gate.h"
#include "server/report.h"
#include "server/status_report.h"
#include "server/top_report.h"

#include <string.h>

#define PERIOD_US INT64_C(1000000)

/* A limit, and how often it was asked for. */
struct page_events_limit {
	unsigned order;
	uint64_t allowed, denied;
};

/* Put it where it belongs among the ${count} limits asked for most, in order.
 * Return how many there are then. */
static size_t
page_events_rank(struct page_events_limit *most, size_t count,
    const struct page_events_limit *limit)
{
	uint64_t total = limit->allowed + limit->denied;
	size_t at = count;

	while (at > 0 && most[at - 1].allowed + most[at - 1].denied < total)
		at--;
	if (at == PAGE_EVENTS_LIMITS_MAX)
		return count;
	if (count < PAGE_EVENTS_LIMITS_MAX)
		count++;
	memmove(&most[at + 1], &most[at], (count - at - 1) * sizeof(*most));
	most[at] = *limit;
	return count;
}

static int
page_events_write_limits(struct buf *out, const struct rules_snapshot *snapshot)
{
	struct page_events_limit most[PAGE_EVENTS_LIMITS_MAX];
	size_t count = 0;

	for (size_t i = 0;
	     snapshot->limit_stats && i < rules_count(snapshot->rules); i++) {
		uint64_t sums[LIMIT_COUNT_COUNT];

		limit_stats_sum(snapshot->limit_stats, (unsigned)i, sums);
		count = page_events_rank(most, count,
		    &(struct page_events_limit){(unsigned)i,
			sums[LIMIT_COUNT_allowed], sums[LIMIT_COUNT_denied]});
	}
	for (size_t i = 0; i < count; i++)
		if (buf_printf(out, "limit allowed=%llu denied=%llu name=%s\n",
			(unsigned long long)most[i].allowed,
			(unsigned long long)most[i].denied,
			rules_at(snapshot->rules, most[i].order)->name) == -1)
			return -1;
	return 0;
}

static int
page_events_write_times(struct buf *out, const struct gateway *gateway)
{
	struct histogram all = {0};

	for (size_t i = 0; i < gateway->gates; i++)
		histogram_sum(&all, &gateway->counters[i].decisions);
	for (size_t i = 0; i <= HISTOGRAM_BOUND_COUNT; i++) {
		char le[NUM_MAX_LEN + 1] = "more";

		if (i < HISTOGRAM_BOUND_COUNT)
			num_seconds(le, histogram_bounds_us[i]);
		if (buf_printf(out, "decided le=%s count=%llu\n", le,
			(unsigned long long)all.counts[i]) == -1)
			return -1;
	}
	return 0;
}

static int
page_events_write_lines(struct slot *slot, struct buf *out)
{
	struct gate *gate = slot->cache->gate;

	if (status_report.text(slot, out) == -1 ||
	    top_report.text(slot, out) == -1 ||
	    page_events_write_limits(out, gate->snapshot) == -1)
		return -1;
	if (page_events_write_times(out, gate->gateway) == -1)
		return -1;
	return fleet_board_write(gate->gateway->fleet, gate_now(gate), out);
}

/* As a message: "data: " before each line, an empty line behind the last. */
static int
page_events_frame(struct buf *out, const struct buf *lines)
{
	const char *at = buf_data(lines), *end = at + buf_len(lines);

	while (at < end) {
		const char *next =
		    (const char *)memchr(at, '\n', (size_t)(end - at)) + 1;

		if (buf_add(out, "data: ", 6) == -1 ||
		    buf_add(out, at, (size_t)(next - at)) == -1)
			return -1;
		at = next;
	}
	return buf_add(out, "\n", 1);
}

static int
page_events_make(struct slot *slot, struct page_event *event)
{
	struct buf lines = {0};
	int result = page_events_write_lines(slot, &lines);

	buf_consume(&event->text, buf_len(&event->text));
	if (result == 0)
		result = page_events_frame(&event->text, &lines);
	buf_free(&lines);
	/* The next client has half of one made again. */
	event->made_us = result == 0 ? gate_now(slot->cache->gate) : 0;
	event->number++;
	return result;
}

static int
page_events_text(struct slot *slot, struct buf *out)
{
	struct page_event *event = &slot->cache->event;
	int64_t now_us = gate_now(slot->cache->gate);

	if (now_us - event->made_us >= PERIOD_US &&
	    page_events_make(slot, event) == -1)
		return -1;
	if (slot->report.seen == event->number)
		return 0;
	slot->report.seen = event->number;
	return buf_add(out, buf_data(&event->text), buf_len(&event->text));
}

const struct report page_events_report = {
    .text = page_events_text, .is_feed = true};
