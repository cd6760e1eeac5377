/**
 * session: one client's state in its protocol.
 *
 * The first bytes that a client sends determine its protocol, until it
 * disconnects.  Knows no sockets: it is fed bytes, and gives back requests.
 */
#ifndef PROTOCOL_SESSION_H
#define PROTOCOL_SESSION_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/network.h"
#include "limit/routes.h"
#include "protocol/descriptors.h"
#include "protocol/original.h"
#include "protocol/protocol.h"
#include "protocol/users.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Room for what a protocol remembers of a client, and for what it reads one
 * request into. */
#define SESSION_STATE_MAX   288
#define SESSION_SCRATCH_MAX 1152

/** What the sessions of one thread share.  All zero at first, except the
 * settings. */
struct session_common {
	/* what each user may ask; NULL: every client may ask anything; a
	 * reference */
	struct users *users;
	struct log_limiter login_limiter; /* of lines on wrong secrets */
	struct login_tries *tries; /* which there were; NULL: none is counted */

	/* settings */
	bool inline_limits;           /* a request may bring its limit along */
	const char *http_hosts;       /* names that HTTP clients may call us */
	unsigned http_headers;        /* enum http_headers */
	unsigned grpc_headers;        /* the same of gRPC */
	bool grpc_charge_all;         /* charge each descriptor by itself */
	const char *grpc_denied_body; /* for Envoy to respond with; "": none;
				       * NULL as well */
	const char *client_header;    /* which says a client's address */
	const struct networks *trusted; /* whose word counts for that; NULL:
					 * none */
	struct gate *gate; /* whose routes are in force; NULL: there are none */

	/* of this process */
	bool draining;   /* clients are to go after their requests ... */
	bool hands_over; /* ... or, where that can be, to a successor */

	struct buf response; /* to the request just read, if it is known; to be
			      * emptied before the next one is read */
	_Alignas(8) char scratch[SESSION_SCRATCH_MAX];
	struct routed_request routed;   /* the request just read */
	struct descriptors descriptors; /* or these */
	struct forward forward;         /* or this ... */
	struct buf forwarded;           /* ... and its bytes, if they had been
					 * stored */
};

/** Who a client is, for protocol/login.c. */
struct login {
	struct users *users; /* that the following are of, a reference; NULL:
			      * nothing is known yet */
	const struct user *user;    /* in force; NULL: none */
	const struct user *initial; /* before it logs in */
	bool by_secret;             /* AUTH: only this process knows it */
	unsigned pause;             /* read nothing more for so many seconds */

	/* what the connection says */
	bool has_uid;
	uid_t uid;
	char cert[USER_CERT_MAX + 1]; /* "": none */

	/* what HTTP said last */
	const struct user *remembered; /* of this header; NULL: none */
	unsigned char digest[SECRET_HASH_LEN];
};

/** A field of its conn. */
struct session {
	const struct protocol *protocol; /* NULL: not known yet */
	struct session_common *common;
	uint64_t id;      /* tells the client from all others of this process */
	enum offer offer; /* of the listener that it came by */
	struct ip_address peer;
	struct login login;
	bool last;     /* no request follows: close once all is responded to */
	size_t stored; /* bytes that the protocol stores, which it says here */
	_Alignas(8) char state[SESSION_STATE_MAX]; /* the protocol's own; all
						    * zero at first */
};

/** Start, with the client's first byte still to come. */
void session_start(struct session *session, struct session_common *common,
    uint64_t id, enum offer offer);

/** What routes need for a request that the client asks about. */
struct original_routing session_routing(const struct session *session);

/** Free what the protocol stores of the client. */
void session_end(struct session *session);

/** As protocol->has_queued(). */
bool session_has_queued(const struct session *session);

/** As protocol->read(), for any number of bytes; for none, if it has queued
 * requests. */
enum read_result session_read(struct session *session, const char *bytes,
    size_t len, size_t *used, struct request *request) MUST_USE;

/** As protocol->first_len(), for any number of bytes. */
size_t session_first_len(
    const struct session *session, const char *bytes, size_t len);

/** As protocol->cut(). */
enum read_result session_cut(struct session *session) MUST_USE;

/** As protocol->late(); READ_MORE: close without a word. */
enum read_result session_late(struct session *session) MUST_USE;

/** As protocol->is_between(); true for a client that has sent nothing yet. */
bool session_is_between(const struct session *session);

/** As protocol->can_hand_over(); true for a client that has sent nothing
 * yet. */
bool session_can_hand_over(const struct session *session);

/** Free what the sessions shared. */
void session_common_clear(struct session_common *common);

#endif
