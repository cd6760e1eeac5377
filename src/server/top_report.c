#include "server/top_report.h"

#include "gate/gate.h"

#include <string.h>

/* What follows is a rate: a part of a second counts as one. */
static double
top_report_seconds(const struct top_list *list)
{
	return list->seconds > 1 ? list->seconds : 1;
}

/* Times ago, in seconds; the workers' clocks are that of a turn of each. */
static double
top_report_ago(int64_t now_us, int64_t then_us)
{
	return now_us > then_us ? (double)(now_us - then_us) / 1e6 : 0;
}

static int
top_report_fields(struct buf *out, const struct top_list *list,
    const struct top_entry *entry, int64_t now_us)
{
	double seconds = top_report_seconds(list);

	return buf_printf(out,
	    " limit=%s rate=%.3f share=%.4f error=%.3f first=%.6f last=%.6f",
	    entry->limit, entry->count / seconds,
	    list->all > 0 ? entry->count / list->all : 0,
	    entry->error / seconds, top_report_ago(now_us, entry->first_us),
	    top_report_ago(now_us, entry->last_us));
}

static int
top_report_entry(struct buf *out, const struct top_list *list,
    const struct top_entry *entry, int64_t now_us)
{
	char text[KEY_SHOWN_MAX];

	if (top_report_fields(out, list, entry, now_us) == -1)
		return -1;
	return buf_printf(
	    out, " key=%s\n", key_show(text, entry->key, entry->key_len));
}

static int
top_report_list(
    struct gate *gate, enum top_verdict verdict, size_t count, struct buf *out)
{
	const struct gateway *gateway = gate->gateway;
	struct top_list list;
	size_t end = buf_len(out) + REPORT_TEXT_MAX / 2;
	int result = top_merge(
	    &list, gateway->tops, gateway->gates, verdict, gate_now(gate));

	count = list.count < count ? list.count : count;
	for (size_t i = 0; i < count && buf_len(out) < end && result == 0;
	     i++) {
		result = buf_printf(out, "%s", top_verdict_names[verdict]);
		if (result == 0)
			result = top_report_entry(
			    out, &list, &list.entries[i], gate_now(gate));
	}
	top_list_free(&list);
	return result;
}

static int
top_report_text(struct slot *slot, struct buf *out)
{
	struct gate *gate = slot->cache->gate;
	size_t count = slot->count > 0 ? (size_t)slot->count : TOP_REPORT_LINES;

	for (int verdict = 0; verdict < TOP_VERDICTS; verdict++)
		if (top_report_list(
			gate, (enum top_verdict)verdict, count, out) == -1)
			return -1;
	return 0;
}

const struct report top_report = {.text = top_report_text};
