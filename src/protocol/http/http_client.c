#include "protocol/http/http_client.h"

#include "protocol/http/http_head.h"

#include <string.h>
#include <strings.h>

static void
http_client_trim(const char **at, const char **end)
{
	while (*at < *end && (**at == ' ' || **at == '\t'))
		++*at;
	while (*end > *at && ((*end)[-1] == ' ' || (*end)[-1] == '\t'))
		--*end;
}

/* "192.0.2.1:4711", "[2001:db8::1]:4711", either without the port. */
static int
http_client_read(const char *at, const char *end, struct ip_address *address)
{
	const char *bracket, *colon;
	size_t len;

	http_client_trim(&at, &end);
	if (end - at >= 2 && *at == '"' && end[-1] == '"') {
		at++;
		end--;
	}
	len = (size_t)(end - at);
	bracket = len > 0 && *at == '[' ? memchr(at, ']', len) : NULL;
	colon = memchr(at, ':', len);
	if (bracket)
		end = bracket + 1;
	else if (colon && !memchr(colon + 1, ':', (size_t)(end - colon - 1)))
		end = colon;
	return address_read(address, at, (size_t)(end - at));
}

/* "for=192.0.2.1;proto=http" */
static int
http_client_read_forwarded(
    const char *at, const char *end, struct ip_address *address)
{
	while (at < end) {
		const char *sign = memchr(at, ';', (size_t)(end - at));
		const char *stop = sign ? sign : end, *start = at;

		http_client_trim(&start, &stop);
		if (stop - start > 4 && strncasecmp(start, "for=", 4) == 0)
			return http_client_read(start + 4, stop, address);
		at = sign ? sign + 1 : end;
	}
	return -1;
}

int
http_client_previous(const char *bytes, const char **end, bool is_forwarded,
    struct ip_address *address)
{
	const char *at = *end, *stop = *end;

	while (at > bytes && at[-1] != ',')
		at--;
	*end = at > bytes ? at - 1 : bytes;
	return is_forwarded ? http_client_read_forwarded(at, stop, address)
			    : http_client_read(at, stop, address);
}
