/*
 * settings: the table of all settings.
 * The rows of a section are side by side; a name occurs once in a section.
 * The heart is the table settings[].
 */
#include "config/settings.h"

#include "base/attr.h"
#include "base/ini.h"
#include "base/log.h"
#include "config/password.h"
#include "store/redis/field.h"

#include <string.h>

#define SECOND INT64_C(1000000)
#define DAY    (86400 * SECOND)

static const struct choice limits_sources[] = {
    {"file", LIMITS_FILE},
    {"redis", LIMITS_REDIS},
    {NULL, 0},
};

static const struct choice store_types[] = {
    {"memory", STORE_MEMORY},
    {"redis", STORE_REDIS},
    {NULL, 0},
};

static const struct choice redis_topologies[] = {
    {"single", REDIS_SINGLE},
    {"sentinel", REDIS_SENTINEL},
    {"sharded", REDIS_SHARDED},
    {"cluster", REDIS_CLUSTER},
    {NULL, 0},
};

static const struct choice script_modes[] = {
    {"evalsha", SCRIPT_EVALSHA},
    {"function", SCRIPT_FUNCTION},
    {NULL, 0},
};

static const struct choice unmatched_words[] = {
    {"allow", UNMATCHED_ALLOW},
    {"deny", UNMATCHED_DENY},
    {"error", UNMATCHED_ERROR},
    {NULL, 0},
};

static const struct choice on_full_words[] = {
    {"deny", ON_FULL_DENY},
    {"allow", ON_FULL_ALLOW},
    {NULL, 0},
};

static const struct choice http_headers[] = {
    {"all", HTTP_HEADERS_ALL},
    {"standard", HTTP_HEADERS_STANDARD},
    {"legacy", HTTP_HEADERS_LEGACY},
    {"none", HTTP_HEADERS_NONE},
    {NULL, 0},
};

static const struct choice log_formats[] = {
    {"text", LOG_FORMAT_TEXT},
    {"json", LOG_FORMAT_JSON},
    {NULL, 0},
};

static const struct choice log_levels[] = {
    {"error", LOG_LEVEL_ERROR},
    {"warning", LOG_LEVEL_WARNING},
    {"info", LOG_LEVEL_INFO},
    {"debug", LOG_LEVEL_DEBUG},
    {"err", LOG_LEVEL_ERROR},
    {"warn", LOG_LEVEL_WARNING},
    {"notice", LOG_LEVEL_INFO},
    {NULL, 0},
};

static const struct choice upstream_caches[] = {
    {"memory", UPSTREAM_CACHE_MEMORY},
    {"redis", UPSTREAM_CACHE_REDIS},
    {"off", UPSTREAM_CACHE_OFF},
    {NULL, 0},
};

/* Where a value is stored. */
#define AT(base, member)                                                       \
	.offset = offsetof(base, member), .size = sizeof(((base *)0)->member)
#define CONFIG(member)   AT(struct config, member)
#define REDIS(member)    CONFIG(gate.redis.link.member)
#define CONTROL(member)  CONFIG(control.link.member)
#define MASTER(member)   CONFIG(distributor.master.member)
#define TARGET(member)   AT(struct target_options, link.member)
#define UPSTREAM(member) AT(struct upstream_options, member)

/* What it may be. */
#define FROM(least, most)    .min = (least), .max = (most)
#define TEXT(least, most)    .type = SETTING_TEXT, FROM(least, most)
#define PATH                 .type = SETTING_PATH, FROM(0, 4095), .fallback = ""
#define SOCKET               .type = SETTING_PATH, FROM(0, 107), .fallback = ""
#define HOST                 .type = SETTING_HOST, FROM(0, 255)
#define SECRET(most)         .type = SETTING_SECRET, FROM(0, most), .fallback = ""
#define NUMBER(least, most)  .type = SETTING_NUMBER, FROM(least, most)
#define TIME(least, most)    .type = SETTING_TIME, FROM(least, most)
#define SECONDS(least, most) .type = SETTING_SECONDS, FROM(least, most)
#define CHOICE(words)        .type = SETTING_CHOICE, .choices = (words)
#define FLAG                 .type = SETTING_FLAG, .choices = choice_no_yes

