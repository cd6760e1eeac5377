#include "store/redis/sweeps.h"

#include <stdlib.h>

struct sweeps {
	size_t count;
	struct sweep *items[]; /* in the order of the topology's servers */
};

struct sweeps *
sweeps_new(const struct sweep_common *common)
{
	size_t count = common->options->topology->server_count;
	struct sweeps *sweeps =
	    calloc(1, sizeof(*sweeps) + count * sizeof(*sweeps->items));

	if (!sweeps)
		return NULL;
	sweeps->count = count;
	for (size_t i = 0; i < count; i++) {
		sweeps->items[i] = sweep_new(common, i);
		if (!sweeps->items[i]) {
			sweeps_free(sweeps);
			return NULL;
		}
	}
	return sweeps;
}

void
sweeps_include_inline(struct sweeps *sweeps)
{
	for (size_t i = 0; i < sweeps->count; i++)
		sweep_include_inline(sweeps->items[i]);
}

void
sweeps_trim(
    struct sweeps *sweeps, size_t place, int64_t back_us, int64_t since_us)
{
	sweep_trim(sweeps->items[place], back_us, since_us);
}

void
sweeps_set_rules(struct sweeps *sweeps, struct rules *rules)
{
	for (size_t i = 0; i < sweeps->count; i++)
		sweep_set_rules(sweeps->items[i], rules);
}

void
sweeps_free(struct sweeps *sweeps)
{
	for (size_t i = 0; sweeps && i < sweeps->count; i++)
		sweep_free(sweeps->items[i]);
	free(sweeps);
}
