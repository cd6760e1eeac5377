#include "control/reload.h"

#include <assert.h>

void
reload_schedule(struct reload *reload, int64_t at_us, bool full)
{
	if (at_us < reload->due_us)
		reload->due_us = at_us;
	reload->full |= full;
}

int64_t
reload_next_us(const struct reload *reload)
{
	return reload->loading ? RELOAD_NEVER : reload->due_us;
}

bool
reload_begin(struct reload *reload)
{
	assert(!reload->loading);
	reload->loading = true;
	reload->loading_full = reload->full;
	reload->due_us = RELOAD_NEVER;
	reload->full = false;
	return reload->loading_full;
}

void
reload_end(struct reload *reload, bool loaded)
{
	assert(reload->loading);
	reload->loading = false;
	if (!loaded)
		reload_schedule(reload, 0, reload->loading_full);
}
