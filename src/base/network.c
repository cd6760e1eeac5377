#include "base/network.h"

#include "base/num.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define BLANKS " \t"

static const unsigned char network_mapped[12] = {
    [10] = 0xFF,
    [11] = 0xFF,
};

static bool
network_is_4(const struct ip_address *address)
{
	return memcmp(address->bytes, network_mapped, 12) == 0;
}

int
address_read(struct ip_address *address, const char *text, size_t len)
{
	char copy[ADDRESS_TEXT_MAX];

	if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (len >= sizeof(copy) || memchr(text, '\0', len))
		return -1;
	memcpy(copy, text, len);
	copy[len] = '\0';
	*address = (struct ip_address){.kind = ADDRESS_IP};
	if (inet_pton(AF_INET6, copy, address->bytes) == 1)
		return 0;
	memcpy(address->bytes, network_mapped, sizeof(network_mapped));
	return inet_pton(AF_INET, copy, address->bytes + 12) == 1 ? 0 : -1;
}

size_t
address_write(char to[ADDRESS_TEXT_MAX], const struct ip_address *address)
{
	bool is_4 = network_is_4(address);

	inet_ntop(is_4 ? AF_INET : AF_INET6,
	    is_4 ? address->bytes + 12 : address->bytes, to, ADDRESS_TEXT_MAX);
	return strlen(to);
}

size_t
address_write_64(char to[ADDRESS_TEXT_MAX], const struct ip_address *address)
{
	struct ip_address network = *address;
	size_t len;

	if (network_is_4(address))
		return address_write(to, address);
	memset(network.bytes + 8, 0, 8);
	len = address_write(to, &network);
	memcpy(to + len, "/64", sizeof("/64"));
	return len + 3;
}

/*
 * Lists.
 */

static int
network_read(struct network *network, const char *word, size_t len)
{
	const char *slash = memchr(word, '/', len);
	size_t address_len = slash ? (size_t)(slash - word) : len;
	int64_t most, bits;

	if (len == 4 && memcmp(word, "unix", 4) == 0) {
		*network = (struct network){.address.kind = ADDRESS_UNIX};
		return 0;
	}
	if (address_read(&network->address, word, address_len) == -1)
		return -1;
	most = network_is_4(&network->address) && memchr(word, '.', len) ? 32
									 : 128;
	bits = most;
	if (slash && num_read_int(slash + 1, len - address_len - 1, 0, most,
			 &bits) == -1)
		return -1;
	network->bits = (unsigned)(bits + 128 - most);
	return 0;
}

static bool
network_has(const struct network *network, const struct ip_address *address)
{
	unsigned whole = network->bits / 8, left = network->bits % 8;
	const unsigned char *a = network->address.bytes, *b = address->bytes;

	if (network->address.kind != address->kind)
		return false;
	if (memcmp(a, b, whole) != 0)
		return false;
	return left == 0 || (a[whole] ^ b[whole]) >> (8 - left) == 0;
}

bool
networks_have(const struct networks *networks, const struct ip_address *address)
{
	for (unsigned i = 0; i < networks->count; i++)
		if (network_has(&networks->items[i], address))
			return true;
	return false;
}

const char *
networks_read(struct networks *networks, const char *list)
{
	networks->count = 0;
	while (*(list += strspn(list, BLANKS))) {
		size_t len = strcspn(list, BLANKS);

		if (networks->count == NETWORKS_MAX ||
		    network_read(
			&networks->items[networks->count], list, len) == -1)
			return list;
		networks->count++;
		list += len;
	}
	return NULL;
}
