/**
 * reply: what a reply of Redis means.
 */
#ifndef REDIS_REPLY_H
#define REDIS_REPLY_H

#include "base/attr.h"
#include "base/script.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Whether the reply is an error whose first word is ${word}. */
bool reply_is_error(const redisReply *reply, const char *word);

/** Whether the server has no such script, or no such function. */
bool reply_is_no_script(const redisReply *reply);

/** Whether it does not know a command that starts with ${command}. */
bool reply_is_unknown_command(const redisReply *reply, const char *command);

/** Whether the reply is an error which means that this is the wrong server: the
 * caller uses link_drop(), and the link looks the name up again. */
bool reply_is_wrong_server(const redisReply *reply);

/** What to say of a server that closed the connection before it replied. */
#define REPLY_SILENCE                                                          \
	"closed the connection without a word, as ports for TLS do (tls = "    \
	"yes?)"

/** A server that has not replied in time, and whose handshake is not over. */
#define REPLY_NO_HANDSHAKE                                                     \
	"TLS: no reply to the handshake in time, as from ports without TLS "   \
	"(tls = no?)"

/** Room for an explanation. */
#define REPLY_EXPLAIN_MAX 320

/** Write to ${to} what an error of ${len} bytes says about its server, for the
 * log: what it is and what to set, as "is a read-only replica: set ...".  If
 * the meaning is not known, write the error itself, escaped and cut.  ${script}
 * is the one that was called, or NULL.  Return ${to}. */
char *reply_explain(const char *error, size_t len, const struct script *script,
    char to[REPLY_EXPLAIN_MAX]);

/** A copy of what a script replies: texts, numbers, nil, and lists of them; for
 * freeReplyObject().  NULL: out of memory. */
redisReply *reply_copy(const redisReply *reply) MUST_USE;

/** The time in microseconds from the two elements of a reply to TIME; or -1. */
int64_t reply_read_time(const redisReply *seconds, const redisReply *micros);

#endif
