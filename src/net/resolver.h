/**
 * resolver: looks names up by the system's resolver, without blocking a loop.
 *
 * Owns: what was found for each name, shared by the whole process, and a thread
 * for each look-up under way, since getaddrinfo(3) waits.
 * Never: reads /etc/resolv.conf or /etc/hosts; the system's resolver does, and
 * sees changes.
 *
 * The thread goes on when no look-up waits for it any more.  Its result serves
 * the next look-up of that name, and all that start within half a second; if
 * nothing was found several times in a row, two seconds.  So the system is
 * asked for a name at most twice a second, and a name whose look-up takes
 * longer than an attempt to connect may last is still found.
 */
#ifndef NET_RESOLVER_H
#define NET_RESOLVER_H

#include "base/attr.h"
#include "net/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/** Most addresses of one name and family that are kept: the first ones. */
#define RESOLVER_ADDRESSES_MAX 16

struct address {
	struct sockaddr_storage storage; /* its port is 0 */
	socklen_t len;
};

/** What was found: addresses, or none and the reason, a static string. */
struct found {
	struct address addresses[RESOLVER_ADDRESSES_MAX];
	size_t count;
	const char *reason;
	bool is_ours; /* no descriptor, memory, thread here */
};

/** Delivers results to one loop. */
struct resolver;

/** NULL with errno. */
struct resolver *resolver_new(struct loop *loop) MUST_USE;

/** Free it; NULL: no-op.  No look-up may be open. */
void resolver_free(struct resolver *resolver);

/** ${found} is valid during the call. */
typedef void lookup_done(const struct found *found, void *arg);

/** A look-up that waits for the result. */
struct lookup;

/** Look ${host} up, for addresses of ${family}.  ${done} is called once, later,
 * never from within.  NULL: out of memory. */
struct lookup *lookup_start(struct resolver *resolver, const char *host,
    int family, lookup_done *done, void *arg) MUST_USE;

/** Wait no more; NULL: no-op.  ${done} is not called. */
void lookup_cancel(struct lookup *lookup);

#endif
