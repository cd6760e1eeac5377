#include "config.h"

#include "base/file.h"
#include "base/ini.h"
#include "base/log.h"
#include "base/suggest.h"
#include "config_table.h"
#include "config_value.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Control connections back off for longer: a fleet must not storm a server. */
#define CONTROL_BACKOFF_US INT64_C(5000000)

/* Beside the limits themselves, what announces them. */
#define CONTROL_REPLY_BYTES (SUBSCRIBER_BYTES_MAX + (INT64_C(1) << 20))

/* The member of ${setting}; of ${slave} if it is a slave's. */
static void *
place(const struct config *config, const struct setting *setting, size_t slave)
{
	const void *base = config;

	if (setting_is_of_slave(setting))
		base = &config->distributor.slaves[slave];
	return (char *)(uintptr_t)base + setting->offset;
}

/* Whether [section] is what rows call ${name}. */
static bool
is_section(const char *section, const char *name)
{
	if (strcmp(name, SECTION_SLAVE) == 0)
		return strncmp(section, name, strlen(name)) == 0 &&
		       section[strlen(name)] != '\0';
	return strcmp(section, name) == 0;
}

static const struct setting *
find(const char *section, const char *name)
{
	for (size_t i = 0; i < settings_count; i++)
		if (is_section(section, settings[i].section) &&
		    strcmp(settings[i].name, name) == 0)
			return &settings[i];
	return NULL;
}

/* The first row of a section, or NULL. */
static const struct setting *
find_section(const char *section)
{
	for (size_t i = 0; i < settings_count; i++)
		if (is_section(section, settings[i].section))
			return &settings[i];
	return NULL;
}

/* The names in one section, or, for NULL, the sections. */
static size_t
list_names(const char *section, const char *names[SETTINGS_MAX])
{
	size_t count = 0;

	for (size_t i = 0; i < settings_count; i++) {
		const struct setting *row = &settings[i];

		if (section && is_section(section, row->section))
			names[count++] = row->name;
		else if (!section && (count == 0 ||
			     strcmp(row->section, names[count - 1])))
			names[count++] = row->section;
	}
	return count;
}

/* ", do you mean X?", or nothing. */
static void
explain_unknown(struct ini_error *error, const char *section, const char *word)
{
	const char *names[SETTINGS_MAX];
	const char *near = suggest(word, names, list_names(section, names));

	snprintf(error->reason, sizeof(error->reason), "unknown%s%s%s",
	    near ? "; do you mean " : "", near ? near : "", near ? "?" : "");
}

/* What is being read, and which settings were given. */
struct reading {
	struct config *config;
	bool given[SETTINGS_MAX];       /* of a slave: in its section */
	bool master;                    /* there is such a section */
	const char *seen[SETTINGS_MAX]; /* sections but slaves */
	size_t sections;
	char place[140];                /* " [redis] port:", for a complaint */
};

static int
fail(struct ini_error *error, const char *reason)
{
	snprintf(error->reason, sizeof(error->reason), "%s", reason);
	return -1;
}

/* Set the rows of the config, or those of a new slave, to their defaults. */
static int
set_defaults(struct config *config, bool of_slave)
{
	size_t last = config->distributor.slave_count - 1;

	for (size_t i = 0; i < settings_count; i++)
		if (setting_is_of_slave(&settings[i]) == of_slave &&
		    value_set(&config->texts, &settings[i],
			place(config, &settings[i], last),
			settings[i].fallback) == -1)
			return -1;
	return 0;
}

/* Keep a text that is no setting. */
static const char *
keep_text(struct config *config, const char *text)
{
	static const struct setting any = {.type = SETTING_TEXT, .max = 255};
	const char *kept = NULL;

	return value_set(&config->texts, &any, &kept, text) == 0 ? kept : NULL;
}

static int
add_slave(struct reading *reading, const char *name, struct ini_error *error)
{
	struct distributor_options *options = &reading->config->distributor;
	struct slave_options *slaves;

	for (size_t i = 0; i < options->slave_count; i++)
		if (strcmp(options->slaves[i].name, name) == 0)
			return fail(error, "given twice");
	slaves = reallocarray(options->slaves, options->slave_count + 1,
	    sizeof(*slaves));
	if (!slaves)
		return fail(error, "out of memory");
	options->slaves = slaves;
	slaves[options->slave_count++] = (struct slave_options){
	    .name = keep_text(reading->config, name),
	    .link.backoff_max_us = CONTROL_BACKOFF_US,
	    .link.reply_max_bytes = CONTROL_REPLY_BYTES,
	};
	for (size_t i = 0; i < settings_count; i++)
		if (setting_is_of_slave(&settings[i]))
			reading->given[i] = false;
	if (!slaves[options->slave_count - 1].name ||
	    set_defaults(reading->config, true) == -1)
		return fail(error, "out of memory");
	return 0;
}

