/**
 * config: the settings, each declared once in one table.
 *
 * The structs are those of the modules that the settings are for; this is the
 * one place that knows them all, and the one that knows they come from a file.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include "base/attr.h"
#include "control/distributor.h"
#include "control/subscriber.h"
#include "gate/shared.h"
#include "net/doors.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/** Settings, where nothing else is said; need not be there. */
#define CONFIG_PATH "/etc/dripgate/dripgate.ini"

/** The systemd credential that holds the Redis password. */
#define CONFIG_CREDENTIAL "dripgate.redis-password"

enum limits_source { LIMITS_FILE, LIMITS_REDIS };

/** The strings that were read. */
struct config_texts {
	char **items;
	size_t count;
};

struct config {
	struct doors_options doors;
	int64_t max_clients;
	int64_t workers;              /* 0: one a core */
	int limits_source;            /* enum limits_source */
	const char *limits_file;
	int unmatched;                /* enum unmatched */
	int log_level;                /* enum log_level */
	struct gate_options gate;
	struct subscriber_options control; /* its server as written */
	struct distributor_options distributor; /* without slaves: none */
	const char *shard_hint;

	char *path;                   /* where it was read from, or NULL */
	struct config_texts texts;
};

/** What is wrong: "dripgate.ini:7: [redis] prot: unknown; do you mean port?" */
struct config_error {
	char reason[400];
};

/** The defaults.  NULL: out of memory. */
struct config *config_new(void) MUST_USE;

/** Set what ${len} bytes of INI text say, once; ${name} is the file's, for
 * complaints.  Return 0, or -1 with ${error} set to the first thing that is
 * wrong. */
int config_read(struct config *config, const char *name, const char *text,
    size_t len, struct config_error *error) MUST_USE;

/** The defaults and what the file at ${path} says, with the Redis password from
 * systemd's credential if the file has none.  A ${path} of NULL stands for
 * CONFIG_PATH, or, if that is not there, for the defaults alone.  NULL with
 * ${error} set. */
struct config *config_load(const char *path, struct config_error *error)
    MUST_USE;

/** How limits come from Redis: [control] as written, on the server that it
 * names or else that of [redis], with the state folder that systemd gives if it
 * names none.  What it points to is the config's. */
struct subscriber_options config_subscriber(const struct config *config);

/** Free it, or NULL. */
void config_free(struct config *config);

/** Write all settings with their help, as a file that config_read() takes.
 * The password is not shown. */
void config_dump(const struct config *config, FILE *to);

/** Take over from ${new} the settings that can change while the daemon runs,
 * and call ${refused} for each that differs and cannot. */
typedef void config_refused(const char *section, const char *name);
void config_take_reloadable(struct config *config, const struct config *new,
    config_refused *refused);

#endif
