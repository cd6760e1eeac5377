/**
 * grpc_outcome: what became of a call, until it is sent.
 */
#ifndef PROTOCOL_GRPC_GRPC_OUTCOME_H
#define PROTOCOL_GRPC_GRPC_OUTCOME_H

#include "base/attr.h"
#include "base/buf.h"
#include "gate/check.h"
#include "protocol/errors.h"
#include "protocol/grpc/grpc_answer.h"
#include "protocol/grpc/grpc_session.h"
#include "protocol/quota.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct grpc_outcome {
	int32_t stream; /* 0: none; libnghttp2 has something to send */
	enum grpc_code code;
	const char *problem;       /* static */
	enum protocol_error error; /* where that comes from */

	/* of a decision */
	bool allowed;
	struct quota quota;             /* its limit is ${limit} */
	char limit[LIMIT_NAME_MAX + 1]; /* "": none */
	unsigned count;
	struct descriptor_status statuses[CHECK_KEYS_MAX]; /* those in use */

	/* or a message that was written already, which it borrows */
	size_t len;
	const char *message;
};

/** Append it to ${out}.  Return 0, or -1 (out of memory). */
int grpc_outcome_put(
    struct buf *out, const struct grpc_outcome *outcome) MUST_USE;

/** Set ${outcome} to what was appended, ${len} bytes, which it borrows. */
void grpc_outcome_take(
    struct grpc_outcome *outcome, const char *bytes, size_t len);

/** Append that there was an error, as protocol->error(); ${encoding} is the
 * stream. */
int grpc_outcome_error(
    struct buf *out, unsigned encoding, enum protocol_error error) MUST_USE;

#endif
