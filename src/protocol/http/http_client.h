/**
 * http_client: the address of a client, which may be behind proxies.
 */
#ifndef PROTOCOL_HTTP_HTTP_CLIENT_H
#define PROTOCOL_HTTP_HTTP_CLIENT_H

#include "base/network.h"

#include <stdbool.h>
#include <stddef.h>

/** Read back from ${*end} on, the end of ${bytes}, the last entry of a header's
 * list, X-Forwarded-For's or, with ${is_forwarded}, Forwarded's (RFC 7239), and
 * move ${*end} before it.  Return 0 with ${address} set, or -1: it is no
 * address. */
int http_client_previous(const char *bytes, const char **end, bool is_forwarded,
    struct ip_address *address);

#endif
