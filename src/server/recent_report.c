#include "server/recent_report.h"

#include "base/clock.h"
#include "base/num.h"
#include "gate/gate.h"

static const char *
recent_report_seconds(char *to, int64_t us)
{
	if (us == RETRY_NEVER)
		return "never";
	to[num_write_seconds(to, us)] = '\0';
	return to;
}

static int
recent_report_entry(struct buf *out, const struct recent_entry *entry)
{
	char key[KEY_SHOWN_MAX], at[NUM_MAX_LEN + 1], retry[NUM_MAX_LEN + 1];

	return buf_printf(out,
	    "%s limit=%s level=%lld capacity=%lld retry=%s from=%s at=%s "
	    "key=%s\n",
	    entry->allowed ? "ALLOW" : "DENY", entry->limit,
	    (long long)entry->level, (long long)entry->capacity,
	    recent_report_seconds(retry, entry->retry_us), entry->from,
	    recent_report_seconds(at, entry->at_us + clock_shift_us()),
	    key_show(key, entry->key, entry->key_len));
}

static int
recent_report_text(const struct slot *slot, struct buf *out)
{
	struct gate *gate = slot->cache->gate;
	struct recent *recent = gate->gateway->recent;
	uint64_t next = recent_next(recent);
	uint64_t number = slot->count > 0 ? (uint64_t)slot->count : next;
	uint64_t dropped = 0;
	struct recent_entry entry;

	recent_want(recent, gate_now(gate));
	for (uint64_t at = number; number < next; number = at) {
		if (buf_len(out) >= REPORT_TEXT_MAX) {
			next = number;
			break;
		}
		if (!recent_get(recent, &at, &entry) || at >= next) {
			dropped += next - number;
			break;
		}
		dropped += at - number;
		if (recent_report_entry(out, &entry) == -1)
			return -1;
		at++;
	}
	return buf_printf(out, "next number=%llu dropped=%llu\n",
	    (unsigned long long)next, (unsigned long long)dropped);
}

const struct report recent_report = {.text = recent_report_text};
