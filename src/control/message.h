/**
 * message: what is said on a control channel, as Turnstile and Subway say it:
 * "command[:argument[:argument...]]".  Pure.
 */
#ifndef CONTROL_MESSAGE_H
#define CONTROL_MESSAGE_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum command_word {
	WORD_RELOAD,
	WORD_PING,
	WORD_UNKNOWN,  /* some other word */
	WORD_INTERNAL, /* starts with "_": nobody is to say that */
	WORD_NONE,     /* an empty one */
};

/** When a reload is to take place. */
enum reload_when {
	RELOAD_CONFIGURED, /* as the settings have it */
	RELOAD_IMMEDIATE,
	RELOAD_SPREAD,     /* at random within ${spread_us} */
};

/** A piece of the message, borrowed. */
struct piece {
	const char *bytes;
	size_t len;
};

struct message {
	enum command_word word;
	struct piece command;      /* what stands before the first ":" */
	struct piece arguments;    /* what stands after it; NULL: no ":" */

	enum reload_when when;     /* WORD_RELOAD */
	int64_t spread_us;         /* RELOAD_SPREAD; 0 to a day */
	bool bad;                  /* the arguments make no sense: a reload is
				    * RELOAD_CONFIGURED then, a ping no ping */

	struct piece channel;      /* WORD_PING: where to answer */
	struct piece data;         /* what to repeat; NULL: nothing */
};

/** Read a message, any bytes.  What it cannot make sense of it says so. */
struct message message_read(const char *bytes, size_t len);

#endif
