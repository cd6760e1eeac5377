/**
 * request: what a client asked, whatever protocol it spoke.
 */
#ifndef WIRE_REQUEST_H
#define WIRE_REQUEST_H

#include <stddef.h>
#include <stdint.h>

enum verb {
	VERB_CONSUME,
	VERB_PEEK,
	VERB_RESET,
	VERB_EXPLAIN,
	VERB_LIMITS,
	VERB_STATS,
	VERB_PING,
	VERB_HELP,
	VERB_QUIT,
	VERB_THROTTLE, /* a CONSUME that brings its limit along; RESP only */
};

struct request {
	enum verb verb;
	const char *key;    /* borrowed from the bytes parsed; valid as a key */
	size_t key_len;
	int64_t amount;     /* within +-LIMIT_AMOUNT_MAX */

	/* VERB_THROTTLE: the limit, as limit_init_inline() takes it */
	int64_t capacity;
	int64_t recharge_us;
};

#endif
