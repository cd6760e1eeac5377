/**
 * fleet_member: what one daemon reported in the hash of the fleet (fleet.h).
 */
#ifndef CONTROL_FLEET_MEMBER_H
#define CONTROL_FLEET_MEMBER_H

#include "base/attr.h"

#include <hiredis/hiredis.h>
#include <stddef.h>
#include <stdint.h>

/** A daemon not seen for this many seconds is gone. */
#define FLEET_GONE_S 120

/** Longest digest of a set of limits, and the end of the string. */
#define FLEET_DIGEST_SIZE 48

/** X(name, word): how a daemon's limits relate to those in the key. */
#define FLEET_STATES(X)                                                        \
	X(CURRENT, "current") /* they are the same */                          \
	X(LAGS, "lags")       /* they are others */                            \
	X(KEPT, "kept")       /* it runs limits that it saved */               \
	X(GONE, "gone")       /* it was not seen for FLEET_GONE_S */

enum fleet_state {
#define X(name, word) FLEET_##name,
	FLEET_STATES(X)
#undef X
	    FLEET_STATE_COUNT
};

/** "current" ... */
extern const char *const fleet_state_words[FLEET_STATE_COUNT];

struct fleet_member {
	const char *name; /* "NODE#ID", borrowed */
	size_t name_len;
	size_t node_len; /* of NODE; ID is there if it is less than the name */
	char digest[FLEET_DIGEST_SIZE]; /* "-": runs limits that it saved */
	int64_t loaded_at, seen_at;     /* seconds since 1970 */
	int64_t count;                  /* limits */
};

/** Read a field of the hash, which is borrowed, and its value.  Return 0, or -1
 * if that is no report. */
int fleet_member_read(struct fleet_member *member, const redisReply *name,
    const redisReply *value) MUST_USE;

/** Its state, at ${now}, seconds since 1970, if ${digest} is the key's. */
enum fleet_state fleet_member_state(
    const struct fleet_member *member, const char *digest, int64_t now);

#endif