/* How clients connect. */
#define TLS_OF_CLIENTS(section, kind)                                          \
	{section, "tls", CONFIG(tls[kind].on), FLAG, .fallback = "no",         \
	    .help = "encrypt the connections, Unix sockets aside"},            \
	    {section, "cert_file", CONFIG(tls[kind].cert_file), PATH,          \
		.help = "our certificate and its chain, PEM"},                 \
	    {section, "key_file", CONFIG(tls[kind].key_file), PATH,            \
		.help = "its private key, PEM; empty: in cert_file"},          \
	{                                                                      \
		section, "client_ca_file", CONFIG(tls[kind].ca_file), PATH,    \
		    .help = "certificates to trust, PEM; empty: clients need " \
			    "none"                                             \
	}

/* How to connect to a server; ${in} says where its options are. */
#define TLS(section, in)                                                       \
	{section, "tls", in(tls.on), FLAG, .fallback = "no",                   \
	    .help = "encrypt the connection"},                                 \
	    {section, "ca_file", in(tls.ca_file), PATH,                        \
		.help = "certificates to trust, PEM; empty: the system's"},    \
	    {section, "cert_file", in(tls.cert_file), PATH,                    \
		.help = "our certificate and its chain, PEM; empty: none"},    \
	    {section, "key_file", in(tls.key_file), PATH,                      \
		.help = "its private key, PEM; empty: in cert_file"},          \
	    {section, "server_name", in(tls.server_name), TEXT(0, 255),        \
		.fallback = "",                                                \
		.help = "name in its certificate; empty: the host"},           \
	{                                                                      \
		section, "verify", in(tls.verify), FLAG,                       \
		    .fallback = "yes",                                         \
		    .help = "whether the server must prove its name"           \
	}

/* A server that is not the one of [redis]; ${in} says where its options are. */
#define SERVER(section, in, what)                                              \
	{section, "host", in(endpoint.host), HOST, .fallback = "",             \
	    .help = (what)},                                                   \
	    {section, "port", in(endpoint.port), NUMBER(1, 65535),             \
		.fallback = "6379", .help = "its TCP port"},                   \
	    {section, "unix_socket_path", in(endpoint.unix_socket_path),       \
		SOCKET, .help = "its Unix socket, instead of both"},           \
	    {section, "db", in(db), NUMBER(0, 1000000), .fallback = "0",       \
		.help = "number of the database"},                             \
	    {section, "username", in(username), TEXT(0, 150), .fallback = "",  \
		.help = "empty: the default user"},                            \
	    {section, "password", in(password), SECRET(PASSWORD_MAX),          \
		.help = "empty: none"},                                        \
	    {section, "password_file", in(password_file), PATH,                \
		.help = "a file with it, one line, which may change"},         \
	    {section, "socket_timeout", in(socket_timeout_us),                 \
		SECONDS(1000, 300 * SECOND), .fallback = "5s",                 \
		.help = "a call must get its reply within this time"},         \
	    {section, "connect_timeout", in(connect_timeout_us),               \
		SECONDS(1000, 300 * SECOND), .fallback = "5s",                 \
		.help =                                                        \
		    "the server must accept a connection within this time"},   \
	    TLS(section, in)

