#include "redis/outage.h"

#include "base/random.h"
#include "redis/link.h"
#include "redis/reply.h"

#include <string.h>

/* Warn at the start of an outage, and now and then while it lasts.  Short
 * outages that follow each other count as one, and so do those of several
 * links. */
void
outage_add(struct outage *outage, const char *name, const char *reason)
{
	char text[REPLY_EXPLAIN_MAX];

	outage->failures++;
	if (!reason)
		return;
	if (log_limited(&outage->limiter, LOG_LEVEL_WARNING, "redis %s: %s",
		name, reply_explain(reason, strlen(reason), NULL, text)))
		outage->is_logged = true;
}

int64_t
outage_wait_us(const struct outage *outage, int64_t max_us)
{
	int64_t ceiling_us = LINK_BACKOFF_MIN_US;

	if (outage->is_unknown && max_us > LINK_UNKNOWN_MAX_US)
		max_us = LINK_UNKNOWN_MAX_US;
	for (unsigned i = 1; i < outage->failures; i++)
		if (ceiling_us < max_us)
			ceiling_us *= 2;
	return random_below(ceiling_us < max_us ? ceiling_us : max_us);
}

void
outage_end(struct outage *outage, const char *name)
{
	if (outage->is_logged)
		log_limited(
		    NULL, LOG_LEVEL_INFO, "redis %s: replies again", name);
	outage->is_logged = false;
	outage->failures = 0;
}
