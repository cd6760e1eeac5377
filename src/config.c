#include "config.h"

#include "base/file.h"
#include "base/ini.h"
#include "base/num.h"
#include "base/suggest.h"
#include "store/field.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CREDENTIAL   "dripgate.redis-password"
#define SECOND       INT64_C(1000000)
#define DAY          (86400 * SECOND)

enum type { TEXT, SECRET, NUMBER, TIME, CHOICE };

/* A setting: where it stands in the file and in the struct, what it may be.
 * ${min} and ${max} bound a number, a time in microseconds, a text's length. */
struct setting {
	const char *section;
	const char *name;
	enum type type;
	size_t offset;
	const char *fallback;
	int64_t min, max;
	const char *const *choices;  /* of a CHOICE, NULL at the end; */
	const int *values;           /* what they stand for; NULL: their place */
	bool reloadable;
	const char *help;
};

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
#define LINK(member) offsetof(struct config, gate.remote.link.member)

static const struct setting settings[] = {
    {"listen", "line", TEXT, AT(doors.line), "127.0.0.1:14290", 0, 100, NULL, NULL,
	FIXED, "TCP address of the line protocol; empty: none"},
    {"listen", "unix", TEXT, AT(doors.unix_path), "", 0, 107, NULL, NULL, FIXED,
	"path of the same as a Unix socket; empty: none"},
    {"listen", "max_clients", NUMBER, AT(max_clients), "10000", 1, 1000000,
	NULL, NULL, RELOAD, "connections at a time"},
    {"listen", "idle_timeout", TIME, AT(gate.idle_timeout_us), "5m", 0, 365 * DAY,
	NULL, NULL, FIXED, "a client that says nothing is closed; 0: never"},
    {"listen", "line_timeout", TIME, AT(gate.line_timeout_us), "30s", SECOND,
	DAY, NULL, NULL, FIXED, "so is one that does not end its line"},
    {"workers", "count", NUMBER, AT(workers), "0", 0, 256, NULL, NULL, FIXED,
	"threads that serve clients; 0: one a core"},
    {"limits", "file", TEXT, AT(limits_file), "/etc/dripgate/limits.ini", 1,
	4095, NULL, NULL, RELOAD, "the limits; a relative path starts at this file"},
    {"limits", "unmatched", CHOICE, AT(unmatched), "allow", 0, 0,
	unmatched_names, NULL, RELOAD, "answer to a key that no limit matches"},
    {"store", "type", CHOICE, AT(gate.store), "memory", 0, 0, store_names, NULL,
	FIXED, "where buckets live"},
    {"store", "prefix", TEXT, AT(gate.remote.prefix), "drip:", 0,
	FIELD_PREFIX_MAX, NULL, NULL, FIXED,
	"of the names of the hashes in Redis"},
    {"store", "max_buckets", NUMBER, AT(gate.memory.max_buckets), "1000000", 1,
	1000000000, NULL, NULL, FIXED, "buckets in memory at a time"},
    {"store", "on_full", CHOICE, AT(gate.memory.on_full), "deny", 0, 0, on_full_names, NULL,
	FIXED, "answer when memory has no room for another"},
    {"redis", "host", TEXT, LINK(endpoint.host), "127.0.0.1", 1, 255, NULL,
	NULL, FIXED, "name or address of the server"},
    {"redis", "port", NUMBER, LINK(endpoint.port), "6379", 1, 65535, NULL, NULL,
	FIXED, "its TCP port"},
    {"redis", "unix_socket_path", TEXT, LINK(endpoint.unix_socket_path), "", 0,
	107, NULL, NULL, FIXED, "its Unix socket, instead of both"},
    {"redis", "db", NUMBER, LINK(db), "0", 0, 1000000, NULL, NULL, FIXED,
	"number of the database"},
    {"redis", "password", SECRET, LINK(password), "", 0, 150, NULL, NULL, FIXED,
	"empty: none, or systemd's credential " CREDENTIAL},
    {"redis", "socket_timeout", TIME, LINK(socket_timeout_us), "50ms", 1000,
	60 * SECOND, NULL, NULL, FIXED, "within which a call must be answered"},
    {"redis", "connect_timeout", TIME, LINK(connect_timeout_us), "250ms", 1000,
	60 * SECOND, NULL, NULL, FIXED, "within which the server must greet"},
    {"redis", "inflight", NUMBER, AT(gate.remote.inflight), "4", 1, 64, NULL,
	NULL, FIXED, "calls of one worker on their way at a time"},
    {"log", "level", CHOICE, AT(log_level), "info", 0, 0, level_names,
	level_values, RELOAD, "least grave line that is logged"},
};

