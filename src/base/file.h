/**
 * file: a whole file at once.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/attr.h"

#include <stddef.h>

/** Largest file that is read. */
#define FILE_READ_MAX ((size_t)64 << 20)

/** Read the file at ${path}.  Return its bytes, the caller's to free, with a
 * NUL after the last; ${len} does not count it.  Or NULL with errno. */
char *file_read(const char *path, size_t *len) MUST_USE;

#endif
