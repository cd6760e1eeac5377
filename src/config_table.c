#include "config_table.h"

#include "base/attr.h"
#include "base/log.h"
#include "gate/shared.h"
#include "store/field.h"

#include <string.h>

#define SECOND INT64_C(1000000)
#define DAY    (86400 * SECOND)

static const char *const no_yes[] = {"no", "yes", NULL};
static const char *const source_names[] = {"file", "redis", NULL};
static const char *const store_names[] = {"memory", "redis", NULL};
static const char *const unmatched_names[] = {"allow", "deny", "error", NULL};
static const char *const on_full_names[] = {"deny", "allow", NULL};
static const char *const level_names[] = {
    "error", "warning", "info", "debug", NULL};
static const int level_values[] = {
    LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG};

#define FIXED  false
#define RELOAD true
#define AT(member) offsetof(struct config, member)

#define REDIS(member)   AT(gate.remote.link.member)
#define CONTROL(member) AT(control.link.member)
#define MASTER(member)  AT(distributor.master.member)
#define SLAVE(member)   offsetof(struct slave_options, link.member)

#define TEXT(section, name, at, fallback, min, max, help)                      \
	{section, name, SETTING_TEXT, at, fallback, min, max, NULL, NULL,      \
	    FIXED, help}
#define SECRET(section, name, at, max, help)                                   \
	{section, name, SETTING_SECRET, at, "", 0, max, NULL, NULL, FIXED, help}
#define NUMBER(section, name, at, fallback, min, max, help)                    \
	{section, name, SETTING_NUMBER, at, fallback, min, max, NULL, NULL,    \
	    FIXED, help}
#define TIME(section, name, at, fallback, min, max, help)                      \
	{section, name, SETTING_TIME, at, fallback, min, max, NULL, NULL,      \
	    FIXED, help}
#define SECONDS(section, name, at, fallback, min, max, help)                   \
	{section, name, SETTING_SECONDS, at, fallback, min, max, NULL, NULL,   \
	    FIXED, help}
#define CHOICE(section, name, at, fallback, choices, help)                     \
	{section, name, SETTING_CHOICE, at, fallback, 0, 0, choices, NULL,     \
	    FIXED, help}

/* A server that is not the one of [redis]. */
#define SERVER(section, at, no_host)                                           \
	TEXT(section, "host", at(endpoint.host), "", 0, 255, no_host),         \
	NUMBER(section, "port", at(endpoint.port), "6379", 1, 65535,           \
	    "its TCP port"),                                                   \
	TEXT(section, "unix_socket_path", at(endpoint.unix_socket_path), "",   \
	    0, 107, "its Unix socket, instead of both"),                       \
	NUMBER(section, "db", at(db), "0", 0, 1000000,                         \
	    "number of the database"),                                         \
	TEXT(section, "username", at(username), "", 0, 150,                    \
	    "empty: the default user"),                                        \
	SECRET(section, "password", at(password), 150, "empty: none"),         \
	SECONDS(section, "socket_timeout", at(socket_timeout_us), "5s", 1000,  \
	    300 * SECOND, "within which a call must be answered"),             \
	SECONDS(section, "connect_timeout", at(connect_timeout_us), "5s",      \
	    1000, 300 * SECOND, "within which the server must greet")

