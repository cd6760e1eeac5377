#include "base/buf.h"
#include "base/log.h"
#include "config.h"
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
	struct config_error error;

	ck_assert_msg(
	    config_read(config, "test.ini", text, strlen(text), &error) == 0,
	    "%s", error.reason);
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
	char *text = NULL;
	size_t len;
	FILE *file = open_memstream(&text, &len);

	ck_assert_ptr_nonnull(file);
	config_dump(config, file);
	fclose(file);
	return text;
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
	const struct remote_options *remote = &config->gate.remote;

	ck_assert_str_eq(config->doors.line, "127.0.0.1:14290");
	ck_assert_str_eq(config->doors.unix_path, "");
	ck_assert_int_eq(config->max_clients, 10000);
	ck_assert_int_eq(config->gate.idle_timeout_us, 300000000);
	ck_assert_int_eq(config->gate.line_timeout_us, 30000000);
	ck_assert_int_eq(config->gate.inline_limits, 1);
	ck_assert_int_eq(config->workers, 0);
	ck_assert_str_eq(config->limits_file, "/etc/dripgate/limits.ini");
	ck_assert_int_eq(config->unmatched, UNMATCHED_ALLOW);
	ck_assert_int_eq(config->gate.store, STORE_MEMORY);
	ck_assert_str_eq(remote->prefix, "drip:");
	ck_assert_int_eq(config->gate.memory.max_buckets, 1000000);
	ck_assert_int_eq(config->gate.memory.on_full, ON_FULL_DENY);
	ck_assert_str_eq(remote->link.endpoint.host, "127.0.0.1");
	ck_assert_int_eq(remote->link.endpoint.port, 6379);
	ck_assert_str_eq(remote->link.endpoint.unix_socket_path, "");
	ck_assert_int_eq(remote->link.db, 0);
	ck_assert_str_eq(remote->link.password, "");
	ck_assert_int_eq(remote->link.socket_timeout_us, 50000);
	ck_assert_int_eq(remote->link.connect_timeout_us, 250000);
	ck_assert_int_eq(remote->inflight, 4);
	ck_assert_int_eq(config->log_level, LOG_LEVEL_INFO);
	config_free(config);
	config_free(NULL);
}
END_TEST

/* Every setting, none at its default. */
static const char all_settings[] = "[listen]\n"
				   "line = [::1]:1\n"
				   "unix = /run/dripgate.sock\n"
				   "max_clients = 7\n"
				   "idle_timeout = 0\n"
				   "line_timeout = 1.5s\n"
				   "allow_inline_limits = no\n"
				   "[workers]\n"
				   "count = 3\n"
				   "[limits]\n"
				   "source = redis\n"
				   "file = some.ini\n"
				   "allow_empty = yes\n"
				   "unmatched = error\n"
				   "[store]\n"
				   "type = redis\n"
				   "prefix = \n"
				   "max_buckets = 1000000000\n"
				   "on_full = allow\n"
				   "[redis]\n"
				   "host = redis.example\n"
				   "port = 65535\n"
				   "unix_socket_path = /run/redis.sock\n"
				   "db = 15\n"
				   "username = gate\n"
				   "password = sesame=#1\n"
				   "socket_timeout = 1ms\n"
				   "connect_timeout = 1m\n"
				   "inflight = 64\n"
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
				   "socket_timeout = 2\n"
				   "connect_timeout = 3s\n"
				   "[log]\n"
				   "level = debug\n";

