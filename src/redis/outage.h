/**
 * outage: the failures of a link in a row: what the log says of them, and how
 * long the link waits after each.
 *
 * A field of a link, zeroed at first.
 */
#ifndef REDIS_OUTAGE_H
#define REDIS_OUTAGE_H

#include "base/log.h"

#include <stdbool.h>
#include <stdint.h>

struct outage {
	unsigned failures;          /* since the link was proven */
	struct log_limiter limiter; /* of failures in the log */
	bool is_logged;  /* the log has a failure, and no recovery since */
	bool is_unknown; /* the server's name could not be looked up */
};

/** Count a failure of the server called ${name}, and log it, now and then;
 * NULL: another has logged it. */
void outage_add(struct outage *outage, const char *name, const char *reason);

/** How long to wait before the next attempt: at random, up to a ceiling that
 * doubles with each failure, from LINK_BACKOFF_MIN_US to ${max_us} or, while
 * the name is unknown, at most LINK_UNKNOWN_MAX_US. */
int64_t outage_wait_us(const struct outage *outage, int64_t max_us);

/** The server does its work again. */
void outage_end(struct outage *outage, const char *name);

#endif
