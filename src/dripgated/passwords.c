#include "dripgated/passwords.h"

#include "net/background.h"

#include <stdlib.h>

struct passwords {
	const struct config *config;
	struct background *background;
};

static void
passwords_on_work(void *arg)
{
	const struct passwords *passwords = arg;

	config_reread_secrets(passwords->config);
}

/* Links try again by themselves. */
static void
passwords_on_done(void *arg)
{
	(void)arg;
}

struct passwords *
passwords_new(struct loop *loop, const struct config *config)
{
	static const struct background_events events = {
	    .work = passwords_on_work, .done = passwords_on_done};
	struct passwords *passwords = calloc(1, sizeof(*passwords));

	if (!passwords)
		return NULL;
	passwords->config = config;
	passwords->background = background_new(loop, &events, passwords);
	if (passwords->background)
		return passwords;
	free(passwords);
	return NULL;
}

/* Without a thread, the next tick tries again. */
void
passwords_tick(struct passwords *passwords)
{
	if (background_is_busy(passwords->background) ||
	    !config_has_refused_secret(passwords->config))
		return;
	if (background_start(passwords->background) == -1)
		config_reread_secrets(passwords->config);
}

bool
passwords_free(struct passwords *passwords)
{
	if (!passwords)
		return true;
	if (background_free(passwords->background))
		return false;
	free(passwords);
	return true;
}
