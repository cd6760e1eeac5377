/**
 * talk: what a client says, in whichever protocol it does: bytes to requests.
 *
 * The first byte of a connection tells: '*' starts RESP, anything else the line
 * protocol, for good.  Requests go into the client's queue, each with the form
 * in which it is to be answered.
 * Never: knows the client's socket.
 */
#ifndef GATE_TALK_H
#define GATE_TALK_H

#include "base/attr.h"
#include "base/buf.h"
#include "gate/queue.h"
#include "wire/hello.h"
#include "wire/line.h"
#include "wire/resp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Of what is not a whole request yet, no more is held than this. */
#define TALK_HELD_MAX RESP_HELD_MAX

/** What the clients of one worker share: room for the command just read, and
 * for its answer if it is known at once.  All zero at first. */
struct talk_room {
	struct resp_command command;
	struct buf answer;
};

enum talk_protocol { TALK_UNKNOWN, TALK_LINE, TALK_RESP };

/** A field of whatever has a client. */
struct talk {
	struct talk_room *room;
	struct queue *queue;
	enum talk_protocol protocol;
	bool costly; /* the last request was more than a decision */
	struct line_reader line;
	struct resp_reader resp;
	struct resp_session session;
};

enum talk_result {
	TALK_TAKEN,  /* a request, or what is wrong, was put into the queue */
	TALK_CLOSE,  /* the same, and no more is to be taken */
	TALK_MORE,   /* no whole request yet */
	TALK_FAILED, /* out of memory: the queue is of no use any more */
};

/** Start, with the client's first byte still to come; ${id} tells the client
 * from all others. */
void talk_start(struct talk *talk, struct talk_room *room, struct queue *queue,
    uint64_t id);

/** Take one request off the front of ${len} bytes.  ${used} is set to how many
 * are done with; after TALK_MORE the rest is to be handed in again, with what
 * follows. */
enum talk_result talk_take(
    struct talk *talk, const char *bytes, size_t len, size_t *used) MUST_USE;

/** How many of ${len} bytes there are up to the end of the first request, all
 * if it does not end there.  Nothing is taken. */
size_t talk_first_len(const struct talk *talk, const char *bytes, size_t len);

/** The input ended, and a request did not.  Return 0, or -1 (out of memory). */
int talk_cut(struct talk *talk) MUST_USE;

/** Whether what was taken ended where a request does. */
bool talk_is_whole(const struct talk *talk);

/** Whether another process, which knows nothing of this client, can go on with
 * it between two requests: not if it was agreed on how to talk. */
bool talk_can_move(const struct talk *talk);

/** Free what is in the room. */
void talk_room_clear(struct talk_room *room);

#endif
