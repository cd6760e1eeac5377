/**
 * grpc_answer: what Envoy's rate limit service says.  Pure.
 */
#ifndef PROTOCOL_GRPC_GRPC_ANSWER_H
#define PROTOCOL_GRPC_GRPC_ANSWER_H

#include "protocol/descriptors.h"
#include "protocol/quota.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Room for a message of ours. */
#define GRPC_RESPONSE_MAX 4096

/** A RateLimitResponse to be written. */
struct grpc_answer {
	bool allowed;
	const struct descriptor_status *statuses; /* of the descriptors */
	unsigned status_count;
	const struct quota_header *headers; /* for Envoy to add to its response
					     * to its client */
	unsigned header_count;
	const char *body; /* for Envoy to respond with; NULL: its own */
};

/** Write it.  Return its length. */
size_t grpc_answer_write(
    char to[GRPC_RESPONSE_MAX], const struct grpc_answer *answer);

#endif