const struct setting settings[] = {
    TEXT("listen", "line", AT(doors.line), "127.0.0.1:14290", 0, 100,
	"TCP address of the line protocol; empty: none"),
    TEXT("listen", "unix", AT(doors.unix_path), "", 0, 107,
	"path of the same as a Unix socket; empty: none"),
    {"listen", "max_clients", SETTING_NUMBER, AT(max_clients), "10000", 1,
	1000000, NULL, NULL, RELOAD, "connections at a time"},
    TIME("listen", "idle_timeout", AT(gate.idle_timeout_us), "5m", 0, 365 * DAY,
	"a client that says nothing is closed; 0: never"),
    TIME("listen", "line_timeout", AT(gate.line_timeout_us), "30s", SECOND, DAY,
	"so is one that does not end its line"),
    CHOICE("listen", "allow_inline_limits", AT(gate.inline_limits), "yes",
	no_yes, "a request may bring its limit along (CL.THROTTLE)"),
    NUMBER("workers", "count", AT(workers), "0", 0, 256,
	"threads that serve clients; 0: one a core"),
    CHOICE("limits", "source", AT(limits_source), "file", source_names,
	"where limits come from: the file, or the key of [control]"),
    {"limits", "file", SETTING_TEXT, AT(limits_file),
	"/etc/dripgate/limits.ini", 1, 4095, NULL, NULL, RELOAD,
	"the limits; a relative path starts at this file"},
    CHOICE("limits", "allow_empty", AT(control.allow_empty), "no", no_yes,
	"take a key without limits for a set, not for an error"),
    {"limits", "unmatched", SETTING_CHOICE, AT(unmatched), "allow", 0, 0,
	unmatched_names, NULL, RELOAD, "answer to a key that no limit matches"},
    CHOICE("store", "type", AT(gate.store), "memory", store_names,
	"where buckets live"),
    TEXT("store", "prefix", AT(gate.remote.prefix), "drip:", 0,
	FIELD_PREFIX_MAX, "of the names of the hashes in Redis"),
    NUMBER("store", "max_buckets", AT(gate.memory.max_buckets), "1000000", 1,
	1000000000, "buckets in memory at a time"),
    CHOICE("store", "on_full", AT(gate.memory.on_full), "deny", on_full_names,
	"answer when memory has no room for another"),
    TEXT("redis", "host", REDIS(endpoint.host), "127.0.0.1", 1, 255,
	"name or address of the server"),
    NUMBER("redis", "port", REDIS(endpoint.port), "6379", 1, 65535,
	"its TCP port"),
    TEXT("redis", "unix_socket_path", REDIS(endpoint.unix_socket_path), "", 0,
	107, "its Unix socket, instead of both"),
    NUMBER("redis", "db", REDIS(db), "0", 0, 1000000, "number of the database"),
    TEXT("redis", "username", REDIS(username), "", 0, 150,
	"empty: the default user"),
    SECRET("redis", "password", REDIS(password), 150,
	"empty: none, or systemd's credential " CONFIG_CREDENTIAL),
    TIME("redis", "socket_timeout", REDIS(socket_timeout_us), "50ms", 1000,
	60 * SECOND, "within which a call must be answered"),
    TIME("redis", "connect_timeout", REDIS(connect_timeout_us), "250ms", 1000,
	60 * SECOND, "within which the server must greet"),
    NUMBER("redis", "inflight", AT(gate.remote.inflight), "4", 1, 64,
	"calls of one worker on their way at a time"),
    TEXT("control", "channel", AT(control.channel), "control", 1, 255,
	"on which reloads are ordered"),
    TEXT("control", "limits_key", AT(control.limits_key), "limits", 1, 255,
	"the sorted set of limits"),
    SECONDS("control", "reload_spread", AT(control.reload_spread_us), "0", 0,
	DAY, "a plain reload takes place within it, at random; 0: at once"),
    TEXT("control", "node_name", AT(control.node_name), "", 0, 100,
	"of this daemon; empty: the host's name"),
    TEXT("control", "errors_key", AT(control.errors_key), "errors", 1, 255,
	"set of the reasons why limits were refused"),
    TEXT("control", "errors_channel", AT(control.errors_channel), "errors", 1,
	255, "on which they are published"),
    TIME("control", "poll", AT(control.poll_us), "30s", SECOND, DAY,
	"between two looks at the key, give or take a fifth"),
    TEXT("control", "state_dir", AT(control.state_dir), "", 0, 4000,
	"keeps the last good limits; empty: systemd's, or none"),
    SERVER("control", CONTROL, "its server; empty: that of [redis]"),
    {"log", "level", SETTING_CHOICE, AT(log_level), "info", 0, 0, level_names,
	level_values, RELOAD, "least grave line that is logged"},
    TEXT("config", "channel", AT(distributor.channel), "control", 1, 255,
	"on which reloads are ordered, on all servers"),
    TEXT("config", "limits_key", AT(distributor.limits_key), "limits", 1, 255,
	"the sorted set of limits, on all servers"),
    SECONDS("config", "reload_spread", AT(distributor.reload_spread_us), "0", 0,
	DAY, "with which a plain reload is forwarded; 0: plain"),
    TIME("config", "poll", AT(distributor.poll_us), "30s", SECOND, DAY,
	"between two looks at the master, give or take a fifth"),
    TEXT("config", "shard_hint", AT(shard_hint), "", 0, 255,
	"accepted, and of no effect"),
    SERVER("master", MASTER, "the server whose limits are distributed"),
    SERVER(SECTION_SLAVE, SLAVE, "a server that they are copied to"),
};

const size_t settings_count = COUNT(settings);

_Static_assert(COUNT(settings) <= SETTINGS_MAX, "more rows than there is room");

bool
setting_is_of_slave(const struct setting *setting)
{
	return strcmp(setting->section, SECTION_SLAVE) == 0;
}

bool
setting_is_distribution(const struct setting *setting)
{
	return setting_is_of_slave(setting) ||
	       strcmp(setting->section, "master") == 0 ||
	       strcmp(setting->section, "config") == 0;
}
