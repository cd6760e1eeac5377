/**
 * key: what is being limited, as chosen by the client.
 */
#ifndef LIMIT_KEY_H
#define LIMIT_KEY_H

#include "base/siphash.h"

#include <stdbool.h>
#include <stddef.h>

#define KEY_MAX 255

struct key {
	const char *bytes;    /* not terminated; whoever made it owns them */
	size_t len;           /* 1..KEY_MAX */
	struct hash128 hash;  /* of the bytes, under the process's seed */
};

/** Whether ${len} bytes, however many, are 0x21-0x7E or well-formed UTF-8 (RFC
 * 3629; no C1 control characters, which are invisible and which terminals
 * obey), without blanks. */
bool key_is_text(const char *bytes, size_t len);

/** Whether ${len} bytes may be a key: 1 to 255 bytes of such text. */
bool key_is_valid(const char *bytes, size_t len);

/** A key of ${len} valid bytes, which it borrows. */
struct key key_make(const char *bytes, size_t len);

#endif
