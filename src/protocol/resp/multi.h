/**
 * multi: transactions: MULTI, the commands behind it, EXEC.
 *
 * The commands are stored as the bytes that came, and nothing is charged before
 * EXEC.  The response to that is an array with the response to each of them.
 * EXEC reads them from the store, before the client's next bytes, so none of
 * its other requests comes in between.  No other client can change a watched
 * key: WATCH is accepted, and never makes EXEC fail.
 */
#ifndef PROTOCOL_RESP_MULTI_H
#define PROTOCOL_RESP_MULTI_H

#include "protocol/resp/compat.h"
#include "protocol/resp/resp.h"
#include "protocol/session.h"

#include <stdbool.h>
#include <stddef.h>

/** Most bytes of the commands of one transaction. */
#define MULTI_BYTES_MAX 65536

compat_respond multi_begin, multi_exec, multi_discard, multi_watch,
    multi_unwatch;

/** Whether ${command} must be stored instead of being carried out. */
bool multi_takes(
    const struct session *session, const struct resp_command *command);

/** Store a command, of ${len} bytes.  ${known}: there is a command of that name
 * and number of words.  Append the response to ${out} and return 0, or -1 (out
 * of memory). */
int multi_store(struct session *session, const char *bytes, size_t len,
    struct buf *out) MUST_USE;

/** Note that the client sent something wrong after MULTI: EXEC fails. */
void multi_abort(struct session *session);

/** Whether commands of a transaction must be read now. */
bool multi_has_queued(const struct session *session);

/** The bytes of those commands; to be followed by multi_consume() with the
 * length of the first.  They stay until the next call for this session. */
const char *multi_bytes(const struct session *session, size_t *len);
void multi_consume(struct session *session, size_t len);

/** Drop the transaction, if there is one. */
void multi_end(struct session *session);

#endif
