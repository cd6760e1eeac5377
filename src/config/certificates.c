/*
 * Opens the certificates that the settings name, for each link and listener.
 * A context that is open stays where it is: what uses it has a pointer to it.
 * The heart is certificates_at().
 */
#include "config/internal.h"
#include "config/settings.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* The sections with TLS, other than targets. */
static const struct {
	const char *section;
	enum tls_role role;
	size_t options, context; /* offsets in the config */
	size_t unix_path;        /* the same, of a client's server */
} sections[] = {
#define LISTENER(section, kind)                                                \
	{                                                                      \
		section, TLS_SERVER, offsetof(struct config, tls[kind]),       \
		    offsetof(struct config, gate.tls[kind]), 0                 \
	}
#define SERVER(section, link)                                                  \
	{                                                                      \
		section, TLS_CLIENT, offsetof(struct config, link.tls),        \
		    offsetof(struct config, link.tls_context),                 \
		    offsetof(struct config, link.endpoint.unix_socket_path)    \
	}
    LISTENER("listen", LISTENER_LINE),
    LISTENER("http", LISTENER_HTTP),
    LISTENER("admin", LISTENER_ADMIN),
    SERVER("redis", gate.redis.link),
    SERVER("control", control.link),
    SERVER("master", distributor.master),
};

#define SECTIONS COUNT(sections)

/* Longest "[slave:NAME]" that is shown. */
#define SECTION_SIZE 320

/* The TLS settings of one section. */
struct certificate {
	char section[SECTION_SIZE];
	enum tls_role role;
	const struct tls_options *options;
	struct tls_context **context;
	const char *unix_path; /* of the server; "": it has none */
};

/* Number of sections with TLS, targets included. */
static size_t
certificates_count(const struct config *config)
{
	return SECTIONS + config->distributor.target_count;
}

static struct certificate
certificates_at(const struct config *config, size_t i)
{
	uintptr_t base = (uintptr_t)config;
	struct certificate it = {.role = TLS_CLIENT, .unix_path = ""};

	if (i < SECTIONS) {
		it.role = sections[i].role;
		it.options = (void *)(base + sections[i].options);
		it.context = (void *)(base + sections[i].context);
		if (it.role == TLS_CLIENT)
			it.unix_path =
			    *(char *const *)(base + sections[i].unix_path);
		snprintf(it.section, SECTION_SIZE, "[%s]", sections[i].section);
	} else {
		struct target_options *target =
		    &config->distributor.targets[i - SECTIONS];

		it.options = &target->link.tls;
		it.context = &target->link.tls_context;
		it.unix_path = target->link.endpoint.unix_socket_path;
		snprintf(it.section, SECTION_SIZE, "[" SECTION_TARGET "%s]",
		    target->name);
	}
	return it;
}

/* What the files do not show. */
static const char *
certificates_check(const struct certificate *it)
{
	if (it->role == TLS_SERVER && !*it->options->cert_file)
		return "needs cert_file";
	if (it->role == TLS_CLIENT && *it->unix_path && it->options->verify &&
	    !*it->options->server_name)
		return "over a Unix socket it needs server_name, or verify = "
		       "no";
	return NULL;
}

/* Who names a certificate may believe that the connection is encrypted. */
static void
certificates_warn(const struct certificate *it, struct reasons *warnings)
{
	if (*it->options->ca_file || *it->options->cert_file ||
	    *it->options->key_file)
		reasons_add(warnings,
		    "%s: files of TLS have no effect without tls = yes",
		    it->section);
}

static void
certificates_open(const struct certificate *it, struct reasons *reasons)
{
	const char *reason = certificates_check(it);

	if (reason)
		reasons_add(reasons, "%s tls: %s", it->section, reason);
	else
		*it->context = tls_context_new(
		    it->role, it->options, it->section, reasons);
}

int
config_open_tls(struct config *config, struct reasons *reasons)
{
	size_t before = reasons->count;

	for (size_t i = 0; i < certificates_count(config); i++) {
		struct certificate it = certificates_at(config, i);

		if (!it.options->on)
			certificates_warn(&it, &config->warnings);
		else if (!*it.context)
			certificates_open(&it, reasons);
	}
	return reasons->count == before ? 0 : -1;
}

void
config_renew_tls(struct config *config, const struct config *renewed)
{
	size_t count = certificates_count(config);

	if (count != certificates_count(renewed))
		return;
	for (size_t i = 0; i < count; i++) {
		struct tls_context *context =
		    *certificates_at(config, i).context;
		struct tls_context *from = *certificates_at(renewed, i).context;

		if (context && from)
			tls_context_renew(context, from);
	}
}

void
config_close_tls(struct config *config)
{
	for (size_t i = 0; i < certificates_count(config); i++)
		tls_context_free(*certificates_at(config, i).context);
}
