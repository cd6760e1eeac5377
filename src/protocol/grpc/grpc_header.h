/**
 * grpc_header: the headers of a call.
 */
#ifndef PROTOCOL_GRPC_GRPC_HEADER_H
#define PROTOCOL_GRPC_GRPC_HEADER_H

#include "base/attr.h"
#include "protocol/grpc/grpc_session.h"

#include <stddef.h>
#include <stdint.h>

struct grpc_header {
	const char *name;
	size_t name_len;
	const char *value;
	size_t len;
};

/** Take one.  What is wrong with it becomes the stream's code.  Return 0, or -1
 * (out of memory). */
int grpc_header_take(struct grpc_stream *stream, struct grpc_memory *memory,
    const struct grpc_header *header) MUST_USE;

/** Read the value of grpc-timeout, as "100m".  Return microseconds, or -1: it
 * is none. */
int64_t grpc_header_timeout(const char *value, size_t len);

#endif
