#include "net/background.h"

#include "fake/fake.h"
#include "net/timer.h"

#include <stdlib.h>

struct background {
	const struct background_events *events;
	void *arg;
	struct timer timer; /* set once the work is to be done */
	bool busy;
};

static bool holds;
static struct background *held;

static void
background_on_timer(void *arg)
{
	struct background *background = arg;

	background->events->work(background->arg);
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
	timer_init(&background->timer, loop, background_on_timer, background);
	return background;
}

int
background_start(struct background *background)
{
	if (background->busy)
		fake_die("work is started that is under way");
	background->busy = true;
	if (holds)
		held = background;
	else
		timer_set(&background->timer, 0);
	return 0;
}

bool
background_is_busy(const struct background *background)
{
	return background->busy;
}

bool
background_free(struct background *background)
{
	if (!background)
		return false;
	timer_stop(&background->timer);
	free(background);
	return false;
}

void
fake_background_holds(bool yes)
{
	holds = yes;
	if (!holds && held)
		timer_set(&held->timer, 0);
	held = NULL;
}
