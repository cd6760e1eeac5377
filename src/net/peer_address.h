/**
 * peer_address: the address at the other end of a socket.
 */
#ifndef NET_PEER_ADDRESS_H
#define NET_PEER_ADDRESS_H

#include "base/network.h"

/** The address of the other end; ADDRESS_NONE: it is not known. */
struct ip_address peer_address(int fd);

#endif
