#include "redis/script.h"

static const struct {
	const char *sha;
	const char *text;
} scripts[SCRIPTS] = {
    [SCRIPT_LEAKY_BUCKET] = {
#include "lua/leaky_bucket.sha"
	,
#include "lua/leaky_bucket.inc"
    },
    [SCRIPT_FIXED_WINDOW] = {
#include "lua/fixed_window.sha"
	,
#include "lua/fixed_window.inc"
    },
    [SCRIPT_SWEEP] = {
#include "lua/sweep.sha"
	,
#include "lua/sweep.inc"
    },
    [SCRIPT_LIMITS] = {
#include "lua/limits.sha"
	,
#include "lua/limits.inc"
    },
};

const char *
script_sha(enum script script)
{
	return scripts[script].sha;
}

const char *
script_text(enum script script)
{
	return scripts[script].text;
}

int
script_load(struct link *link, enum script script, int64_t deadline_us,
    link_done *done, void *arg)
{
	struct command command = {0};
	int result;

	command_start(&command, 3);
	command_add_text(&command, "SCRIPT");
	command_add_text(&command, "LOAD");
	command_add_text(&command, scripts[script].text);
	result = link_call(link, &command, deadline_us, done, arg);
	command_free(&command);
	return result;
}
