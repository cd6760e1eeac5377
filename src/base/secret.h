/**
 * secret: a password from a file, which may change while threads use it.
 *
 * Owns: the text, which it wipes.  Any thread may use it.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/attr.h"

#include <stdbool.h>

/** Most characters of one: providers hand out tokens. */
#define SECRET_MAX 4096

struct secret;

/** NULL: out of memory. */
struct secret *secret_new(void) MUST_USE;

/** Free it; NULL: no-op. */
void secret_free(struct secret *secret);

/** Change it to ${text}, of at most SECRET_MAX characters.  Return whether it
 * was another. */
bool secret_set(struct secret *secret, const char *text);

/** Copy it to ${to}, which the caller wipes. */
void secret_copy(struct secret *secret, char to[SECRET_MAX + 1]);

/** A server refused it: perhaps the file has another by now. */
void secret_refuse(struct secret *secret);

/** Whether that happened since the last call of this. */
bool secret_take_refused(struct secret *secret);

#endif
