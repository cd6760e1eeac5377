/**
 * fetch: reads the key of limits, once each time, and makes a set of it.
 *
 * By a script (lua/limits.lua), so that polling costs a digest and what is too
 * large stays where it is.  Uses a link of somebody else's.
 */
#ifndef CONTROL_FETCH_H
#define CONTROL_FETCH_H

#include "base/attr.h"
#include "control/subscriber.h"
#include "limit/rules_text.h"

#include <stddef.h>

/** Length of a digest: SHA-1 in hexadecimal. */
#define FETCH_DIGEST_LEN 40

enum fetch_result {
	FETCH_SET,   /* a set */
	FETCH_KNOWN, /* the key holds what the caller knows */
	FETCH_BAD,   /* what the key holds is no set */
	FETCH_LOST,  /* no answer */
};

/** What came of it, valid during the callback. */
struct fetched {
	enum fetch_result result;
	const char *digest;             /* of the key; "": has none */
	struct rules *rules;            /* SET: a reference, the callee's */
	const struct rules_line *lines; /* SET: its members */
	size_t count;
	const char *reason;             /* BAD: for people */
};

typedef void fetch_done(const struct fetched *fetched, void *arg);

struct fetch;

/** All is borrowed; ${link} is freed before the fetch.  NULL: out of memory. */
struct fetch *fetch_new(struct link *link,
    const struct subscriber_options *options, fetch_done *done,
    void *arg) MUST_USE;

/** Free it, or NULL. */
void fetch_free(struct fetch *fetch);

/** Read the key, unless its digest is ${known} ("": none is).  One at a time.
 * Return 0 and call ${done} exactly once, from within only if the link breaks
 * at that; or -1 and never: the link is not up. */
int fetch_start(struct fetch *fetch, const char *known) MUST_USE;

#endif
