/**
 * grpc_wire: messages of protobuf, field by field: for those of which little is
 * read, or that are wrapped into others.  Pure.
 */
#ifndef PROTOCOL_GRPC_GRPC_WIRE_H
#define PROTOCOL_GRPC_GRPC_WIRE_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Some bytes, borrowed: a text, or a message in another one. */
struct grpc_text {
	const char *bytes; /* NULL: there are none */
	size_t len;
};

/** Take the next field off the front of ${message}: set ${tag}, and ${value} to
 * its bytes, or to NULL if it is a number.  Return false at the end, and where
 * the rest is no message: then ${message} is left with its bytes. */
bool grpc_wire_next(
    struct grpc_text *message, uint32_t *tag, struct grpc_text *value) MUST_USE;

/** The last field ${tag} of ${message} that has bytes. */
struct grpc_text grpc_wire_find(struct grpc_text message, uint32_t tag);

/** A message being written into ${bytes}. */
struct grpc_writing {
	char *bytes;
	size_t len, room;
	bool is_cut; /* there was not room for all */
};

/** Append a field. */
void grpc_wire_put(
    struct grpc_writing *to, uint32_t tag, const char *bytes, size_t len);
void grpc_wire_put_text(
    struct grpc_writing *to, uint32_t tag, const char *text);
void grpc_wire_put_number(
    struct grpc_writing *to, uint32_t tag, uint64_t number);

/** The same of a message that was written. */
void grpc_wire_put_message(
    struct grpc_writing *to, uint32_t tag, const struct grpc_writing *message);

#endif
