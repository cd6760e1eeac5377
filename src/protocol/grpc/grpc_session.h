/**
 * grpc_session: HTTP/2 of one client, by libnghttp2: bytes to calls, and back.
 *
 * A stream is a call: it is whole once the client has ended it, and then stands
 * in line until it is taken; its response is sent whenever that is known.  Of a
 * call whose messages are a stream, each stands in line; and a response may be
 * a stream of messages, too. Knows gRPC's frames and headers, not what a
 * message says.
 */
#ifndef PROTOCOL_GRPC_GRPC_SESSION_H
#define PROTOCOL_GRPC_GRPC_SESSION_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/list.h"
#include "base/siphash.h"
#include "gate/check.h"
#include "protocol/grpc/grpc_memory.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The bytes that a client starts with. */
#define GRPC_PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

/** Longest value of the header authorization. */
#define GRPC_LOGIN_MAX 512

/** gRPC's status codes. */
enum grpc_code {
	GRPC_OK = 0,
	GRPC_UNKNOWN = 2,
	GRPC_INVALID_ARGUMENT = 3,
	GRPC_DEADLINE_EXCEEDED = 4,
	GRPC_NOT_FOUND = 5,
	GRPC_PERMISSION_DENIED = 7,
	GRPC_RESOURCE_EXHAUSTED = 8,
	GRPC_UNIMPLEMENTED = 12,
	GRPC_INTERNAL = 13,
	GRPC_UNAVAILABLE = 14,
	GRPC_UNAUTHENTICATED = 16,
};

enum grpc_method {
	GRPC_METHOD_NONE, /* none that we have */
	GRPC_METHOD_RATE_LIMIT,
	GRPC_METHOD_HEALTH,
	GRPC_METHOD_WATCH,      /* its responses are a stream */
	GRPC_METHOD_REFLECTION, /* its requests are a stream */
	GRPC_METHOD_AUTHORIZE,
};

struct grpc_stream {
	int32_t id;
	TAILQ_ENTRY(grpc_stream) all;
	TAILQ_ENTRY(grpc_stream) whole;
	bool is_whole;  /* in that list */
	bool was_taken; /* off it */

	/* the call */
	enum grpc_method method;
	int64_t deadline_us; /* 0: none */
	char *login;         /* the header authorization, or NULL */
	size_t login_len;
	enum grpc_code code; /* what is wrong with it; GRPC_OK: nothing yet */
	const char *problem; /* the same in words; static */
	bool goes_on;        /* its messages are a stream */
	bool is_ended;       /* no more of it comes */
	unsigned char *body; /* frames of messages */
	size_t len;

	/* the response */
	bool watches;       /* it goes on as readiness changes ... */
	unsigned told;      /* ... from this status; 0: none yet */
	bool responds;      /* it has begun */
	bool responded;     /* all of it is in ${out}; ${code} is how it ends */
	unsigned char *out; /* frames of messages */
	size_t out_len, sent;
};

TAILQ_HEAD(grpc_streams, grpc_stream);

struct grpc_session {
	struct grpc_memory memory;
	nghttp2_session *h2;
	struct grpc_streams all, whole;
	size_t bodies;     /* bytes of their messages, and of the responses */
	int credit;        /* frames that the client may send */
	int64_t credit_us; /* when that was last raised */
	bool goes_away;    /* GOAWAY was sent */
};

/** Start.  NULL: out of memory. */
struct grpc_session *grpc_session_new(void) MUST_USE;

/** NULL: no-op. */
void grpc_session_free(struct grpc_session *grpc);

/** Take ${len} bytes of the client.  Return 0, or -1: it has to go. */
int grpc_session_take(
    struct grpc_session *grpc, const char *bytes, size_t len) MUST_USE;

/** The client may send ${credit} more frames that make no call. */
void grpc_session_raise_credit(struct grpc_session *grpc, int64_t credit);

/** Whether no more calls can come, as one side said, and all were responded to.
 */
bool grpc_session_is_over(const struct grpc_session *grpc);

/** Whether some call has not come as a whole, or has no response yet; those
 * that go on aside, as long as no message of theirs is due. */
bool grpc_session_is_busy(const struct grpc_session *grpc);

/** Let the call have more responses, if not too many do.  Return whether it
 * may. */
bool grpc_session_let_watch(
    struct grpc_session *grpc, struct grpc_stream *stream);

/** Take the next whole call off the line; NULL: there is none. */
struct grpc_stream *grpc_session_next(struct grpc_session *grpc);

/** The stream of that number; NULL: the client has given it up. */
struct grpc_stream *grpc_session_find(struct grpc_session *grpc, int32_t id);

/** The message of a whole call, as far as it is one; NULL: it has code and
 * problem. */
const char *grpc_session_message(struct grpc_stream *stream, size_t *len);

/** The first message of a call that goes on, for which it stands in line; NULL:
 * it has code and problem, or it has ended. */
const char *grpc_session_first(struct grpc_stream *stream, size_t *len);

/** Done with that: the next one, or the end, stands in line, once it came. */
void grpc_session_drop_first(
    struct grpc_session *grpc, struct grpc_stream *stream);

/** Drop what came of a call. */
void grpc_session_drop_body(
    struct grpc_session *grpc, struct grpc_stream *stream);

/* Responses: grpc_respond.c. */

/** Respond to a call with a message.  Return 0, or -1 (out of memory). */
int grpc_session_respond(struct grpc_session *grpc, struct grpc_stream *stream,
    const char *message, size_t len) MUST_USE;

/** The same with one message, after which others may follow.  A client that
 * does not read them is told RESOURCE_EXHAUSTED. */
int grpc_session_push(struct grpc_session *grpc, struct grpc_stream *stream,
    const char *message, size_t len) MUST_USE;

/** End the response to a call, with GRPC_OK, or with another code and a static
 * text.  Return as above. */
int grpc_session_end(struct grpc_session *grpc, struct grpc_stream *stream,
    enum grpc_code code, const char *problem) MUST_USE;

/** End the calls that go on.  Return as above. */
int grpc_session_end_open(struct grpc_session *grpc) MUST_USE;

/** Take no more calls than those that came.  Return 0, or -1 (out of memory).
 */
int grpc_session_go_away(struct grpc_session *grpc) MUST_USE;

/** Append to ${out} what is to be sent.  Return 0, or -1 (out of memory). */
int grpc_session_send(struct grpc_session *grpc, struct buf *out) MUST_USE;

#endif