static int
on_section(struct reading *reading, const char *name, struct ini_error *error)
{
	const struct setting *row = find_section(name);

	if (!row) {
		explain_unknown(error, NULL, name);
		return -1;
	}
	if (setting_is_of_slave(row))
		return add_slave(reading, name + strlen(SECTION_SLAVE), error);
	for (size_t i = 0; i < reading->sections; i++)
		if (reading->seen[i] == row->section)
			return fail(error, "given twice");
	reading->seen[reading->sections++] = row->section;
	reading->master |= strcmp(row->section, "master") == 0;
	return 0;
}

static int
on_setting(struct reading *reading, const char *section, const char *name,
    const char *value, struct ini_error *error)
{
	struct config *config = reading->config;
	const struct setting *setting = find(section, name);

	if (!setting) {
		explain_unknown(error, section, name);
		return -1;
	}
	if (reading->given[setting - settings])
		return fail(error, "given twice");
	reading->given[setting - settings] = true;
	if (value_set(&config->texts, setting,
		place(config, setting, config->distributor.slave_count - 1),
		value) == 0)
		return 0;
	value_explain(
	    setting, value, errno, error->reason, sizeof(error->reason));
	return -1;
}

static int
on_line(void *arg, const char *section, const char *name, const char *value,
    unsigned line, struct ini_error *error)
{
	struct reading *reading = arg;
	int result;

	(void)line;
	if (name && !*section)
		return fail(error, "stands before the first [section]");
	result = name ? on_setting(reading, section, name, value, error)
		      : on_section(reading, section, error);
	if (result == -1)
		snprintf(reading->place, sizeof(reading->place),
		    " [%.60s]%s%.60s:", section, name ? " " : "",
		    name ? name : "");
	return result;
}

struct config *
config_new(void)
{
	struct config *config = calloc(1, sizeof(*config));

	if (!config)
		return NULL;
	config->distributor.master.backoff_max_us = CONTROL_BACKOFF_US;
	config->distributor.master.reply_max_bytes = CONTROL_REPLY_BYTES;
	if (set_defaults(config, false) == 0)
		return config;
	config_free(config);
	return NULL;
}

static bool
has_endpoint(const struct link_options *link)
{
	return *link->endpoint.host || *link->endpoint.unix_socket_path;
}

static bool
is_same_endpoint(const struct endpoint *a, const struct endpoint *b)
{
	if (*a->unix_socket_path || *b->unix_socket_path)
		return strcmp(a->unix_socket_path, b->unix_socket_path) == 0;
	return strcmp(a->host, b->host) == 0 && a->port == b->port;
}

/* What no single line can tell.  Return what is wrong, or NULL. */
static const char *
check_distribution(const struct reading *reading, const char **section)
{
	const struct distributor_options *options =
	    &reading->config->distributor;

	*section = "master";
	if (options->slave_count > 0 && !reading->master)
		return "is missing, where there are slaves";
	if (!reading->master)
		return NULL;
	if (options->slave_count == 0)
		return "has no [slave:NAME] beside it";
	if (!has_endpoint(&options->master))
		return "host (or unix_socket_path) is missing";
	for (size_t i = 0; i < options->slave_count; i++) {
		*section = options->slaves[i].name;
		if (!has_endpoint(&options->slaves[i].link))
			return "host (or unix_socket_path) is missing";
		/* Each message would be forwarded to where it came from. */
		if (is_same_endpoint(&options->slaves[i].link.endpoint,
			&options->master.endpoint))
			return "is the master itself";
	}
	return NULL;
}

int
config_read(struct config *config, const char *name, const char *text,
    size_t len, struct config_error *error)
{
	struct reading reading = {.config = config};
	struct ini_error what = {0};
	const char *reason = NULL, *section;
	char raw[sizeof(error->reason)];

	if (ini_read(text, len, on_line, &reading, &what) == -1)
		snprintf(raw, sizeof(raw), "%s:%u:%s %s", name, what.line,
		    reading.place, what.reason);
	else if ((reason = check_distribution(&reading, &section)))
		snprintf(raw, sizeof(raw), "%s: [%s]: %s", name, section,
		    reason);
	else
		return 0;
	log_escape(error->reason, sizeof(error->reason), raw, strlen(raw));
	return -1;
}

/* ${path} from the root, the caller's to free; or NULL with errno. */
static char *
absolute(const char *path)
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

/* A relative path starts at the folder of the config file.  It is made
 * absolute, so that a dump means the same wherever it is kept. */
static int
resolve_limits_file(struct config *config)
{
	const char *slash = strrchr(config->path, '/');
	char path[8192];

	if (config->limits_file[0] == '/')
		return 0;
	snprintf(path, sizeof(path), "%.*s/%s", (int)(slash - config->path),
	    config->path, config->limits_file);
	return value_set(&config->texts, find("limits", "file"),
	    &config->limits_file, path);
}

/* systemd hands secrets over in files of a folder of ours (systemd.exec(5),
 * LoadCredential=). */
