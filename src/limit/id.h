/**
 * id: the name that a client gives one of its requests, or a lease, and the
 * word of a limit that says for how long the same id is the same request.
 */
#ifndef LIMIT_ID_H
#define LIMIT_ID_H

#include "base/attr.h"
#include "limit/limit.h"
#include "limit/word.h"

#include <stdbool.h>
#include <stddef.h>

/** Most bytes of an id. */
#define ID_MAX 64

/** For how long, if the limit does not say. */
#define ID_MEMORY_US (INT64_C(60) * 1000000)

/** Whether ${len} bytes may be an id: 1 to ID_MAX, and key_is_text(). */
bool id_is_valid(const char *bytes, size_t len);

/** Set id_memory.  Return as limit_set(). */
int id_set_memory(
    struct limit *limit, const char *value, struct limit_error *error) MUST_USE;

/** The value of id_memory, in ${text}; NULL: the default. */
const char *id_get_memory(const struct limit *limit, char text[WORD_TEXT_MAX]);

#endif
