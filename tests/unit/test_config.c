#include "base/buf.h"
#include "base/log.h"
#include "config/config.h"
#include "config/settings.h"
#include "config/value.h"
#include "suites.h"

#include "base/attr.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct config *
defaults(void)
{
	struct config *config = config_new();

	ck_assert_ptr_nonnull(config);
	return config;
}

static void
read_text(struct config *config, const char *text)
{
	struct reasons reasons;

	ck_assert_msg(
	    config_read(config, "test.ini", text, strlen(text), &reasons) == 0,
	    "%s", reasons_first(&reasons));
}

static struct config *
config_of(const char *text)
{
	struct config *config = defaults();

	read_text(config, text);
	return config;
}

/* The dump as a string, the caller's to free. */
static char *
dump_of(const struct config *config)
{
	struct buf text = {0};

	ck_assert_int_eq(config_dump(config, false, &text), 0);
	ck_assert_int_eq(buf_add(&text, "", 1), 0);
	return text.bytes;
}

static void
check_same(const struct config *a, const struct config *b)
{
	char *first = dump_of(a), *second = dump_of(b);

	ck_assert_str_eq(first, second);
	free(first);
	free(second);
}

START_TEST(defaults_are_safe)
{
	struct config *config = defaults();
	const struct shard_options *redis = &config->gate.redis;

	ck_assert_str_eq(config->listeners.line, "127.0.0.1:14290");
	ck_assert_str_eq(config->listeners.unix_path, "");
	ck_assert_int_eq(config->listeners.unix_mode, -1);
	ck_assert_int_eq(config->max_clients, 10000);
	ck_assert_int_eq(config->gate.idle_timeout_us, 300000000);
	ck_assert_int_eq(config->gate.line_timeout_us, 30000000);
	ck_assert_int_eq(config->gate.inline_limits, 1);
	ck_assert_str_eq(config->listeners.http, "");
	ck_assert_str_eq(config->gate.http_hosts, "");
	ck_assert_str_eq(config->gate.trusted_proxies, "127.0.0.0/8 ::1 unix");
	ck_assert_str_eq(config->gate.client_header, "X-Forwarded-For");
	ck_assert_int_eq(config->gate.http_headers, HTTP_HEADERS_ALL);
	ck_assert_str_eq(config->listeners.admin, "127.0.0.1:14291");
	ck_assert_int_eq(config->gate.ready_on_fallback, 1);
	ck_assert_int_eq(config->workers, 0);
	ck_assert_str_eq(config->limits_file, "/etc/dripgate/limits.ini");
	ck_assert_int_eq(config->unmatched, UNMATCHED_ALLOW);
	ck_assert_int_eq(config->gate.store, STORE_MEMORY);
	ck_assert_str_eq(redis->prefix, "drip:");
	ck_assert_int_eq(config->gate.memory.max_buckets, 1000000);
	ck_assert_int_eq(config->gate.memory.on_full, ON_FULL_DENY);
	ck_assert_str_eq(config->buckets_dir, "");
	ck_assert_int_eq(config->snapshot_us, 0);
	ck_assert_str_eq(redis->link.endpoint.host, "127.0.0.1");
	ck_assert_int_eq(redis->link.endpoint.port, 6379);
	ck_assert_str_eq(redis->link.endpoint.unix_socket_path, "");
	ck_assert_int_eq(redis->link.db, 0);
	ck_assert_str_eq(redis->link.password, "");
	ck_assert_int_eq(redis->link.socket_timeout_us, 50000);
	ck_assert_int_eq(redis->link.connect_timeout_us, 250000);
	ck_assert_int_eq(redis->inflight, 4);
	ck_assert_int_eq(redis->wait_replicas, 0);
	ck_assert_int_eq(redis->link.tls.on, 0);
	ck_assert_int_eq(redis->link.tls.verify, 1);
	ck_assert_int_eq(config->log_level, LOG_LEVEL_INFO);
	config_free(config);
	config_free(NULL);
}
END_TEST

/* Every setting, none at its default. */
static const char all_settings[] = "[listen]\n"
				   "line = [::1]:1\n"
				   "unix = /run/dripgate.sock\n"
				   "unix_mode = 660\n"
				   "unix_group = www-data\n"
				   "max_clients = 7\n"
				   "idle_timeout = 0\n"
				   "line_timeout = 1.5s\n"
				   "allow_inline_limits = no\n"
				   "users = /etc/users\n"
				   "tls = yes\n"
				   "cert_file = /etc/cert.pem\n"
				   "key_file = /etc/key.pem\n"
				   "client_ca_file = /etc/ca.pem\n"
				   "[http]\n"
				   "listen = :2\n"
				   "hosts = a.example b.example\n"
				   "headers = legacy\n"
				   "trusted_proxies = 10.0.0.0/8 fd00::/8\n"
				   "client_header = Forwarded\n"
				   "tls = yes\n"
				   "cert_file = /etc/cert.pem\n"
				   "key_file = /etc/key.pem\n"
				   "client_ca_file = /etc/ca.pem\n"
				   "[grpc]\n"
				   "headers = all\n"
				   "charge_all = yes\n"
				   "denied_body = no\n"
				   "[policy]\n"
				   "listen = 127.0.0.1:4\n"
				   "[admin]\n"
				   "listen = 127.0.0.1:3\n"
				   "ready_on_fallback = no\n"
				   "tls = yes\n"
				   "cert_file = /etc/cert.pem\n"
				   "key_file = /etc/key.pem\n"
				   "client_ca_file = /etc/ca.pem\n"
				   "[workers]\n"
				   "count = 3\n"
				   "[limits]\n"
				   "source = redis\n"
				   "file = some.ini\n"
				   "watch = yes\n"
				   "allow_empty = yes\n"
				   "unmatched = error\n"
				   "[store]\n"
				   "type = redis\n"
				   "prefix = \n"
				   "key_secrets = /etc/secrets\n"
				   "hide_limits = yes\n"
				   "max_buckets = 1000000000\n"
				   "on_full = allow\n"
				   "state_dir = /state\n"
				   "snapshot = 10s\n"
				   "[redis]\n"
				   "url = \n"
				   "host = redis.example\n"
				   "port = 65535\n"
				   "unix_socket_path = \n"
				   "db = 15\n"
				   "username = gate\n"
				   "password = sesame=#1\n"
				   "password_file = \n"
				   "socket_timeout = 1ms\n"
				   "connect_timeout = 1m\n"
				   "inflight = 64\n"
				   "wait_replicas = 16\n"
				   "script = function\n"
				   "tls = yes\n"
				   "ca_file = /etc/ca.pem\n"
				   "cert_file = /etc/cert.pem\n"
				   "key_file = /etc/key.pem\n"
				   "server_name = name.example\n"
				   "verify = no\n"
				   "topology = sentinel\n"
				   "hosts = redis.example:65535 [::1]:2\n"
				   "partitions = 8\n"
				   "master_name = main\n"
				   "sentinel_username = watcher\n"
				   "sentinel_password = eyes\n"
				   "sentinel_tls = yes\n"
				   "[control]\n"
				   "channel = orders\n"
				   "limits_key = rules\n"
				   "reload_spread = 1.5\n"
				   "node_name = a\n"
				   "errors_key = bad\n"
				   "errors_channel = worse\n"
				   "poll = 1m\n"
				   "state_dir = /var/lib/x\n"
				   "host = control.example\n"
				   "port = 2\n"
				   "unix_socket_path = /run/control.sock\n"
				   "db = 3\n"
				   "username = follower\n"
				   "password = open\n"
				   "password_file = \n"
				   "socket_timeout = 2\n"
				   "connect_timeout = 3s\n"
				   "tls = yes\n"
				   "ca_file = /etc/ca.pem\n"
				   "cert_file = /etc/cert.pem\n"
				   "key_file = /etc/key.pem\n"
				   "server_name = name.example\n"
				   "verify = no\n"
				   "[log]\n"
				   "level = debug\n"
				   "format = json\n";

