/**
 * request: what a client asks for, in whichever protocol.
 */
#ifndef PROTOCOL_REQUEST_H
#define PROTOCOL_REQUEST_H

#include "gate/check.h"
#include "protocol/errors.h"
#include "protocol/verbs.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct routed_request; /* limit/routes.h */

/** Most lines that a client may ask for. */
#define REQUEST_COUNT_MAX 1000

/** Which decisions a client wants to see. */
enum request_verdict {
	VERDICT_ANY,
	VERDICT_ALLOWED,
	VERDICT_DENIED,
};

/** A request that is to be passed on to an upstream; borrowed. */
struct forward {
	struct forward_text {
		const char *bytes;
		size_t len;
	} method, target, /* NAME/PATH?QUERY */
	    fields,       /* its headers: whole lines, with their CR LF */
	    body;
};

struct request {
	enum verb verb;
	unsigned encoding; /* of the response: a number of the protocol's own */

	/* if the verb has a key; a filter has a glob here, or NULL */
	enum op op;      /* on its bucket */
	const char *key; /* borrowed from the bytes read */
	size_t key_len;
	int64_t
	    amount; /* within +-LIMIT_AMOUNT_MAX; 1 if the client left it out */

	int64_t wait_us; /* of OP_WAIT: the longest time */
	uint64_t lease;  /* lease_name() of the id that came; 0: none did */
	const char *id;  /* of the request; borrowed; length 0: it has none */
	size_t id_len;

	/* if it has several; borrowed as well */
	unsigned key_count;
	bool lacks_amount;                        /* of the last one */
	bool charges_each;                        /* as check_charge_each() */
	struct check_key keys[VERB_KEYS_MAX + 1]; /* and an id, at first */

	/* if the verb has a count */
	int64_t count; /* 0: the client left it out */

	/* if the verb has a filter */
	enum request_verdict verdict;

	/* of AUTH: the secret, or the name and the secret; borrowed */
	struct request_word {
		const char *bytes;
		size_t len;
	} words[2];
	unsigned word_count;

	/* the limit that came with it, as limit_init_inline() takes it;
	 * capacity 0: none did, and the key determines it */
	int64_t capacity;
	int64_t recharge_ns;

	/* its keys, if a route says which; borrowed; else NULL */
	const struct routed_request *routed;

	/* what is to be passed on, if the verb says so; borrowed; else NULL */
	const struct forward *forward;
};

/** Start a request for ${verb}, whose arguments are still to come. */
static inline void
request_init(struct request *request, enum verb verb)
{
	request->verb = verb;
	request->encoding = 0;
	request->op = verb_rows[verb].op;
	request->key = NULL;
	request->key_len = 0;
	request->amount = 1;
	request->wait_us = LIMIT_SPAN_MAX;
	request->lease = 0;
	request->id_len = 0;
	request->key_count = 0;
	request->lacks_amount = false;
	request->charges_each = false;
	request->count = 0;
	request->verdict = VERDICT_ANY;
	request->word_count = 0;
	request->capacity = 0;
	request->recharge_ns = 0;
	request->routed = NULL;
	request->forward = NULL;
}

/** Take ${len} bytes, which it borrows, as ${argument}, a key, for a protocol
 * that can carry any bytes.  Return as request_set(). */
enum protocol_error request_set_any_key(struct request *request,
    enum argument argument, const char *bytes, size_t len);

/** Take ${len} bytes, which it borrows, as ${argument}.  Return ERROR_NONE, or
 * what is wrong with them. */
enum protocol_error request_set(struct request *request, enum argument argument,
    const char *bytes, size_t len);

/** All ${count} arguments were set.  Return ERROR_NONE, or which one is
 * missing. */
enum protocol_error request_finish(struct request *request, size_t count);

#endif