#define SETTINGS COUNT(settings)

static void *
place(const struct config *config, const struct setting *setting)
{
	return (char *)(uintptr_t)config + setting->offset;
}

/* Where a choice stands in its list, -1: nowhere. */
static int
find_choice(const struct setting *setting, const char *value)
{
	for (int i = 0; setting->choices[i]; i++)
		if (strcmp(setting->choices[i], value) == 0)
			return i;
	return -1;
}

static int
choice_value(const struct setting *setting, int i)
{
	return setting->values ? setting->values[i] : i;
}

static int
set_text(struct config *config, const struct setting *setting,
    const char *value)
{
	char **owned = &config->owned[setting - settings];
	size_t len = strlen(value);
	char *copy;

	if ((int64_t)len < setting->min || (int64_t)len > setting->max) {
		errno = ERANGE;
		return -1;
	}
	copy = strdup(value);
	if (!copy)
		return -1;
	free(*owned);
	*owned = copy;
	*(const char **)place(config, setting) = copy;
	return 0;
}

static int
set_number(struct config *config, const struct setting *setting,
    const char *value)
{
	int64_t number;
	int result = setting->type == TIME
			 ? num_read_duration(value, strlen(value), &number)
			 : num_read_int(value, strlen(value), setting->min,
			       setting->max, &number);

	if (result == -1)
		return -1;
	if (number < setting->min || number > setting->max) {
		errno = ERANGE;
		return -1;
	}
	*(int64_t *)place(config, setting) = number;
	return 0;
}

static int
set_choice(struct config *config, const struct setting *setting,
    const char *value)
{
	int i = find_choice(setting, value);

	if (i == -1) {
		errno = EINVAL;
		return -1;
	}
	*(int *)place(config, setting) = choice_value(setting, i);
	return 0;
}

static int
set(struct config *config, const struct setting *setting, const char *value)
{
	switch (setting->type) {
	case TEXT:
	case SECRET:
		return set_text(config, setting, value);
	case NUMBER:
	case TIME:
		return set_number(config, setting, value);
	case CHOICE:
		break;
	}
	return set_choice(config, setting, value);
}

static const struct setting *
find(const char *section, const char *name)
{
	for (size_t i = 0; i < SETTINGS; i++)
		if (strcmp(settings[i].section, section) == 0 &&
		    strcmp(settings[i].name, name) == 0)
			return &settings[i];
	return NULL;
}

/* The section's name as it stands in the table, or NULL. */
static const char *
find_section(const char *section)
{
	for (size_t i = 0; i < SETTINGS; i++)
		if (strcmp(settings[i].section, section) == 0)
			return settings[i].section;
	return NULL;
}

/* The names in one section, or, for NULL, the sections. */
static size_t
list_names(const char *section, const char *names[SETTINGS])
{
	size_t count = 0;

	for (size_t i = 0; i < SETTINGS; i++) {
		if (section && strcmp(settings[i].section, section) == 0)
			names[count++] = settings[i].name;
		else if (!section && (count == 0 ||
			     strcmp(settings[i].section, names[count - 1])))
			names[count++] = settings[i].section;
	}
	return count;
}

