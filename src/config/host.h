/**
 * host: the settings that name a server's host.  Pure.
 */
#ifndef CONFIG_HOST_H
#define CONFIG_HOST_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>

/** Longest name of a host. */
#define HOST_MAX 255

/** Copy ${text} to ${to}, without the brackets of "[::1]", if it is a name or
 * an address, or empty.  Return whether it is.  Both may be the same. */
bool host_read(const char *text, char to[HOST_MAX + 1]) MUST_USE;

/** Write to ${to} what is wrong with a text that host_read() refused, and what
 * to write instead.  A password in it is not shown. */
void host_explain(const char *text, char *to, size_t size);

#endif