START_TEST(every_setting_is_read)
{
	struct config *config = config_of(all_settings);
	const struct remote_options *remote = &config->gate.remote;

	ck_assert_str_eq(config->doors.line, "[::1]:1");
	ck_assert_str_eq(config->doors.unix_path, "/run/dripgate.sock");
	ck_assert_int_eq(config->max_clients, 7);
	ck_assert_int_eq(config->gate.idle_timeout_us, 0);
	ck_assert_int_eq(config->gate.line_timeout_us, 1500000);
	ck_assert_int_eq(config->gate.inline_limits, 0);
	ck_assert_int_eq(config->workers, 3);
	ck_assert_int_eq(config->limits_source, LIMITS_REDIS);
	ck_assert_int_eq(config->control.allow_empty, 1);
	ck_assert_str_eq(config->limits_file, "some.ini");
	ck_assert_int_eq(config->unmatched, UNMATCHED_ERROR);
	ck_assert_int_eq(config->gate.store, STORE_REDIS);
	ck_assert_str_eq(remote->prefix, "");
	ck_assert_int_eq(config->gate.memory.max_buckets, 1000000000);
	ck_assert_int_eq(config->gate.memory.on_full, ON_FULL_ALLOW);
	ck_assert_str_eq(remote->link.endpoint.host, "redis.example");
	ck_assert_int_eq(remote->link.endpoint.port, 65535);
	ck_assert_str_eq(
	    remote->link.endpoint.unix_socket_path, "/run/redis.sock");
	ck_assert_int_eq(remote->link.db, 15);
	ck_assert_str_eq(remote->link.username, "gate");
	ck_assert_str_eq(remote->link.password, "sesame=#1");
	ck_assert_int_eq(remote->link.socket_timeout_us, 1000);
	ck_assert_int_eq(remote->link.connect_timeout_us, 60000000);
	ck_assert_int_eq(remote->inflight, 64);
	ck_assert_int_eq(config->log_level, LOG_LEVEL_DEBUG);
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
	ck_assert_uint_eq(options->slave_count, 2);
	ck_assert_str_eq(options->slaves[0].name, "east");
	ck_assert_str_eq(options->slaves[0].link.endpoint.host, "east.example");
	ck_assert_int_eq(options->slaves[0].link.endpoint.port, 6379);
	ck_assert_str_eq(options->slaves[1].name, "west");
	ck_assert_str_eq(options->slaves[1].link.endpoint.unix_socket_path,
	    "/run/west.sock");
	ck_assert_int_eq(options->slaves[1].link.socket_timeout_us, 250000);
	config_free(config);
}
END_TEST

START_TEST(limits_come_from_the_server_of_the_buckets_unless_said_otherwise)
{
	struct config *config =
	    config_of("[redis]\nhost = a\nport = 1\ndb = 2\npassword = p\n");
	struct subscriber_options options = config_subscriber(config);

	ck_assert_str_eq(options.link.endpoint.host, "a");
	ck_assert_int_eq(options.link.endpoint.port, 1);
	ck_assert_int_eq(options.link.db, 2);
	ck_assert_str_eq(options.link.password, "p");
	ck_assert_int_eq(options.link.socket_timeout_us, 5000000);
	config_free(config);
	config = config_of("[redis]\nhost = a\npassword = p\ndb = 2\n"
			   "[control]\nhost = b\n");
	options = config_subscriber(config);
	ck_assert_str_eq(options.link.endpoint.host, "b");
	ck_assert_int_eq(options.link.db, 0);
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
    {"port = 1\n", "test.ini:1: stands before the first [section]"},
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
    {"[store]\ntype = Redis\n",
	"test.ini:2: [store] type: Redis is not memory | redis"},
    {"[store]\ntype =\n", "test.ini:2: [store] type:  is not memory | redis"},
    {"[log]\nlevel = warn\n",
	"test.ini:2: [log] level: warn is not error | warning | info | debug"},
    {"[redis]\npassword = "
     "0123456789012345678901234567890123456789012345678901234567890123456789"
     "0123456789012345678901234567890123456789012345678901234567890123456789"
     "01234567890\n",
	"test.ini:2: [redis] password: it is not 0 to 150 characters"},
    {"hello\n", "test.ini:1: neither [section] nor name = value"},
    {"[redis]\nport = 1\nhello\n",
	"test.ini:3: neither [section] nor name = value"},
    {"[redis]\nport = 1\n[log\n", "test.ini:3: a section's line needs a ']'"},
    {"[master]\nhost = a\n",
	"test.ini: [master]: has no [slave:NAME] beside it"},
    {"[slave:a]\nhost = a\n",
	"test.ini: [master]: is missing, where there are slaves"},
    {"[master]\n[slave:a]\nhost = a\n",
	"test.ini: [master]: host (or unix_socket_path) is missing"},
    {"[master]\nhost = a\n[slave:b]\nport = 1\n",
	"test.ini: [b]: host (or unix_socket_path) is missing"},
    {"[master]\nhost = a\n[slave:b]\nhost = a\n",
	"test.ini: [b]: is the master itself"},
    {"[master]\nunix_socket_path = /a\n[slave:b]\nhost = a\n[slave:c]\n"
     "unix_socket_path = /a\nhost = a\n",
	"test.ini: [c]: is the master itself"},
    {"[slave:a]\nhost = a\n[slave:a]\n",
	"test.ini:3: [slave:a]: given twice"},
    {"[slave:]\n", "test.ini:1: [slave:]: unknown; do you mean slave:?"},
    {"[slave:a]\nhost = a\nhost = b\n",
	"test.ini:3: [slave:a] host: given twice"},
    {"[master]\nsocket_timeout = -1\n",
	"test.ini:2: [master] socket_timeout: -1 is not a time with its unit "
	"(us ms s m h d), 1000 to 300000000 us"},
};

