/**
 * grpc_reflection: gRPC's reflection service, which tells clients as grpcurl
 * which services and messages there are: the files that the Makefile built in.
 * Pure.
 */
#ifndef PROTOCOL_GRPC_GRPC_REFLECTION_H
#define PROTOCOL_GRPC_GRPC_REFLECTION_H

#include "protocol/grpc/grpc_wire.h"

#include <stdbool.h>

/** Longest request, and room for a response. */
#define GRPC_REFLECTION_ASKED_MAX 1024
#define GRPC_REFLECTION_MAX       8192

/** Write the response to a ServerReflectionRequest of at most
 * GRPC_REFLECTION_ASKED_MAX bytes to ${to}, which is empty and has
 * GRPC_REFLECTION_MAX bytes of room. */
void grpc_reflection_respond(
    struct grpc_writing *to, const struct grpc_text *request);

/** Whether one of the services has that name. */
bool grpc_reflection_has(const struct grpc_text *service);

#endif
