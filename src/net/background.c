#include "net/background.h"

#include "net/thread.h"
#include "net/wake.h"

#include <stdatomic.h>
#include <stdlib.h>

struct background {
	const struct background_events *events;
	void *arg;
	struct wake wake;
	bool busy;
	_Atomic bool worked;
};

static void *
background_run(void *arg)
{
	struct background *background = arg;

	background->events->work(background->arg);
	background->worked = true;
	wake_up(&background->wake);
	return NULL;
}

static void
background_on_woken(void *arg)
{
	struct background *background = arg;

	if (!atomic_exchange(&background->worked, false))
		return;
	background->busy = false;
	background->events->done(background->arg);
}

struct background *
background_new(
    struct loop *loop, const struct background_events *events, void *arg)
{
	struct background *background = calloc(1, sizeof(*background));

	if (!background)
		return NULL;
	background->events = events;
	background->arg = arg;
	if (wake_open(
		&background->wake, loop, background_on_woken, background) == 0)
		return background;
	free(background);
	return NULL;
}

int
background_start(struct background *background)
{
	background->busy = true;
	if (thread_start(NULL, background_run, background) == 0)
		return 0;
	background->busy = false;
	return -1;
}

bool
background_is_busy(const struct background *background)
{
	return background->busy;
}

/* The thread may still call wake_up(): keep what it uses. */
bool
background_free(struct background *background)
{
	if (!background)
		return false;
	if (background->busy) {
		io_stop(&background->wake.io);
		return true;
	}
	wake_close(&background->wake);
	free(background);
	return false;
}
