/*
 * config: makes a config of the defaults, a file, the environment, arguments
 * and a credential.  A config
 * owns its path, its texts, and its targets.  The heart is config_load().
 */
#include "config/config.h"

#include "base/file.h"
#include "config/internal.h"
#include "config/password.h"
#include "config/settings.h"
#include "config/value.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int
config_set_defaults(struct config *config, const char *section)
{
	size_t last = section ? setting_count(config, section) - 1 : 0;

	for (size_t i = 0; i < settings_count; i++) {
		const struct setting *setting = &settings[i];

		if (section ? strcmp(setting->section, section) == 0
			    : !setting_is_named(setting))
			if (value_set(&config->texts, setting,
				setting_place(config, setting, last),
				setting->fallback) == -1)
				return -1;
	}
	return 0;
}

struct config *
config_new(void)
{
	struct config *config = calloc(1, sizeof(*config));

	if (!config)
		return NULL;
	config->distributor.master.backoff_max_us = CONTROL_BACKOFF_US;
	config->distributor.master.reply_max_bytes = CONTROL_REPLY_BYTES;
	config->gate.redis.where.kind = "single";
	if (config_set_defaults(config, NULL) == 0)
		return config;
	config_free(config);
	return NULL;
}

char *
config_absolute(const char *path)
{
	char folder[4096];
	char *result;

	if (*path == '/')
		return strdup(path);
	if (!getcwd(folder, sizeof(folder)) ||
	    asprintf(&result, "%s/%s", folder, path) == -1)
		return NULL;
	return result;
}

static int
config_resolve_path(
    struct config *config, const struct setting *setting, size_t section)
{
	const char **place = setting_place(config, setting, section);
	const char *slash = strrchr(config->path, '/');
	char path[8192];

	if (**place == '/' || **place == '\0')
		return 0;
	snprintf(path, sizeof(path), "%.*s/%s", (int)(slash - config->path),
	    config->path, *place);
	if (value_set(&config->texts, setting, place, path) == 0)
		return 0;
	if (errno == ERANGE)
		errno = ENAMETOOLONG;
	return -1;
}

/* A relative path starts at the folder of the config file.  It is made
 * absolute, so that a dump means the same wherever it is kept. */
static int
config_resolve_paths(struct config *config)
{
	for (size_t i = 0; i < settings_count; i++) {
		const struct setting *setting = &settings[i];
		size_t count = setting_count(config, setting->section);

		if (setting->type != SETTING_PATH)
			continue;
		for (size_t k = 0; k < count; k++)
			if (config_resolve_path(config, setting, k) == -1)
				return -1;
	}
	return 0;
}

/* systemd hands secrets over in files of a folder for this service
 * (systemd.exec(5), LoadCredential=). */
static int
config_read_credential(struct config *config, struct reasons *reasons)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	const struct setting *setting = setting_find("redis", "password");
	const char **place = &config->gate.redis.link.password;
	char path[4096];
	char *password;
	int result;

	assert(*place); /* "" by default */
	if (!folder || **place || *config->gate.redis.link.password_file)
		return 0;
	snprintf(path, sizeof(path), "%s/" PASSWORD_CREDENTIAL, folder);
	if (access(path, F_OK) == -1 && errno == ENOENT)
		return 0;
	password = password_read(path, reasons);
	if (!password)
		return -1;
	result = value_set(&config->texts, setting, place, password);
	if (result == -1)
		reasons_set(reasons, "out of memory");
	config->sources[setting - settings] = (struct config_source){
	    .rank = RANK_FILE, .where = "the credential " PASSWORD_CREDENTIAL};
	free(password);
	return result;
}

/* Apply the settings in the file at ${path}.  Return 0, or -1 with ${reasons}
 * set. */
static int
config_read_file(
    struct config *config, const char *path, struct reasons *reasons)
{
	size_t len;
	char *text = file_read(path, &len);
	int result = -1;

	if (!text) {
		reasons_set(reasons, "%s: %s", path, file_error(errno));
		return -1;
	}
	if (config_read(config, path, text, len, reasons) == 0) {
		config->path = config_absolute(path);
		if (config->path && config_resolve_paths(config) == 0)
			result = 0;
		else
			reasons_set(reasons, "%s: %s", path, file_error(errno));
	}
	free(text);
	return result;
}

struct config *
config_load(
    const char *path, const struct config_set *set, struct reasons *reasons)
{
	struct config *config = config_new();

	if (!config) {
		reasons_set(reasons, "out of memory");
		return NULL;
	}
	config->environment = environ;
	config->set = set;
	if (!path && access(CONFIG_PATH, F_OK) == 0)
		path = CONFIG_PATH;
	if ((path ? config_read_file(config, path, reasons)
		  : config_read(config, "", "", 0, reasons)) == 0 &&
	    config_read_credential(config, reasons) == 0)
		return config;
	config_free(config);
	return NULL;
}

bool
config_is_default(
    const struct config *config, const char *section, const char *name)
{
	const struct setting *setting = setting_find(section, name);

	return config->sources[setting - settings].rank == RANK_DEFAULT;
}

void
config_free(struct config *config)
{
	if (!config)
		return;
	config_close_tls(config);
	config_close_secrets(config);
	config_texts_free(&config->texts);
	upstream_set_unref(config->upstream_set);
	free(config->distributor.targets);
	free(config->upstreams);
	free(config->path);
	free(config);
}

int
config_open_upstreams(struct config *config, struct reasons *reasons)
{
	config->upstream_set = upstream_set_new(
	    config->upstreams, config->upstream_count, reasons);
	return config->upstream_set ? 0 : -1;
}

struct topology_follower_options
config_topology(const struct config *config)
{
	const struct shard_options *redis = &config->gate.redis;
	struct topology_follower_options options = {
	    .link = redis->link,
	    .where = redis->where,
	    .key = config->topology_key,
	};

	options.where.endpoint = redis->link.endpoint;
	return options;
}

const char *
config_buckets_dir(const struct config *config)
{
	const char *state = getenv("STATE_DIRECTORY");

	if (config->gate.store != STORE_MEMORY)
		return "";
	if (*config->buckets_dir || !state)
		return config->buckets_dir;
	return state;
}

struct subscriber_options
config_subscriber(const struct config *config)
{
	const struct link_options *redis = &config->gate.redis.link;
	struct subscriber_options options = config->control;
	struct link_options *link = &options.link;
	const char *state = getenv("STATE_DIRECTORY");

	if (!config_has_endpoint(link)) {
		link->endpoint = redis->endpoint;
		link->sentinel = redis->sentinel;
		if (redis->sentinel.cluster_key) {
			link->endpoint = (struct endpoint){"cluster", "", 0};
			link->sentinel.cluster_key = options.limits_key;
		}
		link->kind =
		    redis->sentinel.hosts ? LINK_TO_MASTER : LINK_TO_ANY;
		link->db = redis->db;
		link->tls = redis->tls;
		link->tls_context = redis->tls_context;
		if (!*link->username && !*link->password &&
		    !*link->password_file) {
			link->username = redis->username;
			link->password = redis->password;
			link->password_file = redis->password_file;
			link->secret = redis->secret;
		}
	}
	link->script = redis->script;
	link->node = redis->node;
	link->role = "control";
	link->backoff_max_us = CONTROL_BACKOFF_US;
	link->reply_max_bytes = CONTROL_REPLY_BYTES;
	if (!*options.state_dir && state)
		options.state_dir = state;
	return options;
}