static void
check_tls(const struct tls_options *tls)
{
	ck_assert_int_eq(tls->on, 1);
	ck_assert_str_eq(tls->ca_file, "/etc/ca.pem");
	ck_assert_str_eq(tls->cert_file, "/etc/cert.pem");
	ck_assert_str_eq(tls->key_file, "/etc/key.pem");
	ck_assert_str_eq(tls->server_name, "name.example");
	ck_assert_int_eq(tls->verify, 0);
}

static void
check_tls_of_clients(const struct tls_options *tls)
{
	ck_assert_int_eq(tls->on, 1);
	ck_assert_str_eq(tls->ca_file, "/etc/ca.pem");
	ck_assert_str_eq(tls->cert_file, "/etc/cert.pem");
	ck_assert_str_eq(tls->key_file, "/etc/key.pem");
}

START_TEST(every_setting_is_read)
{
	struct config *config = config_of(all_settings);
	const struct shard_options *redis = &config->gate.redis;

	ck_assert_str_eq(config->listeners.line, "[::1]:1");
	ck_assert_str_eq(config->listeners.unix_path, "/run/dripgate.sock");
	ck_assert_int_eq(config->listeners.unix_mode, 0660);
	ck_assert_str_eq(config->listeners.unix_group, "www-data");
	ck_assert_int_eq(config->max_clients, 7);
	ck_assert_int_eq(config->gate.idle_timeout_us, 0);
	ck_assert_int_eq(config->gate.line_timeout_us, 1500000);
	ck_assert_int_eq(config->gate.inline_limits, 0);
	ck_assert_str_eq(config->listeners.http, ":2");
	ck_assert_str_eq(config->gate.http_hosts, "a.example b.example");
	ck_assert_int_eq(config->gate.http_headers, HTTP_HEADERS_LEGACY);
	ck_assert_str_eq(config->gate.trusted_proxies, "10.0.0.0/8 fd00::/8");
	ck_assert_str_eq(config->gate.client_header, "Forwarded");
	ck_assert_str_eq(config->listeners.admin, "127.0.0.1:3");
	ck_assert_str_eq(config->listeners.policy, "127.0.0.1:4");
	ck_assert_int_eq(config->gate.ready_on_fallback, 0);
	ck_assert_int_eq(config->workers, 3);
	ck_assert_int_eq(config->limits_source, LIMITS_REDIS);
	ck_assert_int_eq(config->limits_watch, 1);
	ck_assert_int_eq(config->control.allow_empty, 1);
	ck_assert_str_eq(config->limits_file, "some.ini");
	ck_assert_int_eq(config->unmatched, UNMATCHED_ERROR);
	ck_assert_int_eq(config->gate.store, STORE_REDIS);
	ck_assert_str_eq(redis->prefix, "");
	ck_assert_str_eq(redis->key_secrets, "/etc/secrets");
	ck_assert(redis->hide_limits);
	ck_assert_int_eq(config->gate.memory.max_buckets, 1000000000);
	ck_assert_int_eq(config->gate.memory.on_full, ON_FULL_ALLOW);
	ck_assert_str_eq(config->buckets_dir, "/state");
	ck_assert_int_eq(config->snapshot_us, 10000000);
	ck_assert_str_eq(redis->link.endpoint.host, "redis.example");
	ck_assert_int_eq(redis->link.endpoint.port, 65535);
	ck_assert_int_eq(redis->link.db, 15);
	ck_assert_str_eq(redis->link.username, "gate");
	ck_assert_str_eq(redis->link.password, "sesame=#1");
	ck_assert_int_eq(redis->link.socket_timeout_us, 1000);
	ck_assert_int_eq(redis->link.connect_timeout_us, 60000000);
	ck_assert_int_eq(redis->inflight, 64);
	ck_assert_int_eq(redis->wait_replicas, 16);
	ck_assert_int_eq(redis->link.script, SCRIPT_FUNCTION);
	check_tls(&redis->link.tls);
	/* Postfix knows no TLS here. */
	for (int i = 0; i <= LISTENER_ADMIN; i++)
		check_tls_of_clients(&config->tls[i]);
	ck_assert_str_eq(
	    redis->link.sentinel.hosts, "redis.example:65535 [::1]:2");
	ck_assert_str_eq(redis->link.sentinel.master_name, "main");
	ck_assert_str_eq(redis->link.sentinel.username, "watcher");
	ck_assert_str_eq(redis->link.sentinel.password, "eyes");
	ck_assert_int_eq(redis->link.sentinel.tls, 1);
	ck_assert_int_eq(config->log_level, LOG_LEVEL_DEBUG);
	ck_assert_int_eq(config->log_format, LOG_FORMAT_JSON);
	config_free(config);
}
END_TEST

START_TEST(every_setting_of_the_control_section_is_read)
{
	struct config *config = config_of(all_settings);
	const struct subscriber_options *control = &config->control;
	const struct link_options *link = &control->link;

	ck_assert_str_eq(control->channel, "orders");
	ck_assert_str_eq(control->limits_key, "rules");
	ck_assert_int_eq(control->reload_spread_us, 1500000);
	ck_assert_str_eq(control->node_name, "a");
	ck_assert_str_eq(control->errors_key, "bad");
	ck_assert_str_eq(control->errors_channel, "worse");
	ck_assert_int_eq(control->poll_us, 60000000);
	ck_assert_str_eq(control->state_dir, "/var/lib/x");
	ck_assert_str_eq(link->endpoint.host, "control.example");
	check_tls(&link->tls);
	ck_assert_int_eq(link->endpoint.port, 2);
	ck_assert_str_eq(link->endpoint.unix_socket_path, "/run/control.sock");
	ck_assert_int_eq(link->db, 3);
	ck_assert_str_eq(link->username, "follower");
	ck_assert_str_eq(link->password, "open");
	ck_assert_int_eq(link->socket_timeout_us, 2000000);
	ck_assert_int_eq(link->connect_timeout_us, 3000000);
	config_free(config);
}
END_TEST

/* As written for another program, which these sections are from. */
static const char distribution[] = "[config]\n"
				   "channel: orders\n"
				   "limits_key = rules\n"
				   "reload_spread = 60.0\n"
				   "shard_hint = none\n"
				   "[master]\n"
				   "host = master.example\n"
				   "port = 1\n"
				   "db = 2\n"
				   "password = open\n"
				   "socket_timeout = 3\n"
				   "[slave:east]\n"
				   "host = east.example\n"
				   "[slave:west]\n"
				   "unix_socket_path = /run/west.sock\n"
				   "socket_timeout = 250ms\n";

START_TEST(distribution_is_read_as_other_programs_write_it)
{
	struct config *config = config_of(distribution);
	const struct distributor_options *options = &config->distributor;

	ck_assert_str_eq(options->channel, "orders");
	ck_assert_str_eq(options->limits_key, "rules");
	ck_assert_int_eq(options->reload_spread_us, 60000000);
	ck_assert_str_eq(options->master.endpoint.host, "master.example");
	ck_assert_int_eq(options->master.endpoint.port, 1);
	ck_assert_int_eq(options->master.db, 2);
	ck_assert_str_eq(options->master.password, "open");
	ck_assert_int_eq(options->master.socket_timeout_us, 3000000);
	ck_assert_uint_eq(options->target_count, 2);
	ck_assert_str_eq(options->targets[0].name, "east");
	ck_assert_str_eq(
	    options->targets[0].link.endpoint.host, "east.example");
	ck_assert_int_eq(options->targets[0].link.endpoint.port, 6379);
	ck_assert_str_eq(options->targets[1].name, "west");
	ck_assert_str_eq(options->targets[1].link.endpoint.unix_socket_path,
	    "/run/west.sock");
	ck_assert_int_eq(options->targets[1].link.socket_timeout_us, 250000);
	config_free(config);
}
END_TEST