START_TEST(error_is_refused_with_its_place)
{
	struct config *config = defaults();
	struct config_error error;

	ck_assert_int_eq(config_read(config, "test.ini", refused[_i].text,
			     strlen(refused[_i].text), &error),
	    -1);
	ck_assert_str_eq(error.reason, refused[_i].reason);
	config_free(config);
}
END_TEST

START_TEST(text_may_be_as_long_as_it_fits)
{
	static const char path[] =
	    "/0123456789012345678901234567890123456789012345678901234567890123"
	    "456789012345678901234567890123456789abcdef";
	struct config *config = defaults();
	struct config_error error;
	char text[200];

	ck_assert_uint_eq(strlen(path), 107); /* sun_path, less the NUL */
	snprintf(text, sizeof(text), "[listen]\nunix = %s\n", path);
	read_text(config, text);
	ck_assert_str_eq(config->doors.unix_path, path);
	snprintf(text, sizeof(text), "[listen]\nunix = %sg\n", path);
	ck_assert_int_eq(
	    config_read(config, "test.ini", text, strlen(text), &error), -1);
	ck_assert_str_eq(config->doors.unix_path, path);
	config_free(config);
}
END_TEST

START_TEST(later_text_overrides_and_the_rest_stays)
{
	struct config *config = config_of("[redis]\nport = 1\ndb = 2\n");

	read_text(config, "[redis]\nport = 3\nhost = a\n");
	read_text(config, "[redis]\nhost = b\n");
	ck_assert_int_eq(config->gate.remote.link.endpoint.port, 3);
	ck_assert_int_eq(config->gate.remote.link.db, 2);
	ck_assert_str_eq(config->gate.remote.link.endpoint.host, "b");
	config_free(config);
}
END_TEST

