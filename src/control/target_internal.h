/**
 * target_internal: a target from inside, for target.c, which reads what the
 * server has and publishes, and target_copy.c, which changes it.
 */
#ifndef CONTROL_TARGET_INTERNAL_H
#define CONTROL_TARGET_INTERNAL_H

#include "base/log.h"
#include "control/forwards.h"
#include "control/target.h"

/*
 *   DOWN --> IDLE <--> READING --> COPYING --> IDLE
 *    ^________|___________|___________|
 */
#define TARGET_STATES(X)                                                       \
	X(DOWN)                                                                \
	X(IDLE)                                                                \
	X(READING) /* WATCH, HGETALL and ZRANGE are in flight */               \
	X(COPYING) /* MULTI to EXEC are in flight */

enum target_state {
#define X(name) TARGET_##name,
	TARGET_STATES(X)
#undef X
};

struct target_counts {
	uint64_t copies;
	uint64_t unchanged; /* times that it had the members already */
	uint64_t failures;
	uint64_t forwarded; /* messages, other than reloads (forwards.h) */
	uint64_t lost;
};

struct target {
	const struct target_common *common;
	const struct target_options *options;
	struct link *link;
	struct command command; /* reused, for its memory */
	enum target_state state;

	/* what the server is to have, and to publish */
	struct members *members;   /* NULL: not known yet */
	struct members *overrides; /* a hash; NULL: not known */
	struct notice pending;
	bool must_announce; /* even if the members are no news */

	/* what it has published for its members */
	struct notice announcing;   /* not acknowledged yet */
	int64_t announced_until_us; /* when all daemons will have reloaded */

	/* what is in flight */
	struct members *found;   /* overrides that were read; NULL: none were */
	bool reread;             /* read once more after the copy */
	size_t adding, removing; /* members, by the copy; 0: they were equal */
	bool copies_overrides;   /* the copy does */
	char error[160];         /* of several replies, the first, or "" */
	bool wrong_server;       /* that error says so */
	unsigned conflicts;      /* in a row */

	struct forwards forwards;
	struct target_counts counts, reported;
	struct log_limiter limiter;           /* of failures in the log */
	struct log_limiter overrides_limiter; /* of those of overrides */
	bool behind; /* failed, and not up to date since */
};

/** Start a command of ${count} arguments: its verb, and a key, channel or
 * NULL. */
struct command *target_start(
    struct target *target, size_t count, const char *verb, const char *name);

/** Queue the command.  Return 0, or -1: the link is down. */
int target_call(struct target *target, link_done *done) MUST_USE;

/** Queue one command of several.  If that fails, the last command's reply or
 * the end of the link shows it. */
void target_step(struct target *target);

/** Start to PUBLISH the pending notice, or the plain one. */
void target_start_publish(struct target *target);

/** Whether the server has other members than these, or other overrides than
 * were found. */
bool target_copy_is_due(const struct target *target, const redisReply *members);

/** In one transaction, replace what the server has, and differs, by what it is
 * to have, and publish the notice: a daemon that receives it finds the new set.
 * EXEC's reply goes to ${done}. */
void target_copy(
    struct target *target, const redisReply *members, link_done *done);

#endif