static const struct {
	const char *text;
	enum log_level level;
	bool inline_limits;
} synonyms[] = {
    {"level = warn\n[listen]\nallow_inline_limits = true\n", LOG_LEVEL_WARNING,
	true},
    {"level = WARNING\n[listen]\nallow_inline_limits = Off\n",
	LOG_LEVEL_WARNING, false},
    {"level = err\n[listen]\nallow_inline_limits = 1\n", LOG_LEVEL_ERROR, true},
    {"level = Debug\n[listen]\nallow_inline_limits = 0\n", LOG_LEVEL_DEBUG,
	false},
};

START_TEST(usual_synonyms_are_read)
{
	char text[200];
	struct config *config;

	snprintf(text, sizeof(text), "[log]\n%s", synonyms[_i].text);
	config = config_of(text);
	ck_assert_int_eq(config->log_level, synonyms[_i].level);
	ck_assert_int_eq(
	    config->gate.inline_limits, synonyms[_i].inline_limits);
	config_free(config);
}
END_TEST

static const struct {
	const char *written, *host;
} hosts[] = {
    {"localhost", "localhost"},
    {"redis-1.example.com.", "redis-1.example.com."},
    {"my_redis", "my_redis"},
    {"10.0.0.1", "10.0.0.1"},
    {"::1", "::1"},
    {"[::1]", "::1"},
    {"fe80::1%eth0", "fe80::1%eth0"},
    {"[fe80::1%eth0]", "fe80::1%eth0"},
};

START_TEST(host_is_a_name_or_an_address)
{
	char text[200];
	struct config *config;

	snprintf(text, sizeof(text), "[redis]\nhost = %s\n", hosts[_i].written);
	config = config_of(text);
	ck_assert_str_eq(config->gate.redis.link.endpoint.host, hosts[_i].host);
	config_free(config);
}
END_TEST

START_TEST(url_is_taken_apart)
{
	struct config *config = config_of(
	    "[redis]\nurl = rediss://me:se%40same@x:1/2\ninflight = 7\n");
	const struct link_options *link = &config->gate.redis.link;
	struct config *socket = config_of(
	    "[redis]\nurl = unix:///run/x.sock\npassword = p\ndb = 3\n");

	ck_assert_str_eq(link->endpoint.host, "x");
	ck_assert_int_eq(link->endpoint.port, 1);
	ck_assert_str_eq(link->endpoint.unix_socket_path, "");
	ck_assert_int_eq(link->db, 2);
	ck_assert_str_eq(link->username, "me");
	ck_assert_str_eq(link->password, "se@same");
	ck_assert_int_eq(link->tls.on, 1);
	ck_assert_str_eq(config->redis_url, "");
	link = &socket->gate.redis.link;
	ck_assert_str_eq(link->endpoint.unix_socket_path, "/run/x.sock");
	ck_assert_str_eq(link->password, "p");
	ck_assert_int_eq(link->db, 3);
	config_free(socket);
	config_free(config);
}
END_TEST

START_TEST(url_of_sentinels_is_taken_apart)
{
	struct config *config = config_of(
	    "[redis]\nurl = rediss+sentinel://me:a%40b@x:1,[::1]/m%2F1/2\n"
	    "sentinel_username = watcher\n");
	const struct link_options *link = &config->gate.redis.link;
	struct config *plain = config_of(
	    "[redis]\nurl = redis+sentinel://x\nmaster_name = n\ndb = 3\n");

	ck_assert_str_eq(link->sentinel.hosts, "x:1 [::1]:26379");
	ck_assert_str_eq(link->sentinel.master_name, "m/1");
	ck_assert_str_eq(link->sentinel.username, "watcher");
	ck_assert_str_eq(link->sentinel.password, "");
	ck_assert_int_eq(link->sentinel.tls, 1);
	ck_assert_int_eq(link->tls.on, 1);
	ck_assert_int_eq(link->db, 2);
	ck_assert_str_eq(link->username, "me");
	ck_assert_str_eq(link->password, "a@b");
	ck_assert_str_eq(config->gate.redis.where.kind, "single");
	link = &plain->gate.redis.link;
	ck_assert_str_eq(link->sentinel.hosts, "x:26379");
	ck_assert_str_eq(link->sentinel.master_name, "n");
	ck_assert_int_eq(link->sentinel.tls, 0);
	ck_assert_int_eq(link->db, 3);
	config_free(plain);
	config_free(config);
}
END_TEST

START_TEST(first_of_several_hosts_has_what_is_no_bucket)
{
	struct config *config =
	    config_of("[redis]\ntopology = sharded\npartitions = 8\n"
		      "hosts = [::1]:1 b:2\n");
	struct subscriber_options options = config_subscriber(config);
	struct config *again;
	char *dump = dump_of(config);

	ck_assert_str_eq(config->gate.redis.where.kind, "sharded");
	ck_assert_str_eq(config->gate.redis.where.hosts, "[::1]:1 b:2");
	ck_assert_int_eq(config->gate.redis.where.partitions, 8);
	ck_assert_ptr_null(config->gate.redis.link.sentinel.hosts);
	ck_assert_str_eq(options.link.endpoint.host, "::1");
	ck_assert_int_eq(options.link.endpoint.port, 1);
	again = config_of(dump);
	check_same(config, again);
	config_free(again);
	config_free(config);
	free(dump);
}
END_TEST

START_TEST(each_row_has_room_for_its_type)
{
	for (size_t i = 0; i < settings_count; i++)
		ck_assert_msg(settings[i].size == value_size(settings[i].type),
		    "[%s] %s", settings[i].section, settings[i].name);
}
END_TEST

/* As Python's ConfigParser reads these sections (test_distribution.py
 * compares), and as Subway takes what it reads. */
static const char python[] = "[DEFAULT]\n"
			     "Port = 1\n"
			     "domain = example\n"
			     "[config]\n"
			     "CHANNEL = \"%(name)s\"\n"
			     "name = a%%b\n"
			     "limits_key =\n"
			     "reload_spread = \n"
			     "[master]\n"
			     "Host = master.%(DOMAIN)s\n"
			     "db = ; none\n"
			     "colour = red\n"
			     "[slave:east]\n"
			     "prot = 9\n"
			     "[slave:west]\n"
			     "host = west.%(domain)s\n"
			     "password = 100%%;\n";

START_TEST(distribution_is_read_as_python_reads_it)
{
	struct config *config = config_of(python);
	const struct distributor_options *options = &config->distributor;
	const struct link_options *west = &options->targets[0].link;
	static const char *const warnings[] = {
	    "test.ini:12: [master] colour: unknown, and ignored",
	    "test.ini:14: [slave:east] prot: unknown, and ignored; do you mean "
	    "port?",
	    "test.ini:13: [slave:east]: ignored: host (or unix_socket_path) is "
	    "missing",
	};

	ck_assert_str_eq(options->channel, "\"a%b\"");
	ck_assert_str_eq(options->limits_key, "limits");
	ck_assert_int_eq(options->reload_spread_us, 0);
	ck_assert_str_eq(options->master.endpoint.host, "master.example");
	ck_assert_int_eq(options->master.endpoint.port, 1);
	ck_assert_int_eq(options->master.db, 0);
	ck_assert_uint_eq(options->target_count, 1);
	ck_assert_str_eq(options->targets[0].name, "west");
	ck_assert_str_eq(west->endpoint.host, "west.example");
	ck_assert_int_eq(west->endpoint.port, 1);
	ck_assert_str_eq(west->password, "100%;");
	for (size_t i = 0; i < COUNT(warnings); i++)
		ck_assert_str_eq(config->warnings.lines[i], warnings[i]);
	ck_assert_uint_eq(config->warnings.count, COUNT(warnings));
	config_free(config);
}
END_TEST

START_TEST(only_distribution_is_read_as_python_reads_it)
{
	struct config *config = config_of("[DEFAULT]\nhost = a\n"
					  "[redis]\nusername = %(host)s%%\n");

	ck_assert_str_eq(config->gate.redis.link.endpoint.host, "127.0.0.1");
	ck_assert_str_eq(config->gate.redis.link.username, "%(host)s%%");
	config_free(config);
}
END_TEST

