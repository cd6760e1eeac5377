/**
 * upstream_path: the path of a request to an upstream.  Pure.
 */
#ifndef UPSTREAM_UPSTREAM_PATH_H
#define UPSTREAM_UPSTREAM_PATH_H

#include <stdbool.h>
#include <stddef.h>

/** Write ${len} bytes of a target, "" or "/PATH?QUERY", to ${to}, which has
 * room for as many and two more, with a NUL, in the one form that it has: a
 * path that begins with a slash, no "." in it, nothing escaped that need not
 * be, and the escapes in capitals.  Return whether it is one: a path with ..,
 * with an escaped slash, backslash or control character is none. */
bool upstream_path_normalize(char *to, const char *target, size_t len);

#endif
