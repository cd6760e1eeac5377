/**
 * grpc_call: what a call asks for.
 */
#ifndef PROTOCOL_GRPC_GRPC_CALL_H
#define PROTOCOL_GRPC_GRPC_CALL_H

#include "protocol/grpc/grpc_outcome.h"
#include "protocol/session.h"

struct descriptors;

/** What a session remembers. */
struct grpc_state {
	struct grpc_session *grpc; /* NULL: no byte was read yet */
	struct descriptors *asked; /* the last call's keys; NULL: none yet */
};

static inline struct grpc_state *
grpc_state_of(struct session *session)
{
	return (void *)session->state;
}

/** Read a call that was taken off the line.  Return as protocol->read(), with
 * the request or the response set. */
enum read_result grpc_call_read(struct session *session,
    struct grpc_stream *stream, struct request *request);

#endif
