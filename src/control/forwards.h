/**
 * forwards: messages that are published on another server as they came.
 *
 * Owns: the counts of those in flight, within a limit on their memory.
 * Never: sends one twice: a message that fails is lost, and counted.
 *
 * A field of a target, zeroed at first but for the first three fields.
 */
#ifndef CONTROL_FORWARDS_H
#define CONTROL_FORWARDS_H

#include "redis/link.h"

#include <stddef.h>
#include <stdint.h>

struct forwards {
	struct link *link;
	const char *channel;
	int64_t timeout_us;
	struct command command; /* reused, for its memory */

	/* in flight */
	size_t count;
	size_t bytes;

	/* since the start */
	uint64_t forwarded;
	uint64_t lost;
};

/** Publish a message now; if that fails, it is lost. */
void forwards_send(struct forwards *forwards, const char *bytes, size_t len);

/** Free the memory, after the link. */
void forwards_free(struct forwards *forwards);

#endif
