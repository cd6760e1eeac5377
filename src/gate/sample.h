/**
 * sample: the key of a check that is looked at when it is decided.
 *
 * A check's key is gone by then; so few checks are looked at that a copy of it
 * costs nothing.
 */
#ifndef GATE_SAMPLE_H
#define GATE_SAMPLE_H

#include "base/spares.h"
#include "limit/key.h"

#include <stdbool.h>
#include <stddef.h>

struct check;

/** Most at a time; what comes meanwhile is not looked at. */
#define SAMPLES_MAX 512

struct sample {
	struct spare spare;
	unsigned weight;  /* of how many it is one; 0: not for TOP */
	bool is_recorded; /* for MONITOR */
	size_t len;
	char bytes[KEY_MAX];
};

/** Of one worker; all zero at first. */
struct samples {
	struct spares spares;
	size_t count; /* all that there are */
};

/** A sample of ${key} as one of ${weight}; NULL: there are too many, or there
 * is no memory. */
struct sample *samples_take(
    struct samples *samples, const struct key *key, unsigned weight);

/** Give it back. */
void samples_put(struct samples *samples, struct sample *sample);

/** Free those that were not needed since the last trim.  Return how many bytes
 * they had. */
size_t samples_trim(struct samples *samples);

/** Free those that were given back. */
void samples_clear(struct samples *samples);

#endif
