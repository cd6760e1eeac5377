/**
 * host_port: where to listen or to connect, as people write it.  Pure.
 *
 * HOST:PORT, [IPV6]:PORT; :PORT, *:PORT and PORT mean every address.
 */
#ifndef BASE_HOST_PORT_H
#define BASE_HOST_PORT_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>

/** Room for a host, and for HOST:PORT with brackets. */
#define HOST_PORT_HOST_MAX 256
#define HOST_PORT_NAME_MAX 270

struct host_port {
	char host[HOST_PORT_HOST_MAX]; /* a name, or an address without
					  brackets; "": every */
	char port[6];                  /* "1" to "65535" */
};

/** Read it.  Return whether ${text} is one. */
bool host_port_read(struct host_port *to, const char *text) MUST_USE;

/** Read the next one of a list with blanks between, each with a host, and move
 * ${list} behind it.  Return whether there is one. */
bool host_port_read_next(struct host_port *to, const char **list) MUST_USE;

/** Write the one form of a host, which all its spellings have: an address as
 * inet_ntop(3) does, one of IPv4 also where it is mapped to IPv6; a name in
 * lower case, without a dot at its end. */
void host_port_unify_host(const char *host, char to[HOST_PORT_HOST_MAX]);

/** Write the one form of both: "a.example:6379", "[::1]:6379". */
void host_port_name(const struct host_port *at, char to[HOST_PORT_NAME_MAX]);

/** As strcmp(3): in the order of hosts, and then of ports, as texts. */
int host_port_compare(
    const struct host_port *left, const struct host_port *right) MUST_USE;

/** Most of them in a list. */
#define HOST_PORT_LIST_MAX 1000

/** Whether ${list} is such a list, of 1 to HOST_PORT_LIST_MAX, none of them
 * twice, however it is spelled. */
bool host_port_is_list(const char *list);

/** Write to ${to} what is wrong with a list that is none. */
void host_port_explain_list(const char *list, char *to, size_t size);

/** Write to ${to} what is wrong with a text that was refused. */
void host_port_explain(const char *text, char *to, size_t size);

#endif
