/**
 * message: reads what is published on a control channel, in the form of
 * Turnstile and Subway: "command[:argument[:argument...]]".  Pure.
 */
#ifndef CONTROL_MESSAGE_H
#define CONTROL_MESSAGE_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum message_kind {
	MESSAGE_RELOAD,
	MESSAGE_PING,
	MESSAGE_UNKNOWN,  /* some other command */
	MESSAGE_INTERNAL, /* starts with "_", which no sender may use */
	MESSAGE_EMPTY,    /* has no command */
};

/** When a reload is to take place. */
enum reload_when {
	RELOAD_CONFIGURED, /* within the spread of the settings */
	RELOAD_IMMEDIATE,
	RELOAD_SPREAD, /* at random within ${spread_us} */
};

/** A part of the message, borrowed. */
struct piece {
	const char *bytes;
	size_t len;
};

struct message {
	enum message_kind kind;
	struct piece command;   /* before the first ":" */
	struct piece arguments; /* after it; NULL: no ":" */

	enum reload_when when; /* MESSAGE_RELOAD */
	int64_t spread_us;     /* RELOAD_SPREAD; 0 to a day */
	bool bad;              /* the arguments are wrong: a reload counts as
				* RELOAD_CONFIGURED, a ping is ignored */

	struct piece channel; /* MESSAGE_PING: where the pong goes */
	struct piece data;    /* what the pong repeats; NULL: nothing */
};

/** Read ${len} bytes, whatever they are. */
struct message message_read(const char *bytes, size_t len);

#endif
