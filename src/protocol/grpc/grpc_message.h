/**
 * grpc_message: the messages of Envoy's rate limit service and of gRPC's health
 * service, as bytes and as we see them.  Pure.
 */
#ifndef PROTOCOL_GRPC_GRPC_MESSAGE_H
#define PROTOCOL_GRPC_GRPC_MESSAGE_H

#include "base/attr.h"
#include "base/siphash.h"
#include "protocol/descriptors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Longest message of a client, without its frame. */
#define GRPC_MESSAGE_MAX 65536

/** Room for a message of ours. */
#define GRPC_RESPONSE_MAX 2048

/** Read a RateLimitRequest.  Return NULL, or what is wrong with it. */
const char *grpc_message_read(
    struct descriptors *asked, const char *bytes, size_t len) MUST_USE;

/** A RateLimitResponse to be written. */
struct grpc_answer {
	bool allowed;
	const struct hash128 *keys; /* of the descriptors, in order */
	unsigned key_count;
	const struct descriptor_status
	    *statuses; /* in any order; a descriptor whose
			* key has none has no limit */
	unsigned status_count;
};

/** Write it.  Return its length. */
size_t grpc_message_write(
    char to[GRPC_RESPONSE_MAX], const struct grpc_answer *answer);

/** Read a HealthCheckRequest.  Return whether it is one; set ${known} to
 * whether its service is ours. */
bool grpc_message_read_health(
    const char *bytes, size_t len, bool *known) MUST_USE;

/** Write a HealthCheckResponse.  Return its length. */
size_t grpc_message_write_health(char to[GRPC_RESPONSE_MAX], bool serves);

#endif
