#include "config/host.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* Whether ${host} is an address of IPv6, maybe with its zone: "fe80::1%eth0".
 */
static bool
host_is_ipv6(const char *host)
{
	struct in6_addr address;
	char plain[INET6_ADDRSTRLEN];
	size_t len = strcspn(host, "%");

	if (len >= sizeof(plain))
		return false;
	memcpy(plain, host, len);
	plain[len] = '\0';
	return inet_pton(AF_INET6, plain, &address) == 1;
}

static bool
host_is_name(const char *host)
{
	return strspn(host, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			    "abcdefghijklmnopqrstuvwxyz"
			    "0123456789._-") == strlen(host);
}

bool
host_read(const char *text, char to[HOST_MAX + 1])
{
	size_t len = strlen(text);
	bool has_brackets = len > 1 && text[0] == '[' && text[len - 1] == ']';

	if (len > HOST_MAX)
		return false;
	if (has_brackets) {
		text++;
		len -= 2;
	}
	memmove(to, text, len);
	to[len] = '\0';
	return host_is_ipv6(to) || (!has_brackets && host_is_name(to));
}

/* "scheme://user:password@host:port/db" */
static void
host_explain_url(const char *text, char *to, size_t size)
{
	const char *rest = strstr(text, "://") + strlen("://");
	size_t len = strcspn(rest, "/?");
	const char *at = memrchr(rest, '@', len);
	const char *host = at ? at + 1 : rest;
	size_t host_len = len - (size_t)(host - rest);
	const char *colon = memrchr(host, ':', host_len);

	if (colon)
		snprintf(to, size,
		    "a URL is not a host: write host = %.*s and port = %.*s",
		    (int)(colon - host), host,
		    (int)(host_len - (size_t)(colon - host) - 1), colon + 1);
	else
		snprintf(to, size, "a URL is not a host: write host = %.*s",
		    (int)host_len, host);
}

/* Whether it is HOST:PORT, with the length of HOST in ${len}. */
static bool
host_has_port(const char *text, size_t *len)
{
	char host[HOST_MAX + 1];
	const char *colon = strrchr(text, ':');

	if (!colon || colon - text > HOST_MAX || colon == text ||
	    colon[1] == '\0' ||
	    strspn(colon + 1, "0123456789") != strlen(colon + 1))
		return false;
	*len = (size_t)(colon - text);
	snprintf(host, sizeof(host), "%.*s", (int)*len, text);
	return host_read(host, host);
}

void
host_explain(const char *text, char *to, size_t size)
{
	size_t len;

	if (strstr(text, "://"))
		host_explain_url(text, to, size);
	else if (*text == '/')
		snprintf(to, size,
		    "a path is not a host: write unix_socket_path = %.100s",
		    text);
	else if (host_has_port(text, &len))
		snprintf(to, size, "write host = %.*s and port = %.5s",
		    (int)len, text, text + len + 1);
	else
		snprintf(to, size, "%.60s is not the name or address of a host",
		    text);
}
