#include "gate/check_internal.h"
#include "gate/gate.h"

struct limit_cell *
check_cell_of(const struct check *check, const struct query *query)
{
	const struct rules_snapshot *snapshot = check->snapshot;
	const struct limit *limit = query->limit;

	if (!limit || limit->is_inline || limit->override ||
	    !snapshot->limit_stats)
		return NULL;
	return limit_stats_cell(
	    snapshot->limit_stats, limit->order, check->gate->worker);
}

/* Count for all limits together, and in the cell of the one, or NULL. */
#define COUNT_ONE(counters, cell, name)                                        \
	do {                                                                   \
		counter_add(&(counters)->name, 1);                             \
		if (cell)                                                      \
			counter_add(&(cell)->name, 1);                         \
	} while (0)

/* The one that the key of ${query} would have had; NULL: none. */
static const struct limit *
check_find_overridden(const struct check *check, const struct query *query)
{
	return query->limit->override ? rules_match_limit(query->rules,
					    &query->key, check->gate->scratch)
				      : query->limit;
}

/* Count it for the limit at this place of the set, or for the override: these
 * are behind all limits. */
static void
check_count_overridden(const struct check *check, size_t order)
{
	const struct limit_stats *stats = check->snapshot->limit_stats;

	if (stats)
		counter_add(&limit_stats_cell(
				stats, (unsigned)order, check->gate->worker)
				 ->overridden,
		    1);
}

void
check_count_override(const struct check *check, const struct query *query)
{
	const struct limit *limit = query->limit, *override;

	if (!limit || (!limit->override && !limit->overridden_by))
		return;
	override = limit->override ? limit : limit->overridden_by;
	counter_add(&check->gate->counters->overridden, 1);
	check_count_overridden(
	    check, rules_count(query->rules) + override->order);
	limit = check_find_overridden(check, query);
	if (limit)
		check_count_overridden(check, limit->order);
}

void
check_count(struct check *check)
{
	struct counters *counters = check->gate->counters;
	const struct query *query = check_decider(check);
	struct limit_cell *cell;

	if (!op_puts(query->op)) {
		counter_add(query->op == OP_PEEK      ? &counters->peeks
			    : query->op == OP_RELEASE ? &counters->releases
						      : &counters->resets,
		    1);
		return;
	}
	if (check->sample)
		check_look(check, query);
	cell = check_cell_of(check, query);
	if (check->decision.allowed)
		COUNT_ONE(counters, cell, allowed);
	else
		COUNT_ONE(counters, cell, denied);
	if (check->shadow_denied)
		COUNT_ONE(counters, cell, shadow_denied);
	if (check->decided_by == DECIDED_BY_DENYCACHE)
		COUNT_ONE(counters, cell, denycache);
	check_count_override(check, query);
}

void
check_count_fallback(const struct check *check, const struct query *query)
{
	struct counters *counters = check->gate->counters;
	struct limit_cell *cell = check_cell_of(check, query);

	COUNT_ONE(counters, cell, fallback);
	if (cell)
		counter_add(&cell->fallbacks[query->why], 1);
}
