#include "server/report.h"

#include "gate/gate.h"

static void
report_start(struct slot *slot)
{
	struct slot_report *at = &slot->report;

	at->snapshot = gate_acquire_snapshot(slot->cache->gate);
	if (slot->handler->report->count)
		at->count = slot->handler->report->count(slot);
}

/* Have all rows written. */
static int
report_gather_text(struct slot *slot, struct buf *text)
{
	size_t start = buf_len(text);
	int result = slot->handler->report->text(slot, text);

	for (size_t i = start; i < buf_len(text); i++)
		slot->report.count += buf_data(text)[i] == '\n';
	slot->report.next = slot->report.count;
	return result;
}

/* Gather rows for a piece. */
static int
report_gather(struct slot *slot, struct buf *text)
{
	struct slot_report *at = &slot->report;

	while (at->next < at->count && buf_len(text) < REPORT_PIECE_LEN)
		if (slot->handler->report->row(slot, at->next++, text) == -1)
			return -1;
	return 0;
}

int
report_write(struct slot *slot, struct buf *out)
{
	struct slot_report *at = &slot->report;
	struct buf *text = &slot->cache->text;
	struct rows rows = {.first = !at->snapshot};
	int result;

	if (rows.first)
		report_start(slot);
	result = slot->handler->report->text ? report_gather_text(slot, text)
					     : report_gather(slot, text);
	slot->written =
	    slot->handler->report->is_feed ? at->ends : at->next == at->count;
	rows.is_feed = slot->handler->report->is_feed;
	rows.text = buf_data(text);
	rows.len = buf_len(text);
	rows.count = at->count;
	rows.last = slot->written;
	if (result == 0)
		result = slot->protocol->rows(out, slot->encoding, &rows);
	buf_consume(text, rows.len);
	if (rows.is_feed && !slot->written && result == 0)
		feeds_wait(slot);
	return result;
}

void
report_end(struct slot *slot)
{
	if (slot->report.snapshot)
		gate_release_snapshot(slot->cache->gate, slot->report.snapshot);
	slot->report.snapshot = NULL;
}
