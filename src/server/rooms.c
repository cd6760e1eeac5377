#include "server/rooms.h"

#include <assert.h>
#include <stdlib.h>

/* A spare buffer; what it holds is in its own memory. */
struct room {
	struct room *next;
	size_t cap;
};

void
rooms_lend(struct rooms *rooms, struct buf *buf)
{
	struct room *room = rooms->first;

	assert(!buf->bytes);
	if (!room)
		return;
	rooms->first = room->next;
	rooms->bytes -= room->cap;
	*buf = (struct buf){.bytes = (char *)room, .cap = room->cap};
}

void
rooms_take_back(struct rooms *rooms, struct buf *buf)
{
	struct room *room = (void *)buf->bytes;

	assert(buf_len(buf) == 0);
	if (buf->cap < sizeof(*room) ||
	    rooms->bytes + buf->cap > ROOMS_BYTES_MAX) {
		buf_free(buf);
		return;
	}
	*room = (struct room){rooms->first, buf->cap};
	rooms->first = room;
	rooms->bytes += buf->cap;
	*buf = (struct buf){0};
}

void
rooms_clear(struct rooms *rooms)
{
	struct room *room;

	while ((room = rooms->first)) {
		rooms->first = room->next;
		free(room);
	}
	rooms->bytes = 0;
}
