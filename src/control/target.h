/**
 * target: one server that limits and overrides are copied to.
 *
 * Owns: its link, the members and overrides that the server is to have, and the
 * notice that is still to be published there.
 * Never: knows the master or other targets: none delays another.
 *
 * The target reads what the server has, and never assumes it: whenever it is
 * given members, and after each reconnect.  If that differs, it copies the
 * members in a transaction that watches the keys and publishes a reload
 * message: no copy stays unannounced.
 */
#ifndef CONTROL_TARGET_H
#define CONTROL_TARGET_H

#include "base/attr.h"
#include "control/members.h"
#include "control/notice.h"
#include "redis/link.h"

#include <stddef.h>

struct target_options {
	const char *name; /* for people */
	struct link_options link;
};

/** What all targets share. */
struct target_common {
	struct loop *loop;
	struct dialer *dialer;
	const char *channel; /* of control messages */
	const char *limits_key;
	const char *overrides_key;
	struct notice plain; /* announces a copy that no message asked for */
};

struct target;

/** Start connecting.  All arguments are borrowed.  NULL: out of memory. */
struct target *target_new(const struct target_common *common,
    const struct target_options *options) MUST_USE;

/** Stop and free; NULL: no-op. */
void target_free(struct target *target);

/** Make the server have these ${members}, and ${overrides}, or NULL: those that
 * it has; takes references of its own.
 * ${notice}: of the message that asked for it; may be none.  It is published
 * there unless these members were already announced with a notice that is at
 * least as strong.  Of several that wait for the server, the strongest is
 * published. */
void target_update(struct target *target, struct members *members,
    struct members *overrides, const struct notice *notice);

/** Publish a message there now; if that fails, the message is lost. */
void target_forward(struct target *target, const char *bytes, size_t len);

/** Log the counts, if they have changed since the last time. */
void target_report(struct target *target);

#endif
