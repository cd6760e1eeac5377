/**
 * rooms: buffers that are lent to clients with responses to be sent.
 *
 * A client that waits for nothing holds none, so that one that keeps its
 * connection costs little; and the few in use stay in the processor's cache.
 */
#ifndef SERVER_ROOMS_H
#define SERVER_ROOMS_H

#include "base/buf.h"

/** Most bytes that are kept for the next clients. */
#define ROOMS_BYTES_MAX (1 << 20)

/** All zero: none. */
struct rooms {
	struct room *first; /* the last one taken back */
	size_t bytes;       /* of all */
};

/** Give ${buf}, which is empty and has no memory, that of a spare one, if there
 * is one. */
void rooms_lend(struct rooms *rooms, struct buf *buf);

/** Take back the memory of ${buf}, which is empty. */
void rooms_take_back(struct rooms *rooms, struct buf *buf);

/** Free all. */
void rooms_clear(struct rooms *rooms);

#endif
