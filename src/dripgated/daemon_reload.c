/*
 * daemon_reload: applies what was read for a reload.  All of it or nothing: a
 * mistake leaves everything as it was.  The heart is daemon_take_reload().
 */
#include "dripgated/daemon_internal.h"

#include "base/log.h"
#include "base/process.h"

#include <stdio.h>

/* Descriptors that are not clients': of the process (streams, listeners, files,
 * look-ups, clients being refused), of a worker (its loop, its links to Redis,
 * each of which may try several addresses), and of a link to a target. */
#define RESERVED_FDS 72
#define WORKER_FDS   16
#define TARGET_FDS   8

static void
daemon_refused_setting(const char *section, const char *name)
{
	log_warning(
	    "[%s] %s changed: takes effect at the next start", section, name);
}

/* Clients must not use up the descriptors that Redis, a reload or a look-up
 * needs later. */
static void
daemon_set_client_max(struct daemon *daemon)
{
	const struct config *config = daemon->config;
	size_t wanted = (size_t)config->max_clients;
	size_t reserved = RESERVED_FDS + WORKER_FDS * daemon->workers +
			  TARGET_FDS * config->distributor.target_count;

	daemon->client_max = process_make_room(wanted, reserved);
	if (daemon->client_max < wanted)
		log_warning("max_clients = %zu is lowered to %zu: raise the "
			    "limit of descriptors (LimitNOFILE=, ulimit -n) to "
			    "%zu",
		    wanted, daemon->client_max, wanted + reserved);
}

void
daemon_apply_settings(struct daemon *daemon)
{
	log_set_level(daemon->config->log_level);
	log_set_format(daemon->config->log_format);
	if (!daemon->pool)
		return;
	pool_set_unmatched(daemon->pool, daemon->config->unmatched);
	daemon_set_client_max(daemon);
}

static void
daemon_refuse_reload(struct daemon *daemon, const char *what,
    const struct reasons *reasons, const char *follows)
{
	char summary[REASON_SIZE];

	reasons_summarize(reasons, summary, sizeof(summary));
	snprintf(daemon->reload_error, sizeof(daemon->reload_error),
	    "; not reloaded: %s", summary);
	if (daemon->pool)
		pool_note_refused(daemon->pool, summary);
	reasons_log(reasons, what, follows);
}

static void
daemon_take_settings(struct daemon *daemon, const struct config *new)
{
	if (new) {
		reasons_log_warnings(&new->warnings);
		config_take_reloadable(
		    daemon->config, new, daemon_refused_setting);
	}
	daemon_apply_settings(daemon);
	if (daemon->pool &&
	    new &&pool_set_upstreams(daemon->pool,
		upstream_set_ref(daemon->config->upstream_set)) == -1)
		log_error("the upstreams stay as they were: %m");
	daemon->reload_error[0] = '\0';
}

void
daemon_take_reload(
    struct daemon *daemon, const struct settings_reader_result *result)
{
	struct rules_changes changes;
	char follows[60];
	size_t count;

	switch (result->fault) {
	case SETTINGS_READER_BAD_SETTINGS:
		daemon_refuse_reload(daemon, "settings not reloaded",
		    result->reasons, "the previous ones stay in force");
		return;
	case SETTINGS_READER_BAD_LIMITS:
		snprintf(follows, sizeof(follows),
		    "the previous %zu stay in force",
		    pool_limits(daemon->pool));
		daemon_refuse_reload(
		    daemon, "limits not reloaded", result->reasons, follows);
		return;
	case SETTINGS_READER_BAD_USERS:
		daemon_refuse_reload(daemon, "users not reloaded",
		    result->reasons, "the previous ones stay in force");
		return;
	case SETTINGS_READER_FINE:
		break;
	}
	daemon_take_settings(daemon, result->config);
	if (result->users && daemon->pool)
		pool_set_users(daemon->pool, users_ref(result->users));
	if (result->rules) {
		reasons_log_warnings(result->reasons);
		count = rules_count(result->rules);
		/* Once there was a file, its end must not end the limits. */
		if (!result->config->limits_stamp.error)
			daemon->config->starts_without_limits = false;
		pool_set_rules(daemon->pool, result->rules, &changes);
		log_info(
		    "reloaded: %zu limits in force; %s", count, changes.text);
	} else {
		if (daemon->pool)
			pool_note_refused(daemon->pool, "");
		log_info("settings reloaded");
		control_reload(daemon->control);
	}
}
