/**
 * address: which addresses a name may lead to.  Pure.
 */
#ifndef UPSTREAM_ADDRESS_H
#define UPSTREAM_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

/** Whether it is of this machine, of this link only, or of no one host: or of a
 * family that is not IP. */
bool address_is_near(const struct sockaddr *address);

#endif
