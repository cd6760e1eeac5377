#include "net/peer_address.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

struct ip_address
peer_address(int fd)
{
	struct sockaddr_storage storage = {0};
	socklen_t len = sizeof(storage);
	struct ip_address address = {0};

	if (getpeername(fd, (struct sockaddr *)&storage, &len) == -1)
		return address;
	if (storage.ss_family == AF_UNIX) {
		address.kind = ADDRESS_UNIX;
	} else if (storage.ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)&storage;

		address.kind = ADDRESS_IP;
		memcpy(address.bytes, &in6->sin6_addr, sizeof(address.bytes));
	} else if (storage.ss_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)&storage;

		address.kind = ADDRESS_IP;
		memset(address.bytes + 10, 0xFF, 2);
		memcpy(address.bytes + 12, &in->sin_addr, 4);
	}
	return address;
}

bool
peer_uid(int fd, uid_t *uid)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (peer_address(fd).kind != ADDRESS_UNIX ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == -1)
		return false;
	*uid = peer.uid;
	return true;
}
