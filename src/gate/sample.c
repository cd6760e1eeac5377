#include "gate/sample.h"

#include <stdlib.h>
#include <string.h>

struct sample *
samples_take(struct samples *samples, const struct key *key, unsigned weight)
{
	struct sample *sample = spares_take(&samples->spares);

	if (!sample && samples->count < SAMPLES_MAX) {
		sample = malloc(sizeof(*sample));
		samples->count += sample != NULL;
	}
	if (!sample)
		return NULL;
	sample->weight = weight;
	sample->len = key->len;
	memcpy(sample->bytes, key->bytes, key->len);
	return sample;
}

void
samples_put(struct samples *samples, struct sample *sample)
{
	spares_put(&samples->spares, sample);
}

size_t
samples_trim(struct samples *samples)
{
	size_t count =
	    spares_trim(&samples->spares, sizeof(struct sample), free);

	samples->count -= count;
	return count * sizeof(struct sample);
}

void
samples_clear(struct samples *samples)
{
	spares_clear(&samples->spares, free);
	samples->count = 0;
}
