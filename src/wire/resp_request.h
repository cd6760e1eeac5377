/**
 * resp_request: what a command of RESP asks for.
 *
 * Knows which commands there are.  CONSUME, PEEK, RESET key, EXPLAIN, LIMITS,
 * STATS, HELP, PING and CL.THROTTLE are requests; the rest is answered at once
 * (wire/hello.h).
 */
#ifndef WIRE_RESP_REQUEST_H
#define WIRE_RESP_REQUEST_H

#include "wire/hello.h"
#include "wire/request.h"
#include "wire/resp.h"

enum resp_demand {
	RESP_ASKS,     /* ${request} is set */
	RESP_ANSWERED, /* the answer was appended to ${out} */
	RESP_WRONG,    /* so was the error */
	RESP_QUITS,    /* so was the answer, and no more is to be read */
	RESP_FAILED,   /* out of memory */
};

/** Find out what ${command}, which has words, asks for. */
enum resp_demand resp_request_read(const struct resp_command *command,
    struct resp_session *session, struct request *request, struct buf *out);

/** The answer to HELP, END included. */
extern const char resp_help[];

#endif