#define SERVERS "[master]\nhost = a\n[slave:b]\nhost = b\n"

static const struct {
	const char *text, *reason;
} python_refused[] = {
    {"shard_hint = %(x)s\n", "%(name)s: there is no value of that name"},
    {"shard_hint = 5%\n", "a single %: write %%"},
    {"shard_hint = %s\n", "a single %: write %%"},
    {"shard_hint = %(x\n", "%( begins the name of another value: %(name)s"},
    {"shard_hint = %()s\n", "%( begins the name of another value: %(name)s"},
    {"shard_hint = %(x)d\nx = 1\n",
	"%( begins the name of another value: %(name)s"},
    {"shard_hint = %(shard_hint)s\n",
	"%(name)s: values refer to each other without end"},
    {"shard_hint = a\n  b\n", "the value does not fit on one line"},
};

START_TEST(python_value_that_is_wrong_is_refused)
{
	struct config *config = defaults();
	struct reasons reasons;
	char text[200], expected[200];

	snprintf(text, sizeof(text), "[config]\n%s" SERVERS,
	    python_refused[_i].text);
	snprintf(expected, sizeof(expected),
	    "test.ini:2: [config] shard_hint: %s", python_refused[_i].reason);
	ck_assert_int_eq(
	    config_read(config, "test.ini", text, strlen(text), &reasons), -1);
	ck_assert_uint_eq(reasons.count, 1);
	ck_assert_str_eq(reasons_first(&reasons), expected);
	config_free(config);
}
END_TEST

START_TEST(values_in_values_are_bounded)
{
	struct buf text = {0};
	struct config *config = defaults();
	struct reasons reasons;

	ck_assert_int_eq(buf_printf(&text,
			     "[config]\nshard_hint = %%(a9)s\na0 = aaaaaaaa\n"),
	    0);
	for (int i = 1; i <= 9; i++)
		ck_assert_int_eq(buf_printf(&text,
				     "a%d = %%(a%d)s%%(a%d)s%%(a%d)s%%(a%d)s\n",
				     i, i - 1, i - 1, i - 1, i - 1),
		    0);
	ck_assert_int_eq(buf_printf(&text, SERVERS), 0);
	ck_assert_int_eq(config_read(config, "test.ini", buf_data(&text),
			     buf_len(&text), &reasons),
	    -1);
	ck_assert_ptr_nonnull(
	    strstr(reasons_first(&reasons), "longer than 8192 bytes"));
	config_free(config);
	buf_free(&text);
}
END_TEST

START_TEST(limits_come_from_the_server_of_the_buckets_unless_said_otherwise)
{
	struct config *config =
	    config_of("[redis]\nhost = a\nport = 1\ndb = 2\npassword = p\n"
		      "tls = yes\n");
	struct subscriber_options options = config_subscriber(config);

	ck_assert_str_eq(options.link.endpoint.host, "a");
	ck_assert_int_eq(options.link.endpoint.port, 1);
	ck_assert_int_eq(options.link.db, 2);
	ck_assert_str_eq(options.link.password, "p");
	ck_assert_int_eq(options.link.tls.on, 1);
	ck_assert_int_eq(options.link.socket_timeout_us, 5000000);
	config_free(config);
	config = config_of("[redis]\nhost = a\npassword = p\ndb = 2\n"
			   "tls = yes\n[control]\nhost = b\n");
	options = config_subscriber(config);
	ck_assert_str_eq(options.link.endpoint.host, "b");
	ck_assert_int_eq(options.link.db, 0);
	ck_assert_int_eq(options.link.tls.on, 0);
	ck_assert_str_eq(options.link.password, "");
	config_free(config);
}
END_TEST

/* Count the lines "name = value". */
static int
count_settings(const char *text)
{
	int count = 0;

	for (const char *at = text; (at = strstr(at, " = ")); at++)
		count++;
	return count;
}

START_TEST(no_setting_is_missing_from_the_tests)
{
	struct config *config = defaults();
	char *dump = dump_of(config);

	ck_assert_int_eq(count_settings(dump), count_settings(all_settings));
	free(dump);
	config_free(config);
}
END_TEST

START_TEST(cache_in_redis_without_redis_is_warned_of)
{
	struct config *config = config_of("[upstream:a]\ncache = redis\n");

	ck_assert_uint_eq(config->warnings.count, 1);
	ck_assert_str_eq(config->warnings.lines[0],
	    "[upstream:a] cache: redis needs [store] type = redis: responses "
	    "are in memory alone");
	config_free(config);
	config =
	    config_of("[store]\ntype = redis\n[upstream:a]\ncache = redis\n");
	ck_assert_uint_eq(config->warnings.count, 0);
	config_free(config);
}
END_TEST

START_TEST(each_upstream_has_settings_of_its_own)
{
	struct config *config =
	    config_of("[upstream:a]\nurl = http://a\nheader.X-A = 1\n"
		      "header.X-B = Bearer $credential.b\nretries = 0\n"
		      "[upstream:b]\nurl = http://b\nmax_wait = 1m\n");
	char *dump = dump_of(config);
	struct config *again = config_of(dump);

	ck_assert_uint_eq(config->upstream_count, 2);
	ck_assert_str_eq(config->upstreams[0].name, "a");
	ck_assert_str_eq(config->upstreams[0].url, "http://a");
	ck_assert_str_eq(
	    config->upstreams[0].fields, "X-A: 1\nX-B: Bearer $credential.b\n");
	ck_assert_int_eq(config->upstreams[0].retries, 0);
	ck_assert_int_eq(config->upstreams[0].max_wait_us, 5000000);
	ck_assert_str_eq(config->upstreams[1].fields, "");
	ck_assert_int_eq(config->upstreams[1].max_wait_us, 60000000);
	/* What may be a secret is not shown. */
	ck_assert_str_eq(
	    again->upstreams[0].fields, "X-A: \nX-B: Bearer $credential.b\n");
	ck_assert_str_eq(again->upstreams[1].url, "http://b");
	free(dump);
	config_free(config);
	config_free(again);
}
END_TEST

