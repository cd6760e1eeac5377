/**
 * resp_request: what a command of RESP asks for.
 *
 * The verbs (protocol/verbs.h) are requests; the response to any other command
 * (protocol/resp/commands.h) is known at once.
 */
#ifndef PROTOCOL_RESP_RESP_REQUEST_H
#define PROTOCOL_RESP_RESP_REQUEST_H

#include "protocol/request.h"
#include "protocol/resp/resp.h"
#include "protocol/session.h"

/** How a decision is written. */
enum resp_encoding {
	RESP_ARRAY,
	RESP_ARRAY3, /* in RESP3 */
	RESP_MAP2,   /* on request: CONSUME key amount MAP, in RESP2 */
	RESP_MAP3,   /* the same, in RESP3 */
	RESP_CELL,   /* as redis-cell does (protocol/resp/throttle.h) */
};

/** Whether there is a command of this name and number of words. */
bool resp_request_is_known(const struct resp_command *command);

/** Whether the client may ask it, as login_check(). */
enum protocol_error resp_request_check(
    const struct resp_command *command, struct session *session) MUST_USE;

/** Respond that there is no such command.  Return READ_BAD, or READ_FAILED. */
enum read_result resp_request_refuse(
    const struct resp_command *command, struct session *session) MUST_USE;

/** Find out what ${command}, which has words, asks for.  Return READ_REQUEST
 * with ${request} set; or READ_RESPONDED or READ_BAD with the response in
 * session->common->response; or READ_FAILED. */
enum read_result resp_request_read(const struct resp_command *command,
    struct session *session, struct request *request) MUST_USE;

#endif