const struct setting settings[] = {
    {"listen", "line", CONFIG(listeners.line), .type = SETTING_ADDRESS,
	FROM(0, 262), .fallback = "127.0.0.1:14290",
	.help = "TCP address, HOST:PORT, :PORT or PORT; empty: none"},
    {"listen", "unix", CONFIG(listeners.unix_path), SOCKET,
	.help = "path of the same as a Unix socket; empty: none"},
    {"listen", "unix_mode", CONFIG(listeners.unix_mode), .type = SETTING_MODE,
	FROM(0, 0777), .fallback = "",
	.help = "mode of its file, octal; empty: 0777 less the umask"},
    {"listen", "unix_group", CONFIG(listeners.unix_group), TEXT(0, 40),
	.fallback = "",
	.help = "group of its file, a name or a number; empty: our own"},
    {"listen", "max_clients", CONFIG(max_clients), NUMBER(1, 1000000),
	.fallback = "10000", .reloadable = true,
	.help = "connections at a time"},
    {"listen", "idle_timeout", CONFIG(gate.idle_timeout_us), TIME(0, 365 * DAY),
	.fallback = "5m",
	.help = "close a client that sends nothing this long; 0: never"},
    {"listen", "line_timeout", CONFIG(gate.line_timeout_us), TIME(SECOND, DAY),
	.fallback = "30s",
	.help = "close a client whose line stays unfinished this long"},
    {"listen", "allow_inline_limits", CONFIG(gate.inline_limits), FLAG,
	.fallback = "yes",
	.help = "a request may bring its limit along (CL.THROTTLE)"},
    {"listen", "users", CONFIG(users_file), PATH,
	.help = "a file of users and what each may ask; empty: every client "
		"may ask anything"},
    TLS_OF_CLIENTS("listen", LISTENER_LINE),

    {"http", "listen", CONFIG(listeners.http), .type = SETTING_ADDRESS,
	FROM(0, 262), .fallback = "",
	.help = "TCP address of a listener for HTTP alone; empty: none"},
    {"http", "hosts", CONFIG(gate.http_hosts), TEXT(0, 4000), .fallback = "",
	.help = "names with a dot that are ours, blanks between them; *: any"},
    {"http", "headers", CONFIG(gate.http_headers), CHOICE(http_headers),
	.fallback = "all",
	.help = "of a decision: RateLimit (standard), X-RateLimit (legacy)"},
    {"http", "trusted_proxies", CONFIG(gate.trusted_proxies),
	.type = SETTING_NETWORKS, FROM(0, 4000),
	.fallback = "127.0.0.0/8 ::1 unix",
	.help = "networks whose word for a client's address counts"},
    {"http", "client_header", CONFIG(gate.client_header), TEXT(1, 64),
	.fallback = "X-Forwarded-For",
	.help = "the header with that address, as Forwarded"},
    TLS_OF_CLIENTS("http", LISTENER_HTTP),

    {"grpc", "headers", CONFIG(gate.grpc_headers), CHOICE(http_headers),
	.fallback = "none",
	.help = "of a decision, as in [http], for Envoy to add to its own"},
    {"grpc", "charge_all", CONFIG(gate.grpc_charge_all), FLAG, .fallback = "no",
	.help = "charge each descriptor of a call, even if another one denies"},
    {"grpc", "denied_body", CONFIG(gate.grpc_denied_body), TEXT(0, 1000),
	.fallback = "", .help = "of Envoy's response to who is denied"},

    {"admin", "listen", CONFIG(listeners.admin), .type = SETTING_ADDRESS,
	FROM(0, 262), .fallback = "127.0.0.1:14291",
	.help = "TCP address for operators, by HTTP; empty: none"},
    {"admin", "ready_on_fallback", CONFIG(gate.ready_on_fallback), FLAG,
	.fallback = "yes",
	.help = "READY and /readyz are fine while Redis does not decide"},
    TLS_OF_CLIENTS("admin", LISTENER_ADMIN),

    {"policy", "listen", CONFIG(listeners.policy), .type = SETTING_ADDRESS,
	FROM(0, 262), .fallback = "",
	.help = "TCP address of a policy service for Postfix; empty: none"},

    {"workers", "count", CONFIG(workers), NUMBER(0, 256), .fallback = "0",
	.help = "threads that serve clients; 0: one a core"},

    {"limits", "source", CONFIG(limits_source), CHOICE(limits_sources),
	.fallback = "file",
	.help = "where limits come from: the file, or the key of [control]"},
    {"limits", "file", CONFIG(limits_file), .type = SETTING_PATH, FROM(1, 4095),
	.fallback = "/etc/dripgate/limits.ini", .reloadable = true,
	.help = "the limits; a relative path starts at this file"},
    {"limits", "watch", CONFIG(limits_watch), FLAG, .fallback = "no",
	.help = "reload when that file changes"},
    {"limits", "allow_empty", CONFIG(control.allow_empty), FLAG,
	.fallback = "no",
	.help = "an empty or missing key is a valid set, not an error"},
    {"limits", "unmatched", CONFIG(unmatched), CHOICE(unmatched_words),
	.fallback = "allow", .reloadable = true,
	.help = "response to a key that no limit matches"},

    {"store", "type", CONFIG(gate.store), CHOICE(store_types),
	.fallback = "memory", .help = "where buckets live"},
    {"store", "prefix", CONFIG(gate.redis.prefix), TEXT(0, FIELD_PREFIX_MAX),
	.fallback = "drip:",
	.help = "start of the names of the hashes in Redis"},
    {"store", "key_secrets", CONFIG(gate.redis.key_secrets), PATH,
	.help = "a file of secrets that hide keys in Redis; empty: none"},
    {"store", "hide_limits", CONFIG(gate.redis.hide_limits), FLAG,
	.fallback = "no", .help = "they hide the names of limits, too"},
    {"store", "max_buckets", CONFIG(gate.memory.max_buckets),
	NUMBER(1, 1000000000), .fallback = "1000000",
	.help = "buckets in memory at a time"},
    {"store", "on_full", CONFIG(gate.memory.on_full), CHOICE(on_full_words),
	.fallback = "deny",
	.help = "response when memory has no room for another"},
    {"store", "state_dir", CONFIG(buckets_dir), TEXT(0, 4000), .fallback = "",
	.help = "folder that keeps the buckets in memory over a restart; "
		"empty: systemd's, or none"},
    {"store", "snapshot", CONFIG(snapshot_us), TIME(0, DAY), .fallback = "0",
	.help = "they are saved there at the end, and this often; 0: at the "
		"end only"},

    {"redis", "url", CONFIG(redis_url), SECRET(INI_LINE_MAX),
	.help = "the server as a URL: redis://, rediss://, unix:// or "
		"redis+sentinel://"},
    {"redis", "host", REDIS(endpoint.host), .type = SETTING_HOST, FROM(1, 255),
	.fallback = "127.0.0.1",
	.help = "name or address of the server, without a port"},
    {"redis", "port", REDIS(endpoint.port), NUMBER(1, 65535),
	.fallback = "6379", .help = "its TCP port"},
    {"redis", "unix_socket_path", REDIS(endpoint.unix_socket_path), SOCKET,
	.help = "its Unix socket, instead of both"},
    {"redis", "db", REDIS(db), NUMBER(0, 1000000), .fallback = "0",
	.help = "number of the database"},
    {"redis", "username", REDIS(username), TEXT(0, 150), .fallback = "",
	.help = "empty: the default user"},
    {"redis", "password", REDIS(password), SECRET(PASSWORD_MAX),
	.help = "empty: none, or systemd's credential " PASSWORD_CREDENTIAL},
    {"redis", "password_file", REDIS(password_file), PATH,
	.help = "a file with it, one line, which may change"},
    {"redis", "socket_timeout", REDIS(socket_timeout_us),
	TIME(1000, 60 * SECOND), .fallback = "50ms",
	.help = "a call must get its reply within this time"},
    {"redis", "connect_timeout", REDIS(connect_timeout_us),
	TIME(1000, 60 * SECOND), .fallback = "250ms",
	.help = "the server must accept a connection within this time"},
    {"redis", "inflight", CONFIG(gate.redis.inflight), NUMBER(1, 64),
	.fallback = "4", .help = "calls of one worker on their way at a time"},
    {"redis", "wait_replicas", CONFIG(gate.redis.wait_replicas), NUMBER(0, 16),
	.fallback = "0",
	.help = "replicas that have a decision before a client gets it"},
    {"redis", "script", REDIS(script), CHOICE(script_modes),
	.fallback = "evalsha",
	.help = "how scripts are called: by digest, or as functions"},
    TLS("redis", REDIS),
    {"redis", "topology", CONFIG(redis_topology), CHOICE(redis_topologies),
	.fallback = "single",
	.help = "one server, the master that sentinels name, several, or a "
		"cluster"},
    {"redis", "hosts", CONFIG(redis_hosts), .type = SETTING_HOSTS,
	FROM(0, INI_LINE_MAX), .fallback = "",
	.help = "the sentinels, the servers, or nodes, HOST:PORT with blanks "
		"between"},
    {"redis", "partitions", CONFIG(gate.redis.where.partitions),
	NUMBER(1, PARTITIONS_MAX), .fallback = "1",
	.help = "shares of all keys, each on one server; the same everywhere"},
    {"redis", "master_name", REDIS(sentinel.master_name), TEXT(1, 255),
	.fallback = "mymaster", .help = "what the sentinels call the master"},
    {"redis", "sentinel_username", REDIS(sentinel.username), TEXT(0, 150),
	.fallback = "", .help = "at the sentinels; empty: the default user"},
    {"redis", "sentinel_password", REDIS(sentinel.password),
	SECRET(PASSWORD_MAX), .help = "at the sentinels; empty: none"},
    {"redis", "sentinel_tls", REDIS(sentinel.tls), FLAG, .fallback = "no",
	.help = "encrypt connections to the sentinels, as those to the master"},

    {"control", "channel", CONFIG(control.channel), TEXT(1, 255),
	.fallback = "control", .help = "of messages that order reloads"},
    {"control", "limits_key", CONFIG(control.limits_key), TEXT(1, 255),
	.fallback = "limits", .help = "the sorted set of limits"},
    {"control", "reload_spread", CONFIG(control.reload_spread_us),
	SECONDS(0, DAY), .fallback = "0",
	.help = "a plain reload takes place within this time, at random; 0: at "
		"once"},
    {"control", "node_name", CONFIG(control.node_name), TEXT(0, 100),
	.fallback = "", .help = "of this daemon; empty: the host's name"},
    {"control", "errors_key", CONFIG(control.errors_key), TEXT(1, 255),
	.fallback = "errors",
	.help = "the set of reasons why limits were rejected"},
    {"control", "errors_channel", CONFIG(control.errors_channel), TEXT(1, 255),
	.fallback = "errors", .help = "on which those reasons are published"},
    {"control", "poll", CONFIG(control.poll_us), TIME(SECOND, DAY),
	.fallback = "30s",
	.help = "time from one look at the key to the next, +-20 %"},
    {"control", "state_dir", CONFIG(control.state_dir), TEXT(0, 4000),
	.fallback = "",
	.help = "folder that keeps the last good limits; empty: systemd's, or "
		"none"},
    SERVER("control", CONTROL, "its server; empty: that of [redis]"),

    {"log", "level", CONFIG(log_level), CHOICE(log_levels), .fallback = "info",
	.reloadable = true, .help = "the least severe lines to log"},
    {"log", "format", CONFIG(log_format), CHOICE(log_formats),
	.fallback = "text", .reloadable = true, .help = "what lines look like"},

    {"config", "channel", CONFIG(distributor.channel), TEXT(1, 255),
	.fallback = "control",
	.help = "of messages that order reloads, on all servers"},
    {"config", "limits_key", CONFIG(distributor.limits_key), TEXT(1, 255),
	.fallback = "limits",
	.help = "the sorted set of limits, on all servers"},
    {"config", "reload_spread", CONFIG(distributor.reload_spread_us),
	SECONDS(0, DAY), .fallback = "0",
	.help = "spread with which a plain reload is forwarded; 0: plain"},
    {"config", "poll", CONFIG(distributor.poll_us), TIME(SECOND, DAY),
	.fallback = "30s",
	.help = "time from one look at the master to the next, +-20 %"},
    {"config", "shard_hint", CONFIG(shard_hint), TEXT(0, 255), .fallback = "",
	.help = "accepted, without effect"},
    SERVER("master", MASTER, "the server whose limits are distributed"),
    SERVER(SECTION_TARGET, TARGET, "a server to copy them to"),

    {SECTION_UPSTREAM, "url", UPSTREAM(url), TEXT(0, UPSTREAM_URL_MAX),
	.fallback = "", .help = "an API: http://HOST[:PORT][/PATH], https://"},
    {SECTION_UPSTREAM, "limit_key", UPSTREAM(limit_key), TEXT(0, 4000),
	.fallback = "",
	.help = "keys to charge for each request that goes out, blanks "
		"between; empty: none"},
    {SECTION_UPSTREAM, "max_wait", UPSTREAM(max_wait_us), TIME(0, DAY),
	.fallback = "5s",
	.help = "a request goes out within this time, or is refused"},
    {SECTION_UPSTREAM, "max_connections", UPSTREAM(max_connections),
	NUMBER(1, 10000), .fallback = "100",
	.help = "requests that are out at a time; others wait"},
    {SECTION_UPSTREAM, "timeout", UPSTREAM(timeout_us),
	TIME(1000, 3600 * SECOND), .fallback = "10s",
	.help = "its response begins, and goes on, within this time"},
    {SECTION_UPSTREAM, "max_time", UPSTREAM(max_time_us), TIME(1000, DAY),
	.fallback = "5m", .help = "its response ends within this time"},
    {SECTION_UPSTREAM, "retries", UPSTREAM(retries), NUMBER(0, 10),
	.fallback = "2", .help = "of GET and HEAD, when a connection fails"},
    {SECTION_UPSTREAM, "failures", UPSTREAM(failures), NUMBER(0, 1000000),
	.fallback = "5", .help = "in a row, until it is left alone; 0: never"},
    {SECTION_UPSTREAM, "pause", UPSTREAM(pause_us), TIME(1000, DAY),
	.fallback = "30s", .help = "how long it is left alone"},
    {SECTION_UPSTREAM, "redirects", UPSTREAM(redirects), NUMBER(0, 10),
	.fallback = "0",
	.help = "of GET and HEAD, to the same url, that are followed"},
    {SECTION_UPSTREAM, "cache", UPSTREAM(cache), CHOICE(upstream_caches),
	.fallback = "memory", .help = "where responses are stored"},
    {SECTION_UPSTREAM, "cache_ttl", UPSTREAM(cache_ttl_us), TIME(0, 365 * DAY),
	.fallback = "1h", .help = "the longest that one is fresh"},
    {SECTION_UPSTREAM, "cache_default", UPSTREAM(cache_default_us),
	TIME(0, 365 * DAY), .fallback = "0",
	.help = "how long one is that does not say; 0: it is not stored"},
    {SECTION_UPSTREAM, "cache_entries", UPSTREAM(cache_entries),
	NUMBER(1, 10000000), .fallback = "10000",
	.help = "responses that are stored"},
    {SECTION_UPSTREAM, "cache_bytes", UPSTREAM(cache_bytes),
	NUMBER(65536, INT64_C(1) << 40), .fallback = "67108864",
	.help = "memory for them"},
    {SECTION_UPSTREAM, "cache_private", UPSTREAM(cache_private), FLAG,
	.fallback = "no", .help = "store what is private, for all clients"},
    {SECTION_UPSTREAM, "cache_client_control", UPSTREAM(cache_client_control),
	FLAG, .fallback = "yes", .help = "obey Cache-Control of requests"},
    {SECTION_UPSTREAM, "stale_while_revalidate",
	UPSTREAM(stale_while_revalidate_us), TIME(0, 365 * DAY),
	.fallback = "0",
	.help = "how long a stale one is used while a fresh one is fetched, "
		"where it does not say"},
    {SECTION_UPSTREAM, "stale_if_error", UPSTREAM(stale_if_error_us),
	TIME(0, 365 * DAY), .fallback = "0",
	.help = "how long a stale one is used in place of an error, where it "
		"does not say"},
    {SECTION_UPSTREAM, "methods", UPSTREAM(methods),
	TEXT(1, UPSTREAM_METHODS_MAX), .fallback = "GET HEAD",
	.help = "that are passed on"},
    {SECTION_UPSTREAM, "max_body", UPSTREAM(max_body),
	NUMBER(0, UPSTREAM_BODY_MAX), .fallback = "65536",
	.help = "bytes of a request's body"},
    {SECTION_UPSTREAM, "request_headers", UPSTREAM(request_headers),
	TEXT(0, 4000),
	.fallback = "Accept Accept-Encoding Accept-Language Content-Type",
	.help = "of the client, that are passed on"},
    {SECTION_UPSTREAM, "response_headers", UPSTREAM(response_headers),
	TEXT(0, 4000), .fallback = "*",
	.help = "that are passed back; *: all but those of the connection"},
    {SECTION_UPSTREAM, FIELD_PREFIX, UPSTREAM(fields), .type = SETTING_FIELDS,
	.fallback = "",
	.help = "a header to be added; $credential.NAME is the line of that "
		"file"},
    {SECTION_UPSTREAM, "credentials", UPSTREAM(credentials), PATH,
	.help = "the folder of those files; empty: systemd's"},
    {SECTION_UPSTREAM, "ca_file", UPSTREAM(ca_file), PATH,
	.help = "certificates to trust, PEM; empty: the system's"},
};

const size_t settings_count = COUNT(settings);

_Static_assert(COUNT(settings) <= SETTINGS_MAX, "more rows than there is room");