/* ", do you mean X?", or nothing. */
static void
explain_unknown(struct ini_error *error, const char *section, const char *word)
{
	const char *names[SETTINGS];
	const char *near = suggest(word, names, list_names(section, names));

	snprintf(error->reason, sizeof(error->reason), "unknown%s%s%s",
	    near ? "; do you mean " : "", near ? near : "", near ? "?" : "");
}

static void
explain_refusal(struct ini_error *error, const struct setting *setting,
    const char *value)
{
	char range[120];
	size_t used = 0;

	if (errno == ENOMEM) {
		snprintf(error->reason, sizeof(error->reason), "out of memory");
		return;
	}
	switch (setting->type) {
	case TEXT:
	case SECRET:
		snprintf(range, sizeof(range), "%lld to %lld characters",
		    (long long)setting->min, (long long)setting->max);
		break;
	case NUMBER:
		snprintf(range, sizeof(range),
		    "a whole number from %lld to %lld", (long long)setting->min,
		    (long long)setting->max);
		break;
	case TIME:
		snprintf(range, sizeof(range),
		    "a time with its unit (us ms s m h d), %lld to %lld us",
		    (long long)setting->min, (long long)setting->max);
		break;
	case CHOICE:
		for (int i = 0; setting->choices[i]; i++)
			used += (size_t)snprintf(range + used,
			    sizeof(range) - used, "%s%s", i ? " | " : "",
			    setting->choices[i]);
		break;
	}
	snprintf(error->reason, sizeof(error->reason), "%.60s is not %s",
	    setting->type == SECRET ? "it" : value, range);
}

/* What is being read, and which settings were given. */
struct reading {
	struct config *config;
	bool given[SETTINGS];
	const char *seen[SETTINGS];     /* sections */
	size_t sections;
	char place[140];                /* " [redis] port:", for a complaint */
};

static int
on_section(struct reading *reading, const char *name, struct ini_error *error)
{
	const char *section = find_section(name);

	if (!section) {
		explain_unknown(error, NULL, name);
		return -1;
	}
	for (size_t i = 0; i < reading->sections; i++) {
		if (reading->seen[i] == section) {
			strcpy(error->reason, "given twice");
			return -1;
		}
	}
	reading->seen[reading->sections++] = section;
	return 0;
}

static int
on_setting(struct reading *reading, const char *section, const char *name,
    const char *value, struct ini_error *error)
{
	const struct setting *setting = find(section, name);

	if (!setting) {
		explain_unknown(error, section, name);
		return -1;
	}
	if (reading->given[setting - settings]) {
		strcpy(error->reason, "given twice");
		return -1;
	}
	reading->given[setting - settings] = true;
	if (set(reading->config, setting, value) == 0)
		return 0;
	explain_refusal(error, setting, value);
	return -1;
}

static int
on_line(void *arg, const char *section, const char *name, const char *value,
    unsigned line, struct ini_error *error)
{
	struct reading *reading = arg;
	int result;

	(void)line;
	if (name && !*section) {
		strcpy(error->reason, "stands before the first [section]");
		return -1;
	}
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
	config->owned = calloc(SETTINGS, sizeof(*config->owned));
	for (size_t i = 0; i < SETTINGS; i++) {
		if (!config->owned ||
		    set(config, &settings[i], settings[i].fallback) == -1) {
			config_free(config);
			return NULL;
		}
	}
	return config;
}

