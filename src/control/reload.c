#include "control/reload.h"

#include <assert.h>

void
reload_order(struct reload *reload, int64_t at_us, bool whole)
{
	if (at_us < reload->due_us)
		reload->due_us = at_us;
	reload->whole |= whole;
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
	reload->loading_whole = reload->whole;
	reload->due_us = RELOAD_NEVER;
	reload->whole = false;
	return reload->loading_whole;
}

void
reload_end(struct reload *reload, bool answered)
{
	assert(reload->loading);
	reload->loading = false;
	if (!answered)
		reload_order(reload, 0, reload->loading_whole);
}
