/**
 * server_check: tries a server out as a daemon would use it, and logs each
 * thing that is wrong in a line of its own.
 *
 * It connects and logs in; measures how long a call takes; compares clocks;
 * asks for INFO, which a managed server may refuse; and has a script ask the
 * server, for each call of a list, whether this user may make it.  It writes
 * nothing.
 *
 * Owns: one link.  What the link itself logs is a thing that is wrong, too.
 */
#ifndef REDIS_SERVER_CHECK_H
#define REDIS_SERVER_CHECK_H

#include "base/attr.h"
#include "redis/link.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Most words of a call. */
#define SERVER_CALL_WORDS 3

/** A call that the user must be allowed: the command, and its key or channel,
 * or what else tells its rights.  NULL behind the last one.  Give commands that
 * say how many keys they have, as EVAL does, all words up to that number: some
 * servers look for it without a check. */
struct server_call {
	const char *words[SERVER_CALL_WORDS + 1];
};

struct server_check_options {
	struct link_options link;
	bool has_buckets; /* its clock, record and eviction count */
	int64_t replicas; /* that it must have */
	const struct link_record *record; /* what the settings would have stand
					   * there */
	const char *eval; /* EVAL or EVAL_RO, what the user has; NULL: none */
	const struct server_call *calls;
	size_t call_count;
};

/** It is done: ${is_fine}, and ${found} says what was found, in a line. */
typedef void server_check_done(bool is_fine, const char *found, void *arg);

struct server_check;

/** Start.  ${options} are borrowed.  It calls ${done} once, later.  NULL: out
 * of memory. */
struct server_check *server_check_new(struct loop *loop, struct dialer *dialer,
    const struct server_check_options *options, server_check_done *done,
    void *arg) MUST_USE;

/** Free it; NULL: no-op.  Not from within ${done}. */
void server_check_free(struct server_check *check);

#endif
