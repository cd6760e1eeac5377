#include "server/explain_upstream.h"

#include "base/num.h"
#include "gate/gate.h"
#include "upstream/upstream.h"

#include <string.h>

static bool
explain_upstream_charges(
    const struct upstream *upstream, const struct slot *slot)
{
	for (unsigned i = 0; i < upstream->key_count; i++)
		if (upstream->key_list[i].len == slot->len &&
		    memcmp(upstream->key_list[i].bytes, slot->bytes,
			slot->len) == 0)
			return true;
	return false;
}

size_t
explain_upstream_count(const struct slot *slot)
{
	const struct upstream_set *set = slot->cache->upstreams;
	size_t count = 0;

	for (size_t i = 0; set && i < set->count; i++)
		count += explain_upstream_charges(set->items[i], slot);
	return count;
}

static int
explain_upstream_write(
    struct buf *out, const struct upstream *upstream, int64_t now_us)
{
	int64_t again_us = upstream_again_us(upstream, now_us);
	unsigned sent = upstream->out, all = upstream->under_way;
	char again[NUM_MAX_LEN + 1];

	/* The two change one after the other. */
	return buf_printf(out,
	    "upstream state=%s again=%s waits=%u out=%u name=%s\n",
	    upstream_state_name(upstream, now_us), num_seconds(again, again_us),
	    all > sent ? all - sent : 0, sent, upstream->options.name);
}

int
explain_upstream_row(const struct slot *slot, size_t i, struct buf *out)
{
	const struct upstream_set *set = slot->cache->upstreams;

	for (size_t k = 0; set && k < set->count; k++)
		if (explain_upstream_charges(set->items[k], slot) && i-- == 0)
			return explain_upstream_write(
			    out, set->items[k], gate_now(slot->cache->gate));
	/* They were counted before a reload. */
	return buf_printf(out, "upstream -: it was removed\n");
}
