/**
 * reply: what is answered to a CONSUME or PEEK, whatever the protocol.
 */
#ifndef WIRE_REPLY_H
#define WIRE_REPLY_H

#include "limit/bucket.h"

#include <stdbool.h>

struct reply {
	const struct limit *limit; /* NULL: no limit matched */
	struct decision decision;
	enum from from;
	bool shadow_deny;          /* a limit in shadow would have denied */
};

#endif
