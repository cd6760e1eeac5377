#include "server/override_text.h"

#include "base/num.h"
#include "limit/override.h"

int
override_text_add(struct buf *out, const char *name, const struct limit *limit)
{
	char left[NUM_MAX_LEN + 1];

	return buf_printf(out, "%s left=%s pattern=%s note=%s\n",
	    name ? name : limit->name,
	    num_seconds(left, override_left_us(limit->override)), limit->match,
	    limit->override->note);
}

uint64_t
override_text_count(const struct rules *rules)
{
	uint64_t count = 0;

	for (size_t i = 0; i < rules_override_count(rules); i++)
		count +=
		    override_left_us(rules_override_at(rules, i)->override) > 0;
	return count;
}