static const char *const dumped[] = {"", all_settings, distribution,
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

START_TEST(password_is_not_dumped)
{
	struct config *config = config_of("[redis]\npassword = sesame\n");
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
	return buf_head(&kept);
}

START_TEST(what_can_change_is_taken_over_and_the_rest_reported)
{
	struct config *config = defaults();
	struct config *new = config_of(all_settings);
	struct config *expected =
	    config_of("[listen]\nmax_clients = 7\n"
		      "[limits]\nfile = some.ini\nunmatched = error\n"
		      "[log]\nlevel = debug\n");

	config_take_reloadable(config, new, keep);
	config_free(new);
	check_same(config, expected);
	ck_assert_str_eq(config->gate.remote.link.password, "");
	ck_assert_int_eq(config->gate.memory.on_full, ON_FULL_DENY);
	ck_assert_str_eq(kept_settings(),
	    "listen.line listen.unix listen.idle_timeout listen.line_timeout "
	    "listen.allow_inline_limits workers.count limits.source "
	    "limits.allow_empty store.type store.prefix store.max_buckets "
	    "store.on_full redis.host redis.port redis.unix_socket_path "
	    "redis.db redis.username redis.password redis.socket_timeout "
	    "redis.connect_timeout redis.inflight control.channel "
	    "control.limits_key control.reload_spread control.node_name "
	    "control.errors_key control.errors_channel control.poll "
	    "control.state_dir control.host control.port "
	    "control.unix_socket_path control.db control.username "
	    "control.password control.socket_timeout "
	    "control.connect_timeout ");
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
	struct config_error error;
	struct config *config = config_load(path, &error);

	ck_assert_msg(config, "%s", error.reason);
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
	struct config_error error;
	char expected[200];

	snprintf(expected, sizeof(expected), "%s: No such file or directory",
	    path_of("none.ini"));
	ck_assert_ptr_null(config_load(path_of("none.ini"), &error));
	ck_assert_str_eq(error.reason, expected);
}
END_TEST

START_TEST(error_in_a_file_is_told_with_its_path)
{
	struct config_error error;
	char expected[200];

	snprintf(expected, sizeof(expected),
	    "%s:1: [reddis]: unknown; do you "
	    "mean redis?",
	    path_of("test.ini"));
	write_file("test.ini", "[reddis]\n");
	ck_assert_ptr_null(config_load(path_of("test.ini"), &error));
	ck_assert_str_eq(error.reason, expected);
	remove_file("test.ini");
}
END_TEST

#define CREDENTIAL "dripgate.redis-password"

static const char *
password_with_credential(const char *text, const char *credential)
{
	static char password[200];
	struct config *config;

	setenv("CREDENTIALS_DIRECTORY", folder, 1);
	if (credential)
		write_file(CREDENTIAL, credential);
	config = load_text(text);
	snprintf(password, sizeof(password), "%s",
	    config->gate.remote.link.password);
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

START_TEST(credential_that_is_too_long_is_refused)
{
	struct config_error error;
	char password[152];

	memset(password, 'x', 151);
	password[151] = '\0';
	setenv("CREDENTIALS_DIRECTORY", folder, 1);
	write_file(CREDENTIAL, password);
	write_file("test.ini", "");
	ck_assert_ptr_null(config_load(path_of("test.ini"), &error));
	ck_assert_ptr_nonnull(strstr(error.reason, "test.ini: "));
	remove_file("test.ini");
	remove_file(CREDENTIAL);
}
END_TEST

START_TEST(shipped_file_says_the_defaults)
{
	struct config *config = load("conf/dripgate.ini");
	struct config *expected;
	char here[4096], text[4200];

	ck_assert_ptr_nonnull(getcwd(here, sizeof(here)));
	snprintf(text, sizeof(text), "[limits]\nfile = %s/conf/limits.ini\n",
	    here);
	expected = config_of(text);
	check_same(config, expected);
	ck_assert_str_eq(config->gate.remote.link.password, "");
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
	tcase_add_test(texts,
	    limits_come_from_the_server_of_the_buckets_unless_said_otherwise);
	tcase_add_test(texts, no_setting_is_missing_from_the_tests);
	tcase_add_loop_test(
	    texts, error_is_refused_with_its_place, 0, COUNT(refused));
	tcase_add_test(texts, text_may_be_as_long_as_it_fits);
	tcase_add_test(texts, later_text_overrides_and_the_rest_stays);
	tcase_add_loop_test(
	    texts, dump_is_read_again_and_says_the_same, 0, COUNT(dumped));
	tcase_add_test(texts, dump_says_what_was_read);
	tcase_add_test(texts, password_is_not_dumped);
	tcase_add_test(
	    texts, what_can_change_is_taken_over_and_the_rest_reported);
	tcase_add_test(texts, nothing_is_reported_where_nothing_differs);
	suite_add_tcase(suite, texts);

	tcase_add_checked_fixture(files, make_folder, remove_folder);
	tcase_add_test(files, limits_file_is_relative_to_the_config_file);
	tcase_add_test(files, absolute_limits_file_stays);
	tcase_add_test(
	    files, limits_file_is_absolute_also_where_the_config_file_is_not);
	tcase_add_test(files, file_that_is_not_there_is_named);
	tcase_add_test(files, error_in_a_file_is_told_with_its_path);
	tcase_add_test(
	    files, credential_is_the_password_unless_the_file_has_one);
	tcase_add_test(files, credential_that_is_too_long_is_refused);
	tcase_add_test(files, shipped_file_says_the_defaults);
	suite_add_tcase(suite, files);
	return suite;
}
