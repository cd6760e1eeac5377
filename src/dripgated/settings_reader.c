#include "dripgated/settings_reader.h"

#include "base/clock.h"
#include "dripgated/limits_source.h"
#include "net/background.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct settings_reader {
	const struct config *config;
	bool limits;
	settings_reader_done *done;
	void *arg;
	struct background *background;
	int64_t started_us;
	bool again; /* start again: requested while they were being read */

	/* what was read; only the thread uses it while it works */
	struct config *new;
	struct rules *rules;
	struct users *users;
	struct reasons reasons;
	enum settings_reader_fault fault;
};

/* Return whether they are fine, or not wanted. */
static bool
settings_reader_read_users(struct settings_reader *reader)
{
	const char *path = reader->config->users_file;

	if (!*path)
		return true;
	reasons_clear(&reader->reasons);
	reader->users = users_read_file(path, &reader->reasons);
	if (!reader->users)
		reader->fault = SETTINGS_READER_BAD_USERS;
	return reader->users != NULL;
}

/* Set the fault, if there is one. */
static void
settings_reader_read(struct settings_reader *reader)
{
	reader->new = config_load(
	    reader->config->path, reader->config->set, &reader->reasons);
	if (!reader->new ||
	    config_open_tls(reader->new, &reader->reasons) == -1 ||
	    config_open_secrets(reader->new, &reader->reasons) == -1 ||
	    config_open_upstreams(reader->new, &reader->reasons) == -1) {
		reader->fault = SETTINGS_READER_BAD_SETTINGS;
		return;
	}
	reader->new->starts_without_limits =
	    reader->config->starts_without_limits;
	reader->new->limits_stamp = file_stamp(reader->new->limits_file);
	if (!settings_reader_read_users(reader) || !reader->limits)
		return;
	reader->rules = limits_source_read_file(reader->new, &reader->reasons);
	if (!reader->rules)
		reader->fault = SETTINGS_READER_BAD_LIMITS;
}

static void
settings_reader_on_work(void *arg)
{
	struct settings_reader *reader = arg;

	reader->fault = SETTINGS_READER_FINE;
	settings_reader_read(reader);
}

static void
settings_reader_on_done(void *arg)
{
	struct settings_reader *reader = arg;
	const struct settings_reader_result result = {reader->new,
	    reader->rules, reader->users, reader->fault, &reader->reasons};

	reader->rules = NULL;
	reader->done(&result, reader->arg);
	users_unref(reader->users);
	reader->users = NULL;
	config_free(reader->new);
	reader->new = NULL;
	if (reader->again)
		settings_reader_start(reader);
}

struct settings_reader *
settings_reader_new(struct loop *loop, const struct config *config, bool limits,
    settings_reader_done *done, void *arg)
{
	static const struct background_events events = {
	    .work = settings_reader_on_work, .done = settings_reader_on_done};
	struct settings_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return NULL;
	reader->config = config;
	reader->limits = limits;
	reader->done = done;
	reader->arg = arg;
	reader->background = background_new(loop, &events, reader);
	if (reader->background)
		return reader;
	free(reader);
	return NULL;
}

/* Without a thread the files are read at once. */
void
settings_reader_start(struct settings_reader *reader)
{
	reader->again = background_is_busy(reader->background);
	if (reader->again)
		return;
	reader->started_us = clock_us();
	if (background_start(reader->background) == -1) {
		settings_reader_on_work(reader);
		settings_reader_on_done(reader);
	}
}

int64_t
settings_reader_busy_us(const struct settings_reader *reader)
{
	return background_is_busy(reader->background)
		   ? clock_us() - reader->started_us
		   : 0;
}

bool
settings_reader_free(struct settings_reader *reader)
{
	if (!reader)
		return true;
	if (background_free(reader->background))
		return false;
	rules_unref(reader->rules);
	users_unref(reader->users);
	config_free(reader->new);
	free(reader);
	return true;
}
