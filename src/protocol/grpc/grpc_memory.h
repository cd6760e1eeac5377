/**
 * grpc_memory: what a client of gRPC takes, in bytes, up to a bound.
 */
#ifndef PROTOCOL_GRPC_GRPC_MEMORY_H
#define PROTOCOL_GRPC_GRPC_MEMORY_H

#include "base/attr.h"

#include <nghttp2/nghttp2.h>
#include <stddef.h>

struct grpc_memory {
	size_t used, max;
};

/** How libnghttp2 allocates, counted in ${memory}; NULL above its max. */
nghttp2_mem grpc_memory_hooks(struct grpc_memory *memory);

/** The same for our own: ${size} zeroed bytes, or NULL. */
void *grpc_memory_new(struct grpc_memory *memory, size_t size) MUST_USE;

/** ${old}, or NULL, with ${size} bytes; NULL: ${old} stays as it is. */
void *grpc_memory_resize(
    struct grpc_memory *memory, void *old, size_t size) MUST_USE;

/** NULL: no-op. */
void grpc_memory_free(struct grpc_memory *memory, void *old);

#endif
