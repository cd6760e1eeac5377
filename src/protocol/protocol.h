/**
 * protocol: how a client talks; one constant struct for each protocol.
 *
 * A protocol turns bytes into requests, and their outcomes into bytes.  It has
 * a folder, protocol/NAME/, which defines NAME_protocol, and a line in
 * PROTOCOLS.  Nothing outside its folder asks which protocol a client speaks.
 * Knows no sockets, and decides nothing.
 */
#ifndef PROTOCOL_PROTOCOL_H
#define PROTOCOL_PROTOCOL_H

#include "base/buf.h"
#include "gate/check.h"
#include "protocol/errors.h"
#include "protocol/request.h"

#include <stdbool.h>
#include <stddef.h>

/** A client gets the first one that detects the client's first bytes; the last
 * one detects any.  The first ones are those that the Makefile was asked for:
 * WITH_GRPC. */
#define PROTOCOLS(X)                                                           \
	PROTOCOLS_CHOSEN(X)                                                    \
	X(resp)                                                                \
	X(http)                                                                \
	X(policy)                                                              \
	X(line)

enum {
#define X(name) PROTOCOL_##name,
	PROTOCOLS(X)
#undef X
	    PROTOCOL_COUNT
};

struct session; /* protocol/session.h: the client's state */

/** Most bytes that a protocol may need to see again, as they are no whole
 * request yet. */
#define PROTOCOL_HELD_MAX 16416

enum read_result {
	READ_MORE,      /* no whole request yet */
	READ_REQUEST,   /* the request is set */
	READ_RESPONDED, /* the response is known: session->common->response,
			 * which may be empty */
	READ_BAD,       /* the same, for a request that is wrong */
	READ_FAILED,    /* out of memory */
};

enum detect_result {
	DETECT_NO,
	DETECT_MORE, /* the client's next bytes will show it */
	DETECT_YES,
};

/** Some rows of a response, in order; the others go before and after. */
struct rows {
	const char *text; /* whole lines, one a row; NULL: none */
	size_t len;
	size_t count;     /* of rows in the whole response */
	bool first, last; /* of its parts */
	bool is_feed; /* there may be more at any time; count is not known */
};

/** Some of the response of an upstream, or of ours in place of it; the others
 * go before and after. */
struct passed {
	bool first, last;

	/* of the first; status and length of all */
	int status;
	const char *fields; /* its headers: whole lines, with their CR LF */
	size_t fields_len;
	const char *more; /* ours: the same, and at most 200 bytes */
	size_t more_len;
	int64_t length;            /* of the body; -1: it is not known */
	const char *code, *detail; /* ours: what is wrong; else NULL */

	/* of the body */
	const char *bytes;
	size_t len;
};

struct protocol {
	const char *name;
	unsigned families; /* of verbs that it offers: verb_family, or'ed */
	const char *bye;   /* the response to QUIT, or NULL */

	/*
	 * Reading.
	 */

	/** Whether a client whose first ${len} bytes, at least one, are these
	 * speaks it. */
	enum detect_result (*detect)(const char *bytes, size_t len);

	/** Read one request off the front of ${len} bytes, at least one.  Set
	 * ${used} to the number of bytes done with; after READ_MORE the others,
	 * at most PROTOCOL_HELD_MAX, are handed in again with what follows.
	 * Set session->last if no request can follow. */
	enum read_result (*read)(struct session *session, const char *bytes,
	    size_t len, size_t *used, struct request *request);

	/** Whether requests that came earlier must be read before any bytes:
	 * read() then returns one of them, and uses no byte.  NULL: there are
	 * none. */
	bool (*has_queued)(const struct session *session);

	/** The client is gone: free what is stored of it.  NULL: no-op. */
	void (*end)(struct session *session);

	/** Number of the ${len} bytes, at least one, up to the end of the first
	 * request; all if it does not end there. */
	size_t (*first_len)(
	    const struct session *session, const char *bytes, size_t len);

	/** The client's input ended in the middle of a request.  Return
	 * READ_RESPONDED, READ_BAD or READ_FAILED. */
	enum read_result (*cut)(struct session *session);

	/** The client's request did not end in time.  Return as cut(); or,
	 * NULL, close without a word. */
	enum read_result (*late)(struct session *session);

	/** Whether the bytes read end with a whole request. */
	bool (*is_between)(const struct session *session);

	/** Whether another process, which knows nothing of this client, can go
	 * on with it between two requests. */
	bool (*can_hand_over)(const struct session *session);

	/*
	 * Writing.  Each call appends to ${out}, in the encoding that the
	 * request asked for (0: there was none), and returns 0, or -1 (out of
	 * memory).
	 */

	/** ALLOW or DENY. */
	int (*decision)(struct buf *out, unsigned encoding,
	    const struct check *check) MUST_USE;

	int (*error)(struct buf *out, unsigned encoding,
	    enum protocol_error error) MUST_USE;

	/** A word that reports success: "OK", "PONG". */
	int (*word)(
	    struct buf *out, unsigned encoding, const char *word) MUST_USE;

	int (*number)(
	    struct buf *out, unsigned encoding, int64_t number) MUST_USE;

	/** The next rows of a response of many. */
	int (*rows)(struct buf *out, unsigned encoding,
	    const struct rows *rows) MUST_USE;

	/** The next part of a response that is passed on.  NULL: it has no verb
	 * for that. */
	int (*passed)(struct buf *out, unsigned encoding,
	    const struct passed *part) MUST_USE;

	/*
	 * Sending, for a protocol whose bytes depend on what was sent before.
	 * All append to ${out}, and return 0, or -1 (close the client).
	 */

	/** ${len} bytes that calls above appended for one request, or that
	 * read() left in the response, are next to be sent; may set
	 * session->last.  NULL: as they are. */
	int (*frame)(struct session *session, const char *bytes, size_t len,
	    struct buf *out) MUST_USE;

	/** Whether decisions can be asked for, as READY says it: ${error}, or
	 * ERROR_NONE; called each second.  NULL: it has no watchers. */
	int (*tell_ready)(struct session *session, enum protocol_error error,
	    struct buf *out) MUST_USE;

	/** The process is about to end; called again and again.  NULL: there is
	 * no word for that. */
	int (*drain)(struct session *session, struct buf *out) MUST_USE;
};

/** What a listener offers to its clients. */
enum offer {
	OFFER_ANY,    /* decisions, in any protocol */
	OFFER_HTTP,   /* decisions, in HTTP */
	OFFER_ADMIN,  /* what an operator wants to know, in HTTP */
	OFFER_POLICY, /* decisions on mail, for Postfix */
	OFFER_COUNT
};

/** Number ${i}, of PROTOCOL_COUNT; and which number ${protocol} has. */
const struct protocol *protocol_at(size_t i);
size_t protocol_number(const struct protocol *protocol);

/** The protocol of all clients with this offer; NULL: their first bytes show
 * it. */
const struct protocol *protocol_of_offer(enum offer offer);

/** The protocol of a client whose first ${len} bytes, at least one, are these;
 * NULL: its next bytes will show it. */
const struct protocol *protocol_detect(const char *bytes, size_t len);

/** The same for a client that sends no more, or sent nothing: the last protocol
 * if the bytes do not show it. */
const struct protocol *protocol_guess(const char *bytes, size_t len);

#endif
