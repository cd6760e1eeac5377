/**
 * notice: a reload message that is to be published, and how strong it is.
 * Pure.
 *
 * Of two notices, the one with the shorter spread is stronger: after it, the
 * other one has nothing left to do.
 */
#ifndef CONTROL_NOTICE_H
#define CONTROL_NOTICE_H

#include "control/message.h"

#include <stdbool.h>
#include <stdint.h>

/** Room for a reload message, with its NUL. */
#define NOTICE_MAX 64

/** All zero: none. */
struct notice {
	char text[NOTICE_MAX]; /* "reload:spread:60"; "": none */
	int64_t spread_us;     /* all daemons reload within this time */
};

/** Make the notice of a plain reload.  ${spread_us}: of the settings; 0: each
 * daemon has its own, which may be a day. */
struct notice notice_plain(int64_t spread_us);

/** Make the notice of a MESSAGE_RELOAD; ${plain}: what a plain one becomes. */
struct notice notice_of(
    const struct message *message, const struct notice *plain);

bool notice_is_none(const struct notice *notice);

/** Make ${notice} the stronger one of itself and ${other}; either may be
 * none. */
void notice_add(struct notice *notice, const struct notice *other);

#endif
