#include "cli/guard.h"

#include "limit/rules_losses.h"

#include <string.h>

/* Losses that are named; the others are counted. */
#define NAMED_MAX 8

struct guard {
	struct buf *text;
	int named;
	int status;
};

static void
guard_add(const char *loss, void *arg)
{
	struct guard *guard = arg;

	if (guard->named < NAMED_MAX &&
	    buf_printf(
		guard->text, "%s%s", guard->named > 0 ? "; " : "", loss) == -1)
		guard->status = -1;
	guard->named += guard->named < NAMED_MAX;
}

/* The rules of a set that daemons take; NULL: they would refuse it. */
static const struct rules *
guard_rules(const struct limit_set *set)
{
	return set->count > 0 && set->wrong == 0 ? set->entries[0].rules : NULL;
}

int
guard_describe(struct buf *text, const struct limit_set *old_set,
    const struct limit_set *new_set)
{
	const struct rules *old = guard_rules(old_set);
	const struct rules *new = guard_rules(new_set);
	struct guard guard = {text, 0, 0};
	int count = old && new ? rules_losses(old, new, guard_add, &guard) : 0;

	if (count > guard.named &&
	    buf_printf(text, "; and %d more", count - guard.named) == -1)
		guard.status = -1;
	if (count == -1 || guard.status == -1 || buf_add(text, "", 1) == -1) {
		tool_error("out of memory");
		return -1;
	}
	return 0;
}
