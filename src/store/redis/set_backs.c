#include "store/redis/set_backs.h"

#include <stdatomic.h>
#include <stdlib.h>

struct cell {
	_Atomic int64_t back_us; /* 0: nothing to take */
	_Atomic int64_t since_us;
};

struct set_backs {
	size_t count;
	struct cell cells[]; /* in the order of the topology's servers */
};

struct set_backs *
set_backs_new(size_t servers)
{
	struct set_backs *set_backs =
	    calloc(1, sizeof(*set_backs) + servers * sizeof(struct cell));

	if (set_backs)
		set_backs->count = servers;
	return set_backs;
}

void
set_backs_free(struct set_backs *set_backs)
{
	free(set_backs);
}

void
set_backs_note(struct set_backs *set_backs, const struct set_back *noted)
{
	struct cell *cell = &set_backs->cells[noted->place];

	cell->since_us = noted->since_us;
	cell->back_us = noted->back_us;
}

bool
set_backs_take(struct set_backs *set_backs, struct set_back *taken)
{
	for (size_t i = 0; i < set_backs->count; i++) {
		struct cell *cell = &set_backs->cells[i];
		int64_t back_us = atomic_exchange(&cell->back_us, 0);

		if (back_us == 0)
			continue;
		*taken = (struct set_back){i, back_us, cell->since_us};
		return true;
	}
	return false;
}
