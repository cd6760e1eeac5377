/**
 * grpc_message: the messages of Envoy's rate limit service and of gRPC's health
 * service, as bytes and as we see them.  Pure.
 */
#ifndef PROTOCOL_GRPC_GRPC_MESSAGE_H
#define PROTOCOL_GRPC_GRPC_MESSAGE_H

#include "base/attr.h"
#include "base/siphash.h"
#include "gate/check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Longest message of a client, without its frame. */
#define GRPC_MESSAGE_MAX 65536

/** Room for a message of ours. */
#define GRPC_RESPONSE_MAX 2048

/** What a client asks for: a key of each descriptor,
 *
 *     domain/entry=value/entry
 *
 * cut after KEY_MAX bytes.  "/", "%", blanks and control characters are
 * written as %XX, and so is "=" in the name of an entry. */
struct grpc_asked {
	unsigned count;
	struct check_key keys[CHECK_KEYS_MAX]; /* in ${text} */
	char text[CHECK_KEYS_MAX][KEY_MAX];
};

/** Read a RateLimitRequest.  Return NULL, or what is wrong with it. */
const char *grpc_message_read(
    struct grpc_asked *asked, const char *bytes, size_t len) MUST_USE;

/** What became of a query. */
struct grpc_status {
	struct hash128 key;
	bool is_denied;
	uint32_t capacity; /* of its limit */
	uint32_t unit;     /* Envoy's number of the time in which as many drops
			    * leak; 0: it has none */
	uint32_t remaining;
	int64_t reset_us;
	char name[LIMIT_NAME_MAX + 1];
};

/** A RateLimitResponse to be written. */
struct grpc_answer {
	bool allowed;
	const struct hash128 *keys; /* of the descriptors, in order */
	unsigned key_count;
	const struct grpc_status *statuses; /* in any order; a descriptor whose
					     * key has none has no limit */
	unsigned status_count;
};

/** Set ${status} to what became of ${query}, which was decided. */
void grpc_message_set_status(
    struct grpc_status *status, const struct query *query);

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