static const struct {
	const char *text;
	const char *reason;
} refused[] = {
    {"[listn]\n", "test.ini:1: [listn]: unknown; do you mean listen?"},
    {"[qqq]\n", "test.ini:1: [qqq]: unknown"},
    {"[]\n", "test.ini:1: []: unknown"},
    {"[redis]\nprot = 1\n",
	"test.ini:2: [redis] prot: unknown; do you mean port?"},
    {"[redis]\nqqq = 1\n", "test.ini:2: [redis] qqq: unknown"},
    {"[redis]\nlevel = info\n", "test.ini:2: [redis] level: unknown"},
    {"port = 1\n", "test.ini:1: comes before the first [section]"},
    {"[redis]\nport = 1\nhost = a\nport = 1\n",
	"test.ini:4: [redis] port: given twice"},
    {"[redis]\n[log]\n[redis]\n", "test.ini:3: [redis]: given twice"},
    {"[redis]\nport = 0\n",
	"test.ini:2: [redis] port: 0 is not a whole number from 1 to 65535"},
    {"[redis]\nport = 65536\n",
	"test.ini:2: [redis] port: 65536 is not a whole number from 1 to "
	"65535"},
    {"[redis]\nport = 1.5\n",
	"test.ini:2: [redis] port: 1.5 is not a whole number from 1 to 65535"},
    {"[redis]\nport = 0x10\n",
	"test.ini:2: [redis] port: 0x10 is not a whole number from 1 to 65535"},
    {"[redis]\nport =\n",
	"test.ini:2: [redis] port:  is not a whole number from 1 to 65535"},
    {"[redis]\nsocket_timeout = 50\n",
	"test.ini:2: [redis] socket_timeout: 50 is not a time with its unit "
	"(us ms s m h d), 1000 to 60000000 us"},
    {"[redis]\nsocket_timeout = 999us\n",
	"test.ini:2: [redis] socket_timeout: 999us is not a time with its unit "
	"(us ms s m h d), 1000 to 60000000 us"},
    {"[redis]\nsocket_timeout = 0\n",
	"test.ini:2: [redis] socket_timeout: 0 is not a time with its unit "
	"(us ms s m h d), 1000 to 60000000 us"},
    {"[redis]\nsocket_timeout = 61s\n",
	"test.ini:2: [redis] socket_timeout: 61s is not a time with its unit "
	"(us ms s m h d), 1000 to 60000000 us"},
    {"[redis]\nhost =\n",
	"test.ini:2: [redis] host:  is not 1 to 255 characters"},
    {"[redis]\nurl = http://x\n",
	"test.ini:2: [redis] url: it begins with none of redis://, rediss://, "
	"unix:// and redis+sentinel://"},
    {"[redis]\nurl = redis://u:p@ss@h\n",
	"test.ini:2: [redis] url: in its user or password @ is written %40, / "
	"%2F, ? %3F and # %23"},
    {"[redis]\nurl = redis://x\nport = 6379\n",
	"test.ini:3: [redis] port: url says it, too: remove one of them"},
    {"[redis]\ntls = yes\nurl = redis://x\n",
	"test.ini:2: [redis] tls: url says it, too: remove one of them"},
    {"[redis]\nurl = redis://x/1\ndb = 1\n",
	"test.ini:3: [redis] db: url says it, too: remove one of them"},
    {"[redis]\npassword = a\npassword_file = /b\n",
	"test.ini:3: [redis] password_file: and password exclude each other"},
    {"[redis]\nurl = redis://:a@x\n[control]\npassword_file = /b\n"
     "password = c\n",
	"test.ini:4: [control] password_file: and password exclude each "
	"other"},
    {"[redis]\nurl = redis://:a@x\npassword = a\n",
	"test.ini:3: [redis] password: url says it, too: remove one of them"},
    {"[redis]\nurl = redis://x\ntopology = sentinel\nhosts = a:1\n",
	"test.ini:2: [redis] url: and this topology exclude each other: set "
	"hosts"},
    {"[redis]\nurl = redis+sentinel://a\ntopology = sentinel\n",
	"test.ini:3: [redis] topology: url says it, too: remove one of them"},
    {"[redis]\nurl = redis+sentinel://a\nhosts = a:1\n",
	"test.ini:3: [redis] hosts: url says it, too: remove one of them"},
    {"[redis]\nurl = redis+sentinel://a/b\nmaster_name = b\n",
	"test.ini:3: [redis] master_name: url says it, too: remove one of "
	"them"},
    {"[redis]\nurl = rediss+sentinel://a\nsentinel_tls = no\n",
	"test.ini:3: [redis] sentinel_tls: url says it, too: remove one of "
	"them"},
    {"[redis]\nurl = redis+sentinel://a,b,a/c\n",
	"test.ini:2: [redis] url: it names a host twice, or more than 1000"},
    {"[redis]\ntopology = sharded\npartitions = 8\n",
	"test.ini:2: [redis] topology: needs hosts, which are missing"},
    {"[redis]\ntopology = sharded\nhosts = a:1 b:1\n",
	"test.ini:3: [redis] hosts: needs partitions, some 16 for each host "
	"and the same in the whole fleet"},
    {"[redis]\ntopology = sharded\nhosts = a:1 a:1\npartitions = 8\n",
	"test.ini:3: [redis] hosts: a:1 is there twice"},
    {"[redis]\ntopology = sharded\npartitions = 8\n"
     "hosts = [::1]:1 [0:0:0:0:0:0:0:1]:1\n",
	"test.ini:4: [redis] hosts: [::1]:1 is there twice"},
    {"[redis]\ntopology = sentinel\nhosts = a:1\nhost = b\n",
	"test.ini:4: [redis] host: and hosts exclude each other"},
    {"[redis]\nport = 7\ntopology = sharded\nhosts = a:1 b:7\n"
     "partitions = 2\n",
	"test.ini:2: [redis] port: and hosts exclude each other"},
    {"[redis]\nurl = redis+sentinel://a\nhost = b\n",
	"test.ini:3: [redis] host: and hosts exclude each other"},
    {"[redis]\ntopology = cluster\nhosts = a:1\nunix_socket_path = /b\n",
	"test.ini:4: [redis] unix_socket_path: and hosts exclude each other"},
    {"[redis]\nhosts = a:1\n", "test.ini:2: [redis] hosts: needs topology = "
			       "sentinel, sharded or cluster"},
    {"[redis]\npartitions = 1025\n",
	"test.ini:2: [redis] partitions: 1025 is not a whole number from 1 to "
	"1024"},
    {"[store]\nprefix = {a}\n[redis]\npartitions = 2\n",
	"test.ini:4: [redis] partitions: above 1 needs a [store] prefix "
	"without {"},
    {"[redis]\nhost = redis://x\n",
	"test.ini:2: [redis] host: a URL is not a host: write host = x"},
    {"[redis]\nhost = rediss://me:sesame@x.example:6380/2\n",
	"test.ini:2: [redis] host: a URL is not a host: write host = x.example "
	"and port = 6380"},
    {"[control]\nhost = redis://:a@b@[::1]:1\n",
	"test.ini:2: [control] host: a URL is not a host: write host = [::1] "
	"and port = 1"},
    {"[redis]\nhost = name:6380\n",
	"test.ini:2: [redis] host: write host = name and port = 6380"},
    {"[redis]\nhost = [::1]:6380\n",
	"test.ini:2: [redis] host: write host = [::1] and port = 6380"},
    {"[redis]\nhost = /run/redis.sock\n",
	"test.ini:2: [redis] host: a path is not a host: write "
	"unix_socket_path = "
	"/run/redis.sock"},
    {"[redis]\nhost = a b\n",
	"test.ini:2: [redis] host: a b is not the name or address of a host"},
    {"[redis]\nhost = a:b:c\n",
	"test.ini:2: [redis] host: a:b:c is not the name or address of a "
	"host"},
    {"[redis]\nhost = [a]\n",
	"test.ini:2: [redis] host: [a] is not the name or address of a host"},
    {"[store]\ntype = redys\n",
	"test.ini:2: [store] type: redys is not memory | redis"},
    {"[limits]\nallow_empty = 2\n",
	"test.ini:2: [limits] allow_empty: 2 is not no | yes"},
    {"[store]\ntype =\n", "test.ini:2: [store] type:  is not memory | redis"},
    {"[log]\nlevel = worn\n",
	"test.ini:2: [log] level: worn is not error | warning | info | debug"},
    {"[redis]\npassword = a ;b\n",
	"test.ini:2: [redis] password: a ; after a blank begins a comment: put "
	"the value in quotes"},
    {"[redis]\npassword = ;b\n",
	"test.ini:2: [redis] password: a ; after a blank begins a comment: put "
	"the value in quotes"},
    {"[redis]\npassword = 'it's\n",
	"test.ini:2: only a comment may follow a value in quotes"},
    {"hello\n", "test.ini:1: neither [section] nor name = value"},
    {"[redis]\nport = 1\nhello\n",
	"test.ini:3: neither [section] nor name = value"},
    {"[redis]\nport = 1\n[log\n", "test.ini:3: a section's line needs a ']'"},
    {"[master]\nhost = a\n",
	"test.ini:1: [master]: has no [slave:NAME] beside it, with a host"},
    {"[slave:a]\nhost = a\n",
	"test.ini: [master] is missing, where there are slaves"},
    {"[master]\n[slave:a]\nhost = a\n",
	"test.ini:1: [master]: host (or unix_socket_path) is missing"},
    {"[master]\nhost = a\n[slave:b]\nport = 1\n",
	"test.ini:1: [master]: has no [slave:NAME] beside it, with a host"},
    {"[master]\nhost = a\n[slave:b]\nhost = a\n",
	"test.ini:3: [slave:b]: is the master itself"},
    {"[master]\nhost = ::1\n[slave:b]\nhost = 0:0:0:0:0:0:0:1\n",
	"test.ini:3: [slave:b]: is the master itself"},
    {"[master]\nunix_socket_path = /a\n[slave:b]\nhost = a\n[slave:c]\n"
     "unix_socket_path = /a\nhost = a\n",
	"test.ini:5: [slave:c]: is the master itself"},
    {"[slave:a]\nhost = a\n[slave:a]\n", "test.ini:3: [slave:a]: given twice"},
    {"[slave:]\n", "test.ini:1: [slave:]: unknown; do you mean slave:?"},
    {"[upstream:a]\n[upstream:b]\n[upstream:a]\n",
	"test.ini:3: [upstream:a]: given twice"},
    {"[upstream:a]\nurl = x\nurl = y\n",
	"test.ini:3: [upstream:a] url: given twice"},
    {"[upstream:a]\nheader.X = 1\nheader.x = 2\n",
	"test.ini:3: [upstream:a] header.x: given twice"},
    {"[upstream:a]\nheader. = 1\n",
	"test.ini:2: [upstream:a] header.: unknown; do you mean header.?"},
    {"[upstream:a]\nheader.X = a ; b\n",
	"test.ini:2: [upstream:a] header.X: a ; after a blank begins a "
	"comment: put the value in quotes"},
    {"[upstream:a]\nredirects = 11\n",
	"test.ini:2: [upstream:a] redirects: 11 is not a whole number from 0 "
	"to 10"},
    {"[upstream:a]\nretries = 11\n",
	"test.ini:2: [upstream:a] retries: 11 is not a whole number from 0 to "
	"10"},
    {"[slave:a]\nhost = a\nhost = b\n",
	"test.ini:3: [slave:a] host: given twice"},
    {"[master]\nsocket_timeout = -1\n",
	"test.ini:2: [master] socket_timeout: -1 is not a time with its unit "
	"(us ms s m h d), 1000 to 300000000 us"},
};

