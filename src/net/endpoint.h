/**
 * endpoint: where a server is.
 */
#ifndef NET_ENDPOINT_H
#define NET_ENDPOINT_H

#include <stdint.h>

/** The strings are borrowed. */
struct endpoint {
	const char *unix_socket_path; /* if not empty, the rest is ignored */
	const char *host;             /* IPv6 without brackets */
	int64_t port;
};

/** Room for the longest name of an endpoint. */
#define ENDPOINT_NAME_MAX 300

/** What to call it, for people: the path, HOST:PORT, or [IPV6]:PORT. */
void endpoint_name(const struct endpoint *endpoint, char to[ENDPOINT_NAME_MAX]);

#endif
