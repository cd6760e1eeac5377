/**
 * breaker: leaves a server alone that fails.  Pure.
 *
 *   CLOSED --failures in a row--> OPEN --after the pause--> PROBING
 *     ^                            ^------the probe failed-----| |
 *     |__________________________________the probe was fine______|
 */
#ifndef UPSTREAM_BREAKER_H
#define UPSTREAM_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

/** All zero: CLOSED. */
struct breaker {
	int64_t failures;      /* in a row */
	int64_t open_until_us; /* 0: it is CLOSED */
	bool probing;
};

/** Whether a request may go out; if not, ${retry_us} is set to the time until
 * that is worth another try.  The one that may go while it is open is the
 * probe. */
bool breaker_allows(struct breaker *breaker, int64_t now_us, int64_t *retry_us);

/** A request that went out is over.  ${most} failures in a row open it for
 * ${pause_us}; 0: they do not. */
void breaker_note(struct breaker *breaker, bool failed, int64_t most,
    int64_t pause_us, int64_t now_us);

/** A request that it allowed did not go out after all. */
void breaker_forget(struct breaker *breaker);

#endif
