/**
 * peer_address: the address at the other end of a socket.
 */
#ifndef NET_PEER_ADDRESS_H
#define NET_PEER_ADDRESS_H

#include "base/network.h"

#include <stdbool.h>
#include <sys/types.h>

/** The address of the other end; ADDRESS_NONE: it is not known. */
struct ip_address peer_address(int fd);

/** Whether ${fd} is a Unix socket, and then the user of its peer, when it
 * connected. */
bool peer_uid(int fd, uid_t *uid);

#endif
