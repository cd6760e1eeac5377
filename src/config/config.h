/**
 * config: the settings, each declared once in one table.
 *
 * The structs are those of the modules that the settings are for; only this
 * module knows them all, and that they come from a file.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "base/reasons.h"
#include "control/distributor.h"
#include "control/subscriber.h"
#include "control/topology_follower.h"
#include "gate/gateway.h"
#include "net/listeners.h"
#include "net/tls.h"
#include "upstream/upstream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The settings file if no other is named; it need not exist. */
#define CONFIG_PATH "/etc/dripgate/dripgate.ini"

/** Room for all settings. */
#define SETTINGS_MAX 190

enum limits_source { LIMITS_FILE, LIMITS_REDIS };

enum redis_topology {
	REDIS_SINGLE,
	REDIS_SENTINEL,
	REDIS_SHARDED,
	REDIS_CLUSTER
};

/** The strings that were read. */
struct config_texts {
	char **items;
	size_t count;
};

/** Values of the command line, each SECTION.NAME=VALUE.  Borrowed. */
struct config_set {
	const char *items[SETTINGS_MAX];
	size_t count;
};

/** Where a value comes from; the greatest counts. */
enum config_rank { RANK_DEFAULT, RANK_FILE, RANK_ENVIRONMENT, RANK_ARGUMENT };

struct config_source {
	enum config_rank rank;
	unsigned line;     /* of the file */
	const char *where; /* "DRIPGATE_REDIS_URL"; NULL: the line */
};

struct config {
	struct listeners_options listeners;
	struct tls_options
	    tls[LISTENER_KINDS]; /* of these, Unix sockets aside */
	const char *users_file;  /* "": none */
	int64_t max_clients;
	int64_t workers; /* 0: one a core */
	enum limits_source limits_source;
	const char *limits_file;
	bool limits_watch; /* reload when that file changes */
	enum unmatched unmatched;
	enum log_level log_level;
	enum log_format log_format;
	struct gateway_options gate;
	const char
	    *buckets_dir;    /* that keeps buckets in memory; "": systemd's */
	int64_t snapshot_us; /* from one time that they are saved to the next;
			      * 0: at the end only */
	enum redis_topology redis_topology;
	const char *redis_hosts;
	const char *topology_key;               /* of the prefix */
	const char *redis_url;                  /* "" once its parts are set */
	struct subscriber_options control;      /* its server as written */
	struct distributor_options distributor; /* without targets: none */
	const char *shard_hint;
	struct upstream_options *upstreams; /* as written */
	size_t upstream_count;
	struct upstream_set *upstream_set; /* of these; NULL: not opened */

	char *path; /* the file that it was read from, or NULL */
	const struct config_set *set; /* or NULL; borrowed */
	char *const *environment;     /* or NULL; borrowed */
	bool starts_without_limits;   /* and the file need not exist */
	struct file_stamp
	    limits_stamp; /* of the limits, before they were read */
	struct config_source sources[SETTINGS_MAX]; /* as the rows of settings,
						     * but those of targets */
	struct reasons warnings; /* not errors, but perhaps mistakes */
	struct config_texts texts;
};

/** The folder that keeps the buckets in memory over a restart; "": none does.
 */
const char *config_buckets_dir(const struct config *config);

/** The defaults.  NULL: out of memory. */
struct config *config_new(void) MUST_USE;

/** Apply the settings in ${len} bytes of INI text, once, and those of the
 * environment and the set, if it has them; ${name} is the file's name, for the
 * reasons: "dripgate.ini:7: [redis] prot: unknown; do you mean
 * port?".  Return 0, or -1 with ${reasons} set to every mistake. */
int config_read(struct config *config, const char *name, const char *text,
    size_t len, struct reasons *reasons) MUST_USE;

/** The defaults, the settings in the file at ${path}, those of the environment
 * (DRIPGATE_SECTION_NAME), and those of ${set}, which may be NULL: the later
 * count.  The Redis password is from systemd's credential if there is none yet.
 * A ${path} of NULL means CONFIG_PATH if that exists.  NULL with ${reasons}
 * set. */
struct config *config_load(const char *path, const struct config_set *set,
    struct reasons *reasons) MUST_USE;

/** Whether the setting has its default. */
bool config_is_default(
    const struct config *config, const char *section, const char *name);

/** How limits come from Redis: [control] as written, on the server that it
 * names or else that of [redis], with the state folder that systemd gives if it
 * names none.  Its strings belong to the config. */
struct subscriber_options config_subscriber(const struct config *config);

/** How the topology in Redis is followed.  Its strings belong to the config. */
struct topology_follower_options config_topology(const struct config *config);

/** Read the certificates and keys of the servers, before there are links.
 * Return 0, or -1 with ${reasons} added. */
int config_open_tls(struct config *config, struct reasons *reasons) MUST_USE;

/** Read the files with passwords of servers, before there are links.  Return 0,
 * or -1 with ${reasons} added. */
int config_open_secrets(
    struct config *config, struct reasons *reasons) MUST_USE;

/** Make the upstreams, with their credentials.  Return 0, or -1 with ${reasons}
 * added. */
int config_open_upstreams(
    struct config *config, struct reasons *reasons) MUST_USE;

/** Whether a server has refused a password from a file since the last call. */
bool config_has_refused_secret(const struct config *config);

/** Read those files again, and let links log in with what they have now.  Any
 * thread, one at a time. */
void config_reread_secrets(const struct config *config);

/** Free it; NULL: no-op. */
void config_free(struct config *config);

/** Append all settings with their help, as a file that config_read() takes.
 * Passwords are not shown.  With ${sources}, a comment says where each value
 * is from, unless it is the default.  Return 0, or -1 (out of memory). */
int config_dump(
    const struct config *config, bool sources, struct buf *out) MUST_USE;

/** Take over from ${new} the settings that can change while the daemon runs,
 * and call ${refused} for each that differs and cannot.  Links connect, from
 * now on, with the certificates and passwords that ${new} has read. */
typedef void config_refused(const char *section, const char *name);
void config_take_reloadable(
    struct config *config, const struct config *new, config_refused *refused);

#endif
