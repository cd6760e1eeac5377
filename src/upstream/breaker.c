#include "upstream/breaker.h"

/* How long those wait who come while the probe is out. */
#define PROBE_US INT64_C(1000000)

bool
breaker_allows(struct breaker *breaker, int64_t now_us, int64_t *retry_us)
{
	if (breaker->open_until_us == 0)
		return true;
	if (!breaker->probing && now_us >= breaker->open_until_us) {
		breaker->probing = true;
		return true;
	}
	*retry_us =
	    breaker->probing ? PROBE_US : breaker->open_until_us - now_us;
	return false;
}

void
breaker_note(struct breaker *breaker, bool failed, int64_t most,
    int64_t pause_us, int64_t now_us)
{
	breaker->probing = false;
	if (!failed) {
		breaker->failures = 0;
		breaker->open_until_us = 0;
		return;
	}
	breaker->failures++;
	if (most > 0 && breaker->failures >= most)
		breaker->open_until_us = now_us + pause_us;
}

void
breaker_forget(struct breaker *breaker)
{
	breaker->probing = false;
}
