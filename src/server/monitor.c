#include "server/monitor.h"

#include "base/clock.h"
#include "base/num.h"
#include "gate/gate.h"
#include "limit/glob.h"

static const char *
monitor_seconds(char *to, int64_t us)
{
	return us == RETRY_NEVER ? "never" : num_seconds(to, us);
}

static int
monitor_write_entry(struct buf *out, const struct recent_entry *entry)
{
	char key[KEY_SHOWN_MAX], at[NUM_MAX_LEN + 1], retry[NUM_MAX_LEN + 1];

	return buf_printf(out,
	    "%s limit=%s amount=%lld level=%lld capacity=%lld retry=%s from=%s "
	    "at=%s key=%s\n",
	    entry->allowed ? "ALLOW" : "DENY", entry->limit,
	    (long long)entry->amount, (long long)entry->level,
	    (long long)entry->capacity, monitor_seconds(retry, entry->retry_us),
	    entry->from, monitor_seconds(at, entry->at_us + clock_shift_us()),
	    key_show(key, entry->key, entry->key_len));
}

static bool
monitor_shows(const struct slot *slot, const struct recent_entry *entry)
{
	if (slot->report.verdict == VERDICT_ALLOWED && !entry->allowed)
		return false;
	if (slot->report.verdict == VERDICT_DENIED && entry->allowed)
		return false;
	return !slot->bytes ||
	       glob_matches(slot->bytes, entry->key, entry->key_len);
}

/* The decisions that are still there.  Return how many of those that are new
 * are not, or -1 (out of memory). */
static int64_t
monitor_write_new(struct slot *slot, struct recent *recent, struct buf *out)
{
	uint64_t next = recent_next(recent), at = slot->report.seen;
	int64_t dropped = 0;
	struct recent_entry entry;

	while (slot->report.seen < next && buf_len(out) < REPORT_TEXT_MAX) {
		if (!recent_get(recent, &at, &entry) || at >= next)
			at = next;
		dropped += (int64_t)(at - slot->report.seen);
		if (at < next && monitor_shows(slot, &entry) &&
		    monitor_write_entry(out, &entry) == -1)
			return -1;
		if (at < next)
			at++;
		slot->report.seen = at;
	}
	return dropped;
}

/* The first piece says that from now on decisions are shown. */
static int
monitor_start(struct slot *slot, struct buf *out)
{
	struct gate *gate = slot->cache->gate;

	slot->report.seen = recent_next(gate->gateway->recent);
	gate->records = true;
	return buf_printf(out, "OK\n");
}

static int
monitor_text(struct slot *slot, struct buf *out)
{
	struct gate *gate = slot->cache->gate;
	int64_t dropped;

	recent_want(gate->gateway->recent, gate_now(gate));
	if (slot->report.seen == 0)
		return monitor_start(slot, out);
	dropped = monitor_write_new(slot, gate->gateway->recent, out);
	if (dropped > 0)
		return buf_printf(out, "DROPPED %lld\n", (long long)dropped);
	return dropped == 0 ? 0 : -1;
}

const struct report monitor_report = {.text = monitor_text, .is_feed = true};