START_TEST(error_is_refused_with_its_place)
{
	struct config *config = defaults();
	struct reasons reasons;

	ck_assert_int_eq(config_read(config, "test.ini", refused[_i].text,
			     strlen(refused[_i].text), &reasons),
	    -1);
	ck_assert_str_eq(reasons_first(&reasons), refused[_i].reason);
	config_free(config);
}
END_TEST

START_TEST(all_errors_are_told_at_once)
{
	static const char text[] = "[redis]\nprot = 1\nport = x\nport = 2\n"
				   "[listn]\nline = a\nunix = b\n"
				   "hello\n[log\nlevel = info\n"
				   "[store]\ntype = disk\n";
	static const char *const expected[] = {
	    "test.ini:2: [redis] prot: unknown; do you mean port?",
	    "test.ini:3: [redis] port: x is not a whole number from 1 to 65535",
	    "test.ini:4: [redis] port: given twice",
	    "test.ini:5: [listn]: unknown; do you mean listen?",
	    "test.ini:8: neither [section] nor name = value",
	    "test.ini:9: a section's line needs a ']'",
	    "test.ini:12: [store] type: disk is not memory | redis",
	};
	struct config *config = defaults();
	struct reasons reasons;

	ck_assert_int_eq(
	    config_read(config, "test.ini", text, strlen(text), &reasons), -1);
	for (size_t i = 0; i < COUNT(expected); i++)
		ck_assert_str_eq(reasons.lines[i], expected[i]);
	ck_assert_uint_eq(reasons.count, COUNT(expected));
	config_free(config);
}
END_TEST

START_TEST(errors_of_all_servers_are_told_at_once)
{
	static const char text[] = "[master]\nhost = a\n[slave:a]\nhost = a\n"
				   "[slave:b]\nhost = b\n[slave:c]\nhost = a\n";
	static const char *const expected[] = {
	    "test.ini:3: [slave:a]: is the master itself",
	    "test.ini:7: [slave:c]: is the master itself",
	};
	struct config *config = defaults();
	struct reasons reasons;

	ck_assert_int_eq(
	    config_read(config, "test.ini", text, strlen(text), &reasons), -1);
	for (size_t i = 0; i < COUNT(expected); i++)
		ck_assert_str_eq(reasons.lines[i], expected[i]);
	ck_assert_uint_eq(reasons.count, COUNT(expected));
	config_free(config);
}
END_TEST

/* A password of any letters, as a file has it. */
static const struct {
	const char *written, *password;
} passwords[] = {
    {"a;b", "a;b"},
    {"#a#b", "#a#b"},
    {"\" a ;b \" ; comment", " a ;b "},
    {"';'", ";"},
    {"\"say \"\"a\"\"\"", "say \"a\""},
    {"%a\"b", "%a\"b"},
};

START_TEST(password_is_never_cut)
{
	char text[100];
	struct config *config;

	snprintf(text, sizeof(text), "[redis]\npassword = %s\n",
	    passwords[_i].written);
	config = config_of(text);
	ck_assert_str_eq(
	    config->gate.redis.link.password, passwords[_i].password);
	config_free(config);
}
END_TEST

START_TEST(password_has_at_most_4096_characters)
{
	static char text[5000];
	struct config *config;
	struct reasons reasons;

	snprintf(text, sizeof(text), "[redis]\npassword = %04096d\n", 1);
	config = config_of(text);
	ck_assert_uint_eq(strlen(config->gate.redis.link.password), 4096);
	snprintf(text, sizeof(text), "[redis]\npassword = %04097d\n", 1);
	ck_assert_int_eq(
	    config_read(config, "test.ini", text, strlen(text), &reasons), -1);
	ck_assert_str_eq(reasons_first(&reasons),
	    "test.ini:2: [redis] password: it is not 0 to 4096 characters");
	config_free(config);
}
END_TEST

START_TEST(text_may_be_as_long_as_it_fits)
{
	static const char path[] =
	    "/0123456789012345678901234567890123456789012345678901234567890123"
	    "456789012345678901234567890123456789abcdef";
	struct config *config = defaults();
	struct reasons reasons;
	char text[200];

	ck_assert_uint_eq(strlen(path), 107); /* sun_path, less the NUL */
	snprintf(text, sizeof(text), "[listen]\nunix = %s\n", path);
	read_text(config, text);
	ck_assert_str_eq(config->listeners.unix_path, path);
	snprintf(text, sizeof(text), "[listen]\nunix = %sg\n", path);
	ck_assert_int_eq(
	    config_read(config, "test.ini", text, strlen(text), &reasons), -1);
	ck_assert_str_eq(config->listeners.unix_path, path);
	config_free(config);
}
END_TEST

START_TEST(later_text_overrides_and_the_rest_stays)
{
	struct config *config = config_of("[redis]\nport = 1\ndb = 2\n");

	read_text(config, "[redis]\nport = 3\nhost = a\n");
	read_text(config, "[redis]\nhost = b\n");
	ck_assert_int_eq(config->gate.redis.link.endpoint.port, 3);
	ck_assert_int_eq(config->gate.redis.link.db, 2);
	ck_assert_str_eq(config->gate.redis.link.endpoint.host, "b");
	config_free(config);
}
END_TEST

static const char *const dumped[] = {"", all_settings, distribution, python,
    "[limits]\nfile = \" a ; \"\"b\"\" \"\n[store]\nprefix = '\"'\n",
    "[listen]\nidle_timeout = 1d\nline_timeout = 1000001us\n"
    "[redis]\nsocket_timeout = 1.001s\nconnect_timeout = 59s\n"};

START_TEST(dump_is_read_again_and_says_the_same)
{
	struct config *config = config_of(dumped[_i]);
	char *dump = dump_of(config);
	struct config *again = config_of(dump);

	check_same(config, again);
	free(dump);
	config_free(again);
	config_free(config);
}
END_TEST

