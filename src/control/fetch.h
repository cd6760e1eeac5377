/**
 * fetch: reads the key of limits once, and makes a set of it.
 *
 * It calls a script (lua/limits.lua): a poll costs Redis a digest, and a key
 * that is too large is not sent.  Borrows a link.
 */
#ifndef CONTROL_FETCH_H
#define CONTROL_FETCH_H

#include "base/attr.h"
#include "control/subscriber.h"
#include "limit/override.h"
#include "limit/rules_text.h"

#include <stddef.h>

/** Length of a digest: SHA-1 in hexadecimal. */
#define FETCH_DIGEST_LEN 40

enum fetch_result {
	FETCH_SET,   /* the key has a valid set */
	FETCH_KNOWN, /* the key has what the caller knows */
	FETCH_WRONG, /* the key has no valid set */
	FETCH_LOST,  /* there was no reply */
};

/** The outcome, valid during the callback. */
struct fetched {
	enum fetch_result result;
	const char *digest;  /* of the key; "": it has none */
	struct rules *rules; /* SET: a reference, the callee's; WRONG: the
			      * valid set before, with the overrides that are
			      * there now, if these have changed; or NULL */
	const struct rules_line *lines; /* SET: its members */
	size_t count;
	int64_t number; /* SET: its number in the history; 0: not known */

	/* with rules: the overrides in front of them, and what tells them from
	 * others; "none" */
	const struct override_line *overrides;
	size_t override_count;
	const char *mark;

	const struct reasons *reasons; /* WRONG: all that is; SET: what may
					* be a mistake */
};

typedef void fetch_done(const struct fetched *fetched, void *arg);

struct fetch;

/** All is borrowed; ${link} is freed before the fetch.  NULL: out of memory. */
struct fetch *fetch_new(struct link *link,
    const struct subscriber_options *options, fetch_done *done,
    void *arg) MUST_USE;

/** Free it; NULL: no-op. */
void fetch_free(struct fetch *fetch);

/** Read the key, unless its digest is ${known} (not "").  One at a time. Return
 * 0 and later call ${done} exactly once, from within only if the link breaks
 * then; or return -1 (the link is not up) and never call it. */
int fetch_start(struct fetch *fetch, const char *known) MUST_USE;

#endif
