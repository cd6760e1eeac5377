#include "net/endpoint.h"

#include <stdio.h>
#include <string.h>

void
endpoint_name(const struct endpoint *endpoint, char to[ENDPOINT_NAME_MAX])
{
	const char *host = endpoint->host;

	if (*endpoint->unix_socket_path)
		snprintf(
		    to, ENDPOINT_NAME_MAX, "%s", endpoint->unix_socket_path);
	else
		snprintf(to, ENDPOINT_NAME_MAX,
		    strchr(host, ':') ? "[%s]:%d" : "%s:%d", host,
		    (int)endpoint->port);
}
