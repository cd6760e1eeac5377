#include "redis/redirect.h"

#include "base/num.h"
#include "redis/reply.h"

#include <stdio.h>
#include <string.h>

#define PORT_MAX 65535

/* An IPv6 address has no brackets: the port is behind the last colon. */
static bool
redirect_read_address(
    const char *text, const char *asked, struct cluster_server *to)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;

	if (!colon || len >= sizeof(to->host) ||
	    num_read_int(
		colon + 1, strlen(colon + 1), 1, PORT_MAX, &to->port) == -1)
		return false;
	if (len == 0 || strncmp(text, "?:", 2) == 0)
		snprintf(to->host, sizeof(to->host), "%s", asked);
	else
		snprintf(to->host, sizeof(to->host), "%.*s", (int)len, text);
	return true;
}

enum redirect
redirect_read(
    const redisReply *reply, const char *asked, struct cluster_server *to)
{
	struct cluster_server at;
	const char *slot, *address;
	bool is_ask = reply_is_error(reply, "ASK");

	if (!is_ask && !reply_is_error(reply, "MOVED"))
		return REDIRECT_NONE;
	slot = strchr(reply->str, ' ');
	address = slot ? strchr(slot + 1, ' ') : NULL;
	if (!address || !redirect_read_address(address + 1, asked, &at))
		return REDIRECT_NONE;
	*to = at;
	return is_ask ? REDIRECT_ASK : REDIRECT_MOVED;
}
