/**
 * grpc_message: what clients send to Envoy's rate limit service and to gRPC's
 * health service, as bytes and as we see it.  Pure.
 */
#ifndef PROTOCOL_GRPC_GRPC_MESSAGE_H
#define PROTOCOL_GRPC_GRPC_MESSAGE_H

#include "base/attr.h"
#include "protocol/descriptors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Longest message of a client, without its frame. */
#define GRPC_MESSAGE_MAX 65536

/** Room for a HealthCheckResponse. */
#define GRPC_HEALTH_MAX 16

/** Read a RateLimitRequest.  Return NULL, or what is wrong with it. */
const char *grpc_message_read(
    struct descriptors *asked, const char *bytes, size_t len) MUST_USE;

/** Read a HealthCheckRequest.  Return whether it is one; set ${known} to
 * whether its service is ours. */
bool grpc_message_read_health(
    const char *bytes, size_t len, bool *known) MUST_USE;

/** What a HealthCheckResponse says. */
enum grpc_health {
	GRPC_HEALTH_SERVING = 1,
	GRPC_HEALTH_NOT_SERVING = 2,
	GRPC_HEALTH_SERVICE_UNKNOWN = 3,
};

/** Write one.  Return its length. */
size_t grpc_message_write_health(
    char to[GRPC_HEALTH_MAX], enum grpc_health health);

#endif
