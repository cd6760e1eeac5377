/**
 * internal: what the files of config/ share.  For them only.
 */
#ifndef CONFIG_INTERNAL_H
#define CONFIG_INTERNAL_H

#include "base/attr.h"
#include "config/config.h"

#include <stdbool.h>

/** Control connections back off for longer: a fleet must not overload a
 * server. */
#define CONTROL_BACKOFF_US INT64_C(5000000)

/** The limits, and room for the rest of the reply. */
#define CONTROL_REPLY_BYTES (SUBSCRIBER_BYTES_MAX + (INT64_C(1) << 20))

/** Set the rows of the config, or, unless that is NULL, those of the last such
 * ${section}, to their defaults.  Return 0, or -1 (out of memory). */
int config_set_defaults(struct config *config, const char *section) MUST_USE;

/** ${path} as an absolute path, which the caller frees; or NULL with errno. */
char *config_absolute(const char *path) MUST_USE;

/** Let the links of ${config} connect, from now on, with what ${renewed} has
 * read. */
void config_renew_tls(struct config *config, const struct config *renewed);

/** Free what config_open_tls() read. */
void config_close_tls(struct config *config);

/** Let the links of ${config} log in, from now on, with what ${renewed} has
 * read from the same files. */
void config_renew_secrets(
    const struct config *config, const struct config *renewed);

/** Free what config_open_secrets() read. */
void config_close_secrets(struct config *config);

/** Whether it has the address of a server. */
bool config_has_endpoint(const struct link_options *link);

#endif
