/**
 * compat: the commands of Redis with which its clients introduce themselves.
 *
 * They send HELLO, set their name, ask what server this is, and choose a
 * database. dripgated has no databases, passwords or settings of that kind: it
 * responds so that real clients go on.
 */
#ifndef PROTOCOL_RESP_COMPAT_H
#define PROTOCOL_RESP_COMPAT_H

#include "base/attr.h"
#include "protocol/resp/resp.h"
#include "protocol/session.h"

/** Append the response to ${command}, whose first word is the command's name,
 * and which has as many words as its form in protocol/resp/commands.c says.
 * Return 0, or -1 (out of memory). */
typedef int compat_respond(const struct resp_command *command,
    struct session *session, struct buf *out);

compat_respond compat_hello, compat_auth, compat_select, compat_client,
    compat_info, compat_config, compat_echo, compat_reset, compat_cluster,
    compat_time, compat_dbsize;

/** Append the error for a subcommand that does not exist. */
int compat_unknown_subcommand(
    struct buf *out, const struct resp_command *command) MUST_USE;

#endif