START_TEST(dump_says_what_was_read)
{
	struct config *config = config_of(all_settings);
	char *dump = dump_of(config);

	ck_assert_ptr_nonnull(strstr(dump, "\nline = [::1]:1\n"));
	ck_assert_ptr_nonnull(strstr(dump, "\nline_timeout = 1500ms\n"));
	ck_assert_ptr_nonnull(strstr(dump, "\nunmatched = error\n"));
	ck_assert_ptr_nonnull(strstr(dump, "\nlevel = debug\n"));
	free(dump);
	config_free(config);
}
END_TEST

static const char *const with_password[] = {
    "[redis]\npassword = sesame\n",
    "[redis]\nurl = redis://:sesame@h\n",
};

START_TEST(password_is_not_dumped)
{
	struct config *config = config_of(with_password[_i]);
	char *dump = dump_of(config);

	ck_assert_ptr_null(strstr(dump, "sesame"));
	ck_assert_ptr_nonnull(strstr(dump, "\npassword = \n"));
	free(dump);
	config_free(config);
}
END_TEST

/* What config_take_reloadable() could not take over, "section.name " each. */
static struct buf kept;

static void
keep(const char *section, const char *name)
{
	ck_assert_int_eq(buf_printf(&kept, "%s.%s ", section, name), 0);
}

static void
free_kept(void)
{
	buf_free(&kept);
}

static const char *
kept_settings(void)
{
	ck_assert_int_eq(buf_add(&kept, "", 1), 0);
	return buf_data(&kept);
}

START_TEST(what_can_change_is_taken_over_and_the_rest_reported)
{
	struct config *config = defaults();
	struct config *new = config_of(all_settings);
	struct config *expected =
	    config_of("[listen]\nmax_clients = 7\n"
		      "[limits]\nfile = some.ini\nunmatched = error\n"
		      "[log]\nlevel = debug\nformat = json\n");

	config_take_reloadable(config, new, keep);
	config_free(new);
	check_same(config, expected);
	ck_assert_str_eq(config->gate.redis.link.password, "");
	ck_assert_int_eq(config->gate.memory.on_full, ON_FULL_DENY);
	ck_assert_str_eq(kept_settings(),
	    "listen.line listen.unix listen.unix_mode listen.unix_group "
	    "listen.idle_timeout listen.line_timeout "
	    "listen.allow_inline_limits listen.users listen.tls "
	    "listen.cert_file listen.key_file listen.client_ca_file "
	    "http.listen http.hosts http.headers "
	    "http.trusted_proxies http.client_header http.tls http.cert_file "
	    "http.key_file http.client_ca_file "
	    "grpc.headers grpc.charge_all grpc.denied_body "
	    "admin.listen admin.ready_on_fallback admin.tls admin.cert_file "
	    "admin.key_file admin.client_ca_file policy.listen workers.count "
	    "limits.source "
	    "limits.watch limits.allow_empty store.type store.prefix "
	    "store.key_secrets store.hide_limits "
	    "store.max_buckets "
	    "store.on_full store.state_dir store.snapshot redis.host "
	    "redis.port "
	    "redis.db redis.username redis.password redis.socket_timeout "
	    "redis.connect_timeout redis.inflight redis.wait_replicas "
	    "redis.script redis.tls "
	    "redis.ca_file "
	    "redis.cert_file redis.key_file redis.server_name redis.verify "
	    "redis.topology redis.hosts redis.partitions redis.master_name "
	    "redis.sentinel_username redis.sentinel_password "
	    "redis.sentinel_tls "
	    "control.channel "
	    "control.limits_key control.reload_spread control.node_name "
	    "control.errors_key control.errors_channel control.poll "
	    "control.state_dir control.host control.port "
	    "control.unix_socket_path control.db control.username "
	    "control.password control.socket_timeout "
	    "control.connect_timeout control.tls control.ca_file "
	    "control.cert_file control.key_file control.server_name "
	    "control.verify ");
	config_free(expected);
	config_free(config);
}
END_TEST

START_TEST(nothing_is_reported_where_nothing_differs)
{
	struct config *config = config_of(all_settings);
	struct config *new = config_of(all_settings);

	config_take_reloadable(config, new, keep);
	ck_assert_str_eq(kept_settings(), "");
	check_same(config, new);
	config_free(new);
	config_free(config);
}
END_TEST

/* A folder for the files of one test. */
static char folder[] = "/tmp/test_config.XXXXXX";