int
config_read(struct config *config, const char *name, const char *text,
    size_t len, struct config_error *error)
{
	struct reading reading = {.config = config};
	struct ini_error what = {0};
	char raw[sizeof(error->reason)];

	if (ini_read(text, len, on_line, &reading, &what) == 0)
		return 0;
	snprintf(raw, sizeof(raw), "%s:%u:%s %s", name,
	    what.line, reading.place, what.reason);
	log_escape(error->reason, sizeof(error->reason), raw,
	    strlen(raw));
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

/* A relative path starts at the folder of the config file.  It is made absolute,
 * so that a dump means the same wherever it is kept. */
static int
resolve_limits_file(struct config *config)
{
	const char *slash = strrchr(config->path, '/');
	char path[8192];

	if (config->limits_file[0] == '/')
		return 0;
	snprintf(path, sizeof(path), "%.*s/%s", (int)(slash - config->path),
	    config->path, config->limits_file);
	return set(config, find("limits", "file"), path);
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
	snprintf(path, sizeof(path), "%s/" CREDENTIAL, folder);
	text = file_read(path, &len);
	if (!text)
		return errno == ENOENT ? 0 : -1;
	text[strcspn(text, "\r\n")] = '\0';
	result = set(config, find("redis", "password"), text);
	free(text);
	return result;
}

struct config *
config_load(const char *path, struct config_error *error)
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

void
config_free(struct config *config)
{
	if (!config)
		return;
	for (size_t i = 0; config->owned && i < SETTINGS; i++)
		free(config->owned[i]);
	free(config->owned);
	free(config->path);
	free(config);
}

static void
dump_value(const struct config *config, const struct setting *setting, FILE *to)
{
	char text[NUM_MAX_LEN];
	size_t len;

	switch (setting->type) {
	case TEXT:
		fputs(*(const char **)place(config, setting), to);
		break;
	case SECRET:
		break;
	case NUMBER:
		fprintf(to, "%lld",
		    (long long)*(int64_t *)place(config, setting));
		break;
	case TIME:
		len = num_write_duration(
		    text, *(int64_t *)place(config, setting));
		fwrite(text, 1, len, to);
		break;
	case CHOICE:
		for (int i = 0; setting->choices[i]; i++)
			if (choice_value(setting, i) ==
			    *(int *)place(config, setting))
				fputs(setting->choices[i], to);
		break;
	}
}

void
config_dump(const struct config *config, FILE *to)
{
	const char *section = "";

	for (size_t i = 0; i < SETTINGS; i++) {
		const struct setting *setting = &settings[i];

		if (strcmp(section, setting->section) != 0)
			fprintf(to, "%s[%s]\n", *section ? "\n" : "",
			    setting->section);
		section = setting->section;
		fprintf(to, "; %s", setting->help);
		for (int k = 0; setting->choices && setting->choices[k]; k++)
			fprintf(to, "%s%s", k ? " | " : ": ",
			    setting->choices[k]);
		fprintf(to, "%s\n%s = ",
		    setting->reloadable ? " (reloadable)" : "", setting->name);
		dump_value(config, setting, to);
		fputc('\n', to);
	}
}

static bool
is_same(const struct config *a, const struct config *b,
    const struct setting *setting)
{
	switch (setting->type) {
	case TEXT:
	case SECRET:
		return strcmp(*(const char **)place(a, setting),
			   *(const char **)place(b, setting)) == 0;
	case NUMBER:
	case TIME:
		return *(int64_t *)place(a, setting) ==
		       *(int64_t *)place(b, setting);
	case CHOICE:
		break;
	}
	return *(int *)place(a, setting) == *(int *)place(b, setting);
}

static void
take_over(struct config *config, const struct config *new,
    const struct setting *setting)
{
	switch (setting->type) {
	case TEXT:
	case SECRET:
		/* Out of memory: the old one stays. */
		if (set_text(config, setting,
			*(const char **)place(new, setting)) == -1)
			log_error("[%s] %s: %m", setting->section,
			    setting->name);
		break;
	case NUMBER:
	case TIME:
		*(int64_t *)place(config, setting) =
		    *(int64_t *)place(new, setting);
		break;
	case CHOICE:
		*(int *)place(config, setting) = *(int *)place(new, setting);
		break;
	}
}

void
config_take_reloadable(struct config *config, const struct config *new,
    config_refused *refused)
{
	for (size_t i = 0; i < SETTINGS; i++) {
		const struct setting *setting = &settings[i];

		if (is_same(config, new, setting))
			continue;
		if (setting->reloadable)
			take_over(config, new, setting);
		else
			refused(setting->section, setting->name);
	}
}
