/**
 * network: addresses of IPv4 and IPv6, and lists of networks.  Pure.
 *
 * An IPv4-mapped address of IPv6 (::ffff:192.0.2.1) is that of IPv4.
 */
#ifndef BASE_NETWORK_H
#define BASE_NETWORK_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>

/** Room for the text of an address, or of a network, with its NUL. */
#define ADDRESS_TEXT_MAX 64

enum address_kind {
	ADDRESS_NONE, /* not known */
	ADDRESS_UNIX, /* a client on this machine, of a Unix socket */
	ADDRESS_IP,
};

struct ip_address {
	enum address_kind kind;
	unsigned char bytes[16]; /* of ADDRESS_IP; of IPv4: mapped */
};

/** Read ${len} bytes, an address as inet_pton(3) takes it, in brackets or not.
 * Return 0, or -1: they are none. */
int address_read(
    struct ip_address *address, const char *text, size_t len) MUST_USE;

/** Write an ADDRESS_IP, with a NUL; return the length. */
size_t address_write(
    char to[ADDRESS_TEXT_MAX], const struct ip_address *address);

/** Write what one customer usually has: of IPv6 the network of 64 bits, as
 * "2001:db8:0:1::/64", of IPv4 the address. */
size_t address_write_64(
    char to[ADDRESS_TEXT_MAX], const struct ip_address *address);

/** Most networks of a list. */
#define NETWORKS_MAX 64

struct network {
	struct ip_address address; /* its first */
	unsigned bits;
};

struct networks {
	unsigned count;
	struct network items[NETWORKS_MAX];
};

/** Read a list of networks with blanks between: 10.0.0.0/8, fd00::/8, an
 * address, "unix".  Return NULL, or the word at which ${list} is none. */
const char *networks_read(struct networks *networks, const char *list);

/** Whether one of them has ${address}. */
bool networks_have(
    const struct networks *networks, const struct ip_address *address);

#endif