static int
read_credential(struct config *config)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	char path[4096];
	size_t len;
	char *text;
	int result;

	if (!folder || *config->gate.remote.link.password)
		return 0;
	snprintf(path, sizeof(path), "%s/" CONFIG_CREDENTIAL, folder);
	text = file_read(path, &len);
	if (!text)
		return errno == ENOENT ? 0 : -1;
	text[strcspn(text, "\r\n")] = '\0';
	result = value_set(&config->texts, find("redis", "password"),
	    &config->gate.remote.link.password, text);
	free(text);
	return result;
}

static struct config *
load_file(const char *path, struct config_error *error)
{
	struct config *config = config_new();
	size_t len = 0;
	char *text = config ? file_read(path, &len) : NULL;
	bool read = false;

	snprintf(error->reason, sizeof(error->reason), "%s: %s", path,
	    strerror(errno));
	if (text && config_read(config, path, text, len, error) == 0) {
		config->path = absolute(path);
		read = config->path && resolve_limits_file(config) == 0 &&
		       read_credential(config) == 0;
		if (!read)
			snprintf(error->reason, sizeof(error->reason),
			    "%s: %s", path, strerror(errno));
	}
	free(text);
	if (read)
		return config;
	config_free(config);
	return NULL;
}

struct config *
config_load(const char *path, struct config_error *error)
{
	if (path)
		return load_file(path, error);
	if (access(CONFIG_PATH, F_OK) == 0)
		return load_file(CONFIG_PATH, error);
	snprintf(error->reason, sizeof(error->reason), "out of memory");
	return config_new();
}

void
config_free(struct config *config)
{
	if (!config)
		return;
	config_texts_free(&config->texts);
	free(config->distributor.slaves);
	free(config->path);
	free(config);
}

struct subscriber_options
config_subscriber(const struct config *config)
{
	const struct link_options *redis = &config->gate.remote.link;
	struct subscriber_options options = config->control;
	struct link_options *link = &options.link;
	const char *state = getenv("STATE_DIRECTORY");

	if (!has_endpoint(link)) {
		link->endpoint = redis->endpoint;
		link->db = redis->db;
		if (!*link->username && !*link->password) {
			link->username = redis->username;
			link->password = redis->password;
		}
	}
	link->backoff_max_us = CONTROL_BACKOFF_US;
	link->reply_max_bytes = CONTROL_REPLY_BYTES;
	if (!*options.state_dir && state)
		options.state_dir = state;
	return options;
}

static void
dump_row(const struct config *config, const struct setting *setting,
    size_t slave, FILE *to)
{
	fprintf(to, "; %s", setting->help);
	for (int k = 0; setting->choices && setting->choices[k]; k++)
		fprintf(to, "%s%s", k ? " | " : ": ", setting->choices[k]);
	fprintf(to, "%s\n%s = ", setting->reloadable ? " (reloadable)" : "",
	    setting->name);
	value_print(setting, place(config, setting, slave), to);
	fputc('\n', to);
}

static void
dump_slave(const struct config *config, size_t slave, FILE *to)
{
	fprintf(to, "\n[" SECTION_SLAVE "%s]\n",
	    config->distributor.slaves[slave].name);
	for (size_t i = 0; i < settings_count; i++)
		if (setting_is_of_slave(&settings[i]))
			dump_row(config, &settings[i], slave, to);
}

void
config_dump(const struct config *config, FILE *to)
{
	const size_t slaves = config->distributor.slave_count;
	const char *section = "";

	for (size_t i = 0; i < settings_count; i++) {
		const struct setting *setting = &settings[i];

		if (setting_is_of_slave(setting) ||
		    (setting_is_distribution(setting) && slaves == 0))
			continue;
		if (strcmp(section, setting->section) != 0)
			fprintf(to, "%s[%s]\n", *section ? "\n" : "",
			    setting->section);
		section = setting->section;
		dump_row(config, setting, 0, to);
	}
	for (size_t i = 0; i < slaves; i++)
		dump_slave(config, i, to);
}

/* Take over one setting, or say that it cannot be. */
static void
take_row(struct config *config, const struct config *new,
    const struct setting *setting, size_t slave, config_refused *refused)
{
	void *to = place(config, setting, slave);
	const void *from = place(new, setting, slave);

	if (value_is_same(setting, to, from))
		return;
	if (!setting->reloadable)
		refused(setting->section, setting->name);
	else if (value_copy(&config->texts, setting, to, from) == -1)
		log_error("[%s] %s: %m", setting->section, setting->name);
}

static void
take_slaves(struct config *config, const struct config *new,
    config_refused *refused)
{
	size_t count = config->distributor.slave_count;

	if (count != new->distributor.slave_count) {
		refused(SECTION_SLAVE, "*");
		return;
	}
	for (size_t k = 0; k < count; k++)
		for (size_t i = 0; i < settings_count; i++)
			if (setting_is_of_slave(&settings[i]))
				take_row(config, new, &settings[i], k, refused);
}

void
config_take_reloadable(struct config *config, const struct config *new,
    config_refused *refused)
{
	for (size_t i = 0; i < settings_count; i++)
		if (!setting_is_of_slave(&settings[i]))
			take_row(config, new, &settings[i], 0, refused);
	take_slaves(config, new, refused);
}
