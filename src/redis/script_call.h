/**
 * script_call: calls of scripts over one link.
 *
 * Owns: the calls that wait to be sent again.
 * Never: knows what a script does.
 *
 * A server forgets scripts: when it restarts, by SCRIPT FLUSH.  Its reply
 * NOSCRIPT proves that the call did not run, and script_call sends it once
 * more, with the text of the script.
 *
 * SCRIPT_FUNCTION: each script is a library with one function.  The name of
 * both is made of the script's digest, so that versions of a script have
 * libraries of their own, side by side.  The server keeps them, and gives them
 * to its replicas.  If it has no such function, script_call loads the library
 * before it sends the call once more.  A server that does not know FCALL is
 * given scripts by EVALSHA from then on.
 *
 * Calls of one script keep their order.  While a call waits to be sent again,
 * later ones wait behind it.  If a later one that was sent before ran, because
 * another client brought the script back meanwhile, the waiting one is not
 * sent, and gets no reply.
 *
 * A call may have replicas: its reply is held until they have what the call
 * wrote (replicas.h).
 */
#ifndef REDIS_SCRIPT_CALL_H
#define REDIS_SCRIPT_CALL_H

#include "base/attr.h"
#include "base/log.h"
#include "base/script.h"
#include "redis/command.h"
#include "redis/link.h"
#include "redis/replicas.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct script_call;

/** Write the call: script_begin(), then its arguments.  Return false if its
 * result is not wanted any more: it is not sent, and gets no reply. */
typedef bool script_write(struct script_call *call, struct command *command);

/** The reply, valid during this callback, or NULL: none, and whether the call
 * ran is not known, or too few replicas have what it wrote in time. */
typedef void script_done(struct script_call *call, const redisReply *reply);

/** A field of its caller; stays in place until ${done}. */
struct script_call {
	const struct script *script;
	int64_t timeout_us; /* within which the server replies, once sent */
	int64_t replicas;   /* that must have what it wrote before ${done} */
	int64_t replicas_by_us; /* until when they are waited for */
	script_write *write;
	script_done *done;

	/* script_call's own */
	struct script_calls *calls;
	struct script_call *next; /* while it waits */
	enum script_mode mode;    /* in which it is sent */
	bool refused;             /* the server has no such script */
	redisReply *held;         /* a copy, while replicas are waited for */
};

/** A field of the owner of the link. */
struct script_calls {
	struct link *link;
	enum script_mode mode;
	bool asking; /* each call goes behind ASKING (redirect.h) */
	struct script_call *head; /* those that wait, oldest first */
	unsigned sent;            /* and not yet replied to */
	struct replicas replicas;
	struct command command;
	struct log_limiter limiter;
};

/** Prepare, with no calls. */
void script_calls_init(
    struct script_calls *calls, struct link *link, enum script_mode mode);

/** Free the memory; also if all zero.  The link is freed first, which ends all
 * calls. */
void script_calls_free(struct script_calls *calls);

/** Queue a call, whose first part is filled in; link_flush() sends it.  Return
 * 0 and later call ${call}->done exactly once, never from within this call; or
 * return -1 (not up, out of memory, or write returned false) and never. */
int script_call(struct script_calls *calls, struct script_call *call) MUST_USE;

/** Start the command of a call with ${arguments} arguments: the number of keys,
 * the keys and the rest. */
void script_begin(
    struct command *command, const struct script_call *call, size_t arguments);

#endif
