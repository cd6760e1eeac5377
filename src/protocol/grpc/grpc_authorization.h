/**
 * grpc_authorization: what Envoy's ext_authz asks, and is told.  Pure.
 */
#ifndef PROTOCOL_GRPC_GRPC_AUTHORIZATION_H
#define PROTOCOL_GRPC_GRPC_AUTHORIZATION_H

#include "base/attr.h"
#include "base/network.h"
#include "protocol/grpc/grpc_wire.h"
#include "protocol/original.h"
#include "protocol/quota.h"

#include <stdbool.h>

/** Room for a CheckResponse. */
#define GRPC_AUTHORIZATION_MAX 4096

/** Read a CheckRequest: set ${original} to the request that it is about, which
 * borrows from it, and ${client} to the address that Envoy says its client has,
 * if it is one.  Return NULL, or what is wrong. */
const char *grpc_authorization_read(const struct grpc_text *message,
    struct original *original, struct ip_address *client) MUST_USE;

/** Write a CheckResponse to ${to}, which is empty and has
 * GRPC_AUTHORIZATION_MAX bytes of room; ${which} as quota_write_headers(). */
void grpc_authorization_write(struct grpc_writing *to, bool allowed,
    const struct quota *quota, unsigned which);

#endif
