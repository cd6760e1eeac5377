/**
 * script: the Lua scripts, built into the binary from lua/.
 */
#ifndef REDIS_SCRIPT_H
#define REDIS_SCRIPT_H

#include "base/attr.h"
#include "redis/link.h"

enum script {
	SCRIPT_LEAKY_BUCKET,
	SCRIPT_FIXED_WINDOW,
	SCRIPT_SWEEP,
	SCRIPT_LIMITS,
};

#define SCRIPTS 4

/** The name that EVALSHA calls it by: SHA-1 in hexadecimal. */
const char *script_sha(enum script script);

/** What it says. */
const char *script_text(enum script script);

/** Queue SCRIPT LOAD.  As link_call(); ${done} must see a reply that is no
 * error before the script may be called. */
int script_load(struct link *link, enum script script, int64_t deadline_us,
    link_done *done, void *arg) MUST_USE;

#endif
