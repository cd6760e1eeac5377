/**
 * msgpack: reads MessagePack, a value at a time, from bytes in memory.
 *
 * Pure, and without allocation: what a header says of its length is believed
 * only as far as there are bytes.  Extension types are not read.
 *
 * We have our own reader because msgpack-c (Debian's libmsgpack) allocates 24
 * bytes for each of the up to 2^32 values that five bytes announce, before it
 * reads one, and has no bound for that.
 */
#ifndef BASE_MSGPACK_H
#define BASE_MSGPACK_H

#include "base/attr.h"

#include <stddef.h>
#include <stdint.h>

enum msgpack_type {
	MSGPACK_NIL,
	MSGPACK_BOOL,
	MSGPACK_INT,   /* above INT64_MAX it is that */
	MSGPACK_FLOAT, /* its value is not read */
	MSGPACK_TEXT,  /* "str", "bin", and "raw" of older writers */
	MSGPACK_LIST,
	MSGPACK_MAP,
};

/** What is still to be read.  A copy is a place to come back to. */
struct msgpack {
	const unsigned char *at, *end;
};

struct msgpack_value {
	enum msgpack_type type;
	int64_t number;    /* BOOL: 0 or 1; INT */
	const char *bytes; /* TEXT, borrowed */
	size_t count;      /* TEXT: of bytes; LIST: of values that follow; MAP:
			    * of pairs of them */
};

/** Read the head of the next value.  Return 0, or -1: bytes are missing, or
 * its type is not one of these. */
int msgpack_next(struct msgpack *from, struct msgpack_value *value) MUST_USE;

/** Pass over the next value with all that is in it, however deep.  Return as
 * above. */
int msgpack_skip(struct msgpack *from) MUST_USE;

#endif
