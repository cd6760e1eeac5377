/**
 * plan: a change of topology, and the buckets that it loses.
 */
#ifndef CLI_PLAN_H
#define CLI_PLAN_H

#include "base/attr.h"
#include "cli/redis_client.h"
#include "redis/topology_record.h"

#include <stdbool.h>
#include <stddef.h>

/** A topology, in use or to be. */
struct plan_side {
	struct topology_record record; /* that it is from */
	struct host_port first;        /* room for its one host */
	struct topology_options where;
	struct topology topology;
	char *text; /* as it stands in Redis */
};

/** Of one limit. */
struct plan_share {
	char *limit;
	long long buckets, moved;
};

/** What a change comes to. */
struct plan {
	struct plan_side old, new;
	struct plan_share *shares; /* in the order they were found */
	size_t count;
	bool hides_keys; /* fields do not tell them (key_secrets) */
};

/** How to connect to the server at ${place}. */
struct link_options plan_link(
    const struct config *config, const struct plan_side *side, size_t place);

/** Count the buckets in all servers of the old topology, and those that would
 * move.  Return 0, or -1: the error was printed. */
int plan_count(struct plan *plan, struct tool *tool) MUST_USE;

#endif
