#include "upstream/address.h"

#include "base/attr.h"

#include <netinet/in.h>
#include <string.h>

static bool
address_is_near_4(const unsigned char *bytes)
{
	return bytes[0] == 127 || bytes[0] == 0 || bytes[0] >= 224 ||
	       (bytes[0] == 169 && bytes[1] == 254);
}

/* Of IPv4, where one of IPv6 has it in it: mapped, compatible, by 6to4 or by
 * NAT64. */
static const unsigned char *
address_inner_4(const unsigned char *bytes)
{
	static const struct {
		unsigned char start[12];
		size_t len, at;
	} forms[] = {
	    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 12, 12},
	    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 12, 12},
	    {{0, 0x64, 0xff, 0x9b}, 12, 12},
	    {{0x20, 0x02}, 2, 2},
	};

	for (size_t i = 0; i < COUNT(forms); i++)
		if (memcmp(bytes, forms[i].start, forms[i].len) == 0)
			return bytes + forms[i].at;
	return NULL;
}

static bool
address_is_near_6(const unsigned char *bytes)
{
	static const unsigned char loopback[16] = {[15] = 1};
	const unsigned char *inner = address_inner_4(bytes);

	return memcmp(bytes, loopback, sizeof(loopback)) == 0 ||
	       (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80) ||
	       bytes[0] == 0xff || (inner && address_is_near_4(inner));
}

bool
address_is_near(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, address, sizeof(in));
		return address_is_near_4(
		    (const unsigned char *)&in.sin_addr.s_addr);
	}
	if (address->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, address, sizeof(in6));
		return address_is_near_6(in6.sin6_addr.s6_addr);
	}
	return true;
}
