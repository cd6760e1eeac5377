/*
 * Reads the passwords that the settings name as files, for each server.  A
 * secret that is open stays where it is: links have a pointer to it.  So do the
 * secrets that hide keys.  The heart: config_open_secrets(),
 * config_renew_secrets().
 */
#include "base/log.h"
#include "base/secret.h"
#include "config/internal.h"
#include "config/password.h"
#include "store/redis/key_secrets.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The servers that are no target. */
#define FIXED 3

static size_t
secrets_count(const struct config *config)
{
	return FIXED + config->distributor.target_count;
}

static struct link_options *
secrets_link(const struct config *config, size_t i)
{
	static const size_t fixed[FIXED] = {
	    offsetof(struct config, gate.redis.link),
	    offsetof(struct config, control.link),
	    offsetof(struct config, distributor.master)};
	uintptr_t base = (uintptr_t)config;

	return i < FIXED ? (struct link_options *)(base + fixed[i])
			 : &config->distributor.targets[i - FIXED].link;
}

static void
secrets_forget(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

static void
secrets_open(struct link_options *link, struct reasons *reasons)
{
	struct reasons own;
	char *text = password_read(link->password_file, &own);

	if (!text) {
		reasons_add(reasons, "%s", reasons_first(&own));
		return;
	}
	link->secret = secret_new();
	if (link->secret)
		secret_set(link->secret, text);
	else
		reasons_add(reasons, "out of memory");
	secrets_forget(text);
}

int
config_open_secrets(struct config *config, struct reasons *reasons)
{
	size_t before = reasons->count;

	for (size_t i = 0; i < secrets_count(config); i++) {
		struct link_options *link = secrets_link(config, i);

		if (*link->password_file && !link->secret)
			secrets_open(link, reasons);
	}
	if (*config->gate.redis.key_secrets && !config->gate.redis.secrets)
		config->gate.redis.secrets =
		    key_secrets_read(config->gate.redis.key_secrets,
			config->gate.redis.hide_limits, reasons);
	return reasons->count == before ? 0 : -1;
}

/* Another file counts from the next start on. */
static void
secrets_renew_keys(
    const struct shard_options *options, const struct shard_options *from)
{
	if (options->secrets && from->secrets &&
	    strcmp(options->key_secrets, from->key_secrets) == 0)
		key_secrets_take(options->secrets, from->secrets);
}

void
config_renew_secrets(const struct config *config, const struct config *renewed)
{
	char text[SECRET_MAX + 1];

	secrets_renew_keys(&config->gate.redis, &renewed->gate.redis);
	if (secrets_count(config) != secrets_count(renewed))
		return;
	for (size_t i = 0; i < secrets_count(config); i++) {
		struct link_options *link = secrets_link(config, i);
		struct link_options *from = secrets_link(renewed, i);

		/* Another file counts from the next start on. */
		if (!link->secret || !from->secret ||
		    strcmp(link->password_file, from->password_file) != 0)
			continue;
		secret_copy(from->secret, text);
		secret_set(link->secret, text);
	}
	explicit_bzero(text, sizeof(text));
}

bool
config_has_refused_secret(const struct config *config)
{
	bool has = false;

	for (size_t i = 0; i < secrets_count(config); i++) {
		struct secret *secret = secrets_link(config, i)->secret;

		has = (secret && secret_take_refused(secret)) || has;
	}
	return has;
}

static void
secrets_reread(struct link_options *link)
{
	static struct log_limiter limiter;
	struct reasons reasons;
	char *text;

	text = password_read(link->password_file, &reasons);
	if (!text)
		log_limited(&limiter, LOG_LEVEL_WARNING,
		    "%s; the previous password stays in use",
		    reasons_first(&reasons));
	else if (secret_set(link->secret, text))
		log_limited(NULL, LOG_LEVEL_INFO, "%s: read a new password",
		    link->password_file);
	secrets_forget(text);
}

void
config_reread_secrets(const struct config *config)
{
	for (size_t i = 0; i < secrets_count(config); i++) {
		struct link_options *link = secrets_link(config, i);

		if (link->secret)
			secrets_reread(link);
	}
}

void
config_close_secrets(struct config *config)
{
	for (size_t i = 0; i < secrets_count(config); i++)
		secret_free(secrets_link(config, i)->secret);
	key_secrets_free(config->gate.redis.secrets);
}