static void
make_folder(void)
{
	unsetenv("CREDENTIALS_DIRECTORY");
	ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void
remove_folder(void)
{
	ck_assert_int_eq(unlinkat(AT_FDCWD, folder, AT_REMOVEDIR), 0);
}

/* The path of a file in the folder, until the next call. */
static const char *
path_of(const char *name)
{
	static char path[100];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void
write_file(const char *name, const char *text)
{
	FILE *file = fopen(path_of(name), "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	ck_assert_int_eq(fclose(file), 0);
}

static void
remove_file(const char *name)
{
	ck_assert_int_eq(unlink(path_of(name)), 0);
}

static struct config *
load(const char *path)
{
	struct reasons reasons;
	struct config *config = config_load(path, NULL, &reasons);

	ck_assert_msg(config, "%s", reasons_first(&reasons));
	return config;
}

/* Load ${text} from a file. */
static struct config *
load_text(const char *text)
{
	struct config *config;

	write_file("test.ini", text);
	config = load(path_of("test.ini"));
	remove_file("test.ini");
	return config;
}

START_TEST(limits_file_is_relative_to_the_config_file)
{
	struct config *config = load_text("[limits]\nfile = sub/my.ini\n");

	ck_assert_str_eq(config->limits_file, path_of("sub/my.ini"));
	ck_assert_str_eq(config->path, path_of("test.ini"));
	config_free(config);
}
END_TEST

START_TEST(sockets_are_relative_to_the_config_file)
{
	struct config *config =
	    load_text("[listen]\nunix = gate.sock\n"
		      "[redis]\nunix_socket_path = r.sock\n");

	ck_assert_str_eq(config->listeners.unix_path, path_of("gate.sock"));
	ck_assert_str_eq(config->gate.redis.link.endpoint.unix_socket_path,
	    path_of("r.sock"));
	config_free(config);
}
END_TEST

START_TEST(absolute_limits_file_stays)
{
	struct config *config = load_text("[limits]\nfile = /my.ini\n");

	ck_assert_str_eq(config->limits_file, "/my.ini");
	config_free(config);
	config = load_text("");
	ck_assert_str_eq(config->limits_file, "/etc/dripgate/limits.ini");
	config_free(config);
}
END_TEST

START_TEST(limits_file_is_absolute_also_where_the_config_file_is_not)
{
	int here = open(".", O_RDONLY | O_DIRECTORY);
	struct config *config;

	write_file("test.ini", "[limits]\nfile = my.ini\n");
	ck_assert_int_eq(chdir(folder), 0);
	config = load("test.ini");
	ck_assert_int_eq(fchdir(here), 0);
	ck_assert_str_eq(config->limits_file, path_of("my.ini"));
	config_free(config);
	remove_file("test.ini");
	close(here);
}
END_TEST

START_TEST(file_that_is_not_there_is_named)
{
	struct reasons reasons;
	char expected[200];

	snprintf(expected, sizeof(expected), "%s: No such file or directory",
	    path_of("none.ini"));
	ck_assert_ptr_null(config_load(path_of("none.ini"), NULL, &reasons));
	ck_assert_str_eq(reasons_first(&reasons), expected);
}
END_TEST

START_TEST(error_in_a_file_is_told_with_its_path)
{
	struct reasons reasons;
	char expected[200];

	snprintf(expected, sizeof(expected),
	    "%s:1: [reddis]: unknown; do you "
	    "mean redis?",
	    path_of("test.ini"));
	write_file("test.ini", "[reddis]\n");
	ck_assert_ptr_null(config_load(path_of("test.ini"), NULL, &reasons));
	ck_assert_str_eq(reasons_first(&reasons), expected);
	remove_file("test.ini");
}
END_TEST

#define CREDENTIAL "dripgate.redis-password"

static const char *
password_with_credential(const char *text, const char *credential)
{
	static char password[4200];
	struct config *config;

	setenv("CREDENTIALS_DIRECTORY", folder, 1);
	if (credential)
		write_file(CREDENTIAL, credential);
	config = load_text(text);
	snprintf(
	    password, sizeof(password), "%s", config->gate.redis.link.password);
	config_free(config);
	if (credential)
		remove_file(CREDENTIAL);
	return password;
}

START_TEST(credential_is_the_password_unless_the_file_has_one)
{
	static const char given[] = "[redis]\npassword = mine\n";

	ck_assert_str_eq(password_with_credential("", "sesame\n"), "sesame");
	ck_assert_str_eq(password_with_credential("", "sesame"), "sesame");
	ck_assert_str_eq(password_with_credential(given, "sesame\n"), "mine");
	ck_assert_str_eq(password_with_credential("", NULL), "");
}
END_TEST

static void
check_refuses_credential(const char *credential, const char *reason)
{
	struct reasons reasons;
	char expected[200];

	setenv("CREDENTIALS_DIRECTORY", folder, 1);
	write_file(CREDENTIAL, credential);
	write_file("test.ini", "");
	ck_assert_ptr_null(config_load(path_of("test.ini"), NULL, &reasons));
	snprintf(
	    expected, sizeof(expected), "%s: %s", path_of(CREDENTIAL), reason);
	ck_assert_str_eq(reasons_first(&reasons), expected);
	remove_file("test.ini");
	remove_file(CREDENTIAL);
}

/* The host of [redis], or the first reason. */
static const char *
host_with_variable(const char *text, const char *url)
{
	static char shown[REASON_SIZE];
	struct reasons reasons;
	struct config *config;

	write_file("test.ini", text);
	setenv("DRIPGATE_REDIS_URL", url, 1);
	config = config_load(path_of("test.ini"), NULL, &reasons);
	unsetenv("DRIPGATE_REDIS_URL");
	snprintf(shown, sizeof(shown), "%s",
	    config ? config->gate.redis.link.endpoint.host
		   : reasons_first(&reasons));
	config_free(config);
	remove_file("test.ini");
	return shown;
}

START_TEST(variable_counts_instead_of_the_url_of_the_file)
{
	static const char given[] = "[redis]\nurl = redis://a\n";

	ck_assert_str_eq(host_with_variable(given, ""), "a");
	ck_assert_str_eq(host_with_variable(given, "redis://b"), "b");
	ck_assert_str_eq(host_with_variable("", "redis://b"), "b");
	ck_assert_str_eq(host_with_variable("", "redis:b"),
	    "DRIPGATE_REDIS_URL: it begins with none of redis://, rediss://, "
	    "unix:// and redis+sentinel://");
	ck_assert_str_eq(
	    host_with_variable("[redis]\nhost = c\n", "redis://b"), "b");
	ck_assert_str_eq(host_with_variable("[redis]\ntopology = sharded\n"
					    "hosts = c:1\n",
			     "redis+sentinel://b"),
	    "127.0.0.1");
	/* What counts less is no mistake: it is not used. */
	ck_assert_str_eq(
	    host_with_variable("[redis]\nhost = c\n", "redis+sentinel://b"),
	    "127.0.0.1");
}
END_TEST

START_TEST(credential_may_be_as_long_as_a_password)
{
	char password[4098];

	snprintf(password, sizeof(password), "%04096d", 1);
	ck_assert_str_eq(password_with_credential("", password), password);
	snprintf(password, sizeof(password), "%04097d", 1);
	check_refuses_credential(
	    password, "a password has at most 4096 characters");
}
END_TEST

START_TEST(credential_of_several_lines_is_refused)
{
	ck_assert_str_eq(password_with_credential("", "a b\r\n\n"), "a b");
	check_refuses_credential("a\nb\n", "a password is one line");
}
END_TEST

START_TEST(shipped_file_says_the_defaults)
{
	struct config *config = load("conf/dripgate.ini");
	struct config *expected;
	char here[4096], text[4200];

	ck_assert_ptr_nonnull(getcwd(here, sizeof(here)));
	snprintf(
	    text, sizeof(text), "[limits]\nfile = %s/conf/limits.ini\n", here);
	expected = config_of(text);
	check_same(config, expected);
	ck_assert_str_eq(config->gate.redis.link.password, "");
	config_free(expected);
	config_free(config);
}
END_TEST

Suite *
config_suite(void)
{
	Suite *suite = suite_create("config");
	TCase *texts = tcase_create("texts");
	TCase *files = tcase_create("files");

	tcase_add_checked_fixture(texts, NULL, free_kept);
	tcase_add_test(texts, defaults_are_safe);
	tcase_add_test(texts, every_setting_is_read);
	tcase_add_test(texts, every_setting_of_the_control_section_is_read);
	tcase_add_test(texts, distribution_is_read_as_other_programs_write_it);
	tcase_add_test(texts, distribution_is_read_as_python_reads_it);
	tcase_add_test(texts, only_distribution_is_read_as_python_reads_it);
	tcase_add_loop_test(texts, python_value_that_is_wrong_is_refused, 0,
	    COUNT(python_refused));
	tcase_add_test(texts, values_in_values_are_bounded);
	tcase_add_test(texts,
	    limits_come_from_the_server_of_the_buckets_unless_said_otherwise);
	tcase_add_loop_test(texts, usual_synonyms_are_read, 0, COUNT(synonyms));
	tcase_add_loop_test(
	    texts, host_is_a_name_or_an_address, 0, COUNT(hosts));
	tcase_add_test(texts, each_row_has_room_for_its_type);
	tcase_add_test(texts, no_setting_is_missing_from_the_tests);
	tcase_add_test(texts, each_upstream_has_settings_of_its_own);
	tcase_add_test(texts, cache_in_redis_without_redis_is_warned_of);
	tcase_add_loop_test(
	    texts, error_is_refused_with_its_place, 0, COUNT(refused));
	tcase_add_test(texts, all_errors_are_told_at_once);
	tcase_add_test(texts, errors_of_all_servers_are_told_at_once);
	tcase_add_test(texts, url_is_taken_apart);
	tcase_add_test(texts, url_of_sentinels_is_taken_apart);
	tcase_add_test(texts, first_of_several_hosts_has_what_is_no_bucket);
	tcase_add_loop_test(texts, password_is_never_cut, 0, COUNT(passwords));
	tcase_add_test(texts, password_has_at_most_4096_characters);
	tcase_add_test(texts, text_may_be_as_long_as_it_fits);
	tcase_add_test(texts, later_text_overrides_and_the_rest_stays);
	tcase_add_loop_test(
	    texts, dump_is_read_again_and_says_the_same, 0, COUNT(dumped));
	tcase_add_test(texts, dump_says_what_was_read);
	tcase_add_loop_test(
	    texts, password_is_not_dumped, 0, COUNT(with_password));
	tcase_add_test(
	    texts, what_can_change_is_taken_over_and_the_rest_reported);
	tcase_add_test(texts, nothing_is_reported_where_nothing_differs);
	suite_add_tcase(suite, texts);

	tcase_add_checked_fixture(files, make_folder, remove_folder);
	tcase_add_test(files, limits_file_is_relative_to_the_config_file);
	tcase_add_test(files, sockets_are_relative_to_the_config_file);
	tcase_add_test(files, absolute_limits_file_stays);
	tcase_add_test(
	    files, limits_file_is_absolute_also_where_the_config_file_is_not);
	tcase_add_test(files, file_that_is_not_there_is_named);
	tcase_add_test(files, error_in_a_file_is_told_with_its_path);
	tcase_add_test(
	    files, credential_is_the_password_unless_the_file_has_one);
	tcase_add_test(files, variable_counts_instead_of_the_url_of_the_file);
	tcase_add_test(files, credential_may_be_as_long_as_a_password);
	tcase_add_test(files, credential_of_several_lines_is_refused);
	tcase_add_test(files, shipped_file_says_the_defaults);
	suite_add_tcase(suite, files);
	return suite;
}
