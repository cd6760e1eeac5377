/*
 * read_given: takes the settings that are given beside the file: in the
 * environment, as DRIPGATE_SECTION_NAME, and on the command line, as
 * --set SECTION.NAME=VALUE.  Both names derive from the table of settings.
 * The heart: given_take_variable() and given_take_argument().
 */
#include "base/suggest.h"
#include "config/internal.h"
#include "config/password.h"
#include "config/reading.h"
#include "config/value.h"

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GIVEN_PREFIX "DRIPGATE_"
#define GIVEN_FILE   "_FILE"

/* Room for the name of a variable, without the prefix. */
#define GIVEN_NAME 64

/* A value from beside the file. */
struct given {
	const char *where; /* "DRIPGATE_REDIS_HOST", "--set redis.host" */
	enum config_rank rank;
	const char *value;
};

/*
 * Settings that exclude each other.
 */

static const char *const rivals[][2] = {
    {"host", "unix_socket_path"},
    {"password", "password_file"},
};

static const struct setting *
given_rival(const struct setting *setting)
{
	for (size_t i = 0; i < COUNT(rivals); i++)
		for (size_t k = 0; k < 2; k++)
			if (strcmp(setting->name, rivals[i][k]) == 0)
				return setting_find(
				    setting->section, rivals[i][1 - k]);
	return NULL;
}

bool
reading_is_outranked(struct config_reading *reading,
    const struct setting *setting, enum config_rank rank)
{
	const struct setting *rival = given_rival(setting);

	return reading_source(reading, setting)->rank > rank ||
	       (rival && reading_source(reading, rival)->rank > rank);
}

int
reading_drop_rival(struct config_reading *reading,
    const struct setting *setting, enum config_rank rank)
{
	const struct setting *rival = given_rival(setting);
	struct config *config = reading->config;

	if (!rival || reading_source(reading, rival)->rank == RANK_DEFAULT ||
	    reading_source(reading, rival)->rank >= rank)
		return 0;
	*reading_source(reading, rival) = (struct config_source){0};
	return value_set(&config->texts, rival, setting_place(config, rival, 0),
	    rival->fallback);
}

/*
 * One value.
 */

static void
given_blame(struct config_reading *reading, const struct given *given,
    const char *reason)
{
	reasons_add(reading->reasons, "%s: %s", given->where, reason);
}

static void
given_blame_unknown(struct config_reading *reading, const struct given *given,
    const char *before, const char *near)
{
	reasons_add(reading->reasons, "%s: unknown%s%s%s%s", given->where,
	    near ? "; do you mean " : "", near ? before : "", near ? near : "",
	    near ? "?" : "");
}

/* A relative path starts at the working directory. */
static int
given_store(struct config_reading *reading, const struct setting *setting,
    const char *value)
{
	struct config *config = reading->config;
	char *path = NULL;
	int result;

	if (setting->type == SETTING_PATH && *value &&
	    !(path = config_absolute(value)))
		return -1;
	result = value_set(&config->texts, setting,
	    setting_place(config, setting, 0), path ? path : value);
	free(path);
	return result;
}

static void
given_set(struct config_reading *reading, const struct setting *setting,
    const struct given *given)
{
	struct config_source *source = reading_source(reading, setting);
	char reason[200];

	if (source->rank == given->rank) {
		given_blame(reading, given, "given twice");
		return;
	}
	if (strchr(given->value, '\n')) {
		given_blame(reading, given, "is more than a line");
		return;
	}
	if (strcmp(setting->section, "master") == 0)
		reading->has_master = true;
	*source = (struct config_source){.rank = given->rank,
	    .where = config_texts_add(&reading->config->texts, given->where)};
	if (!source->where ||
	    reading_drop_rival(reading, setting, given->rank) == -1) {
		given_blame(reading, given, "out of memory");
	} else if (given_store(reading, setting, given->value) == -1) {
		value_explain(
		    setting, given->value, errno, reason, sizeof(reason));
		given_blame(reading, given, reason);
	}
}

/*
 * The environment.
 */

/* Variables that are not settings: the tool's, and those that Kubernetes sets
 * for services whose names begin with ours. */
static const struct {
	const char *name, *value;
} given_foreign[] = {
    {"SECRET", "*"},
    {"*SERVICE_HOST", "*"},
    {"*SERVICE_PORT", "*"},
    {"*SERVICE_PORT_*", "*"},
    {"*PORT", "*://*"},
    {"*PORT_[0-9]*_TCP*", "*"},
    {"*PORT_[0-9]*_UDP*", "*"},
    {"*PORT_[0-9]*_SCTP*", "*"},
};

static bool
given_is_foreign(const char *name, const char *value)
{
	for (size_t i = 0; i < COUNT(given_foreign); i++)
		if (fnmatch(given_foreign[i].name, name, 0) == 0 &&
		    fnmatch(given_foreign[i].value, value, 0) == 0)
			return true;
	return false;
}

/* The name of the setting's variable; "": it has none. */
static void
given_name(const struct setting *setting, char to[GIVEN_NAME])
{
	*to = '\0';
	if (!setting_is_named(setting))
		snprintf(
		    to, GIVEN_NAME, "%s_%s", setting->section, setting->name);
	for (; *to; to++)
		*to = (char)toupper((unsigned char)*to);
}

static const struct setting *
given_find(const char *name)
{
	char its[GIVEN_NAME];

	for (size_t i = 0; i < settings_count; i++) {
		given_name(&settings[i], its);
		if (*its && strcmp(its, name) == 0)
			return &settings[i];
	}
	return NULL;
}

/* The secret whose file the variable names, or NULL. */
static const struct setting *
given_find_secret(const char *name)
{
	size_t end = strlen(GIVEN_FILE), len = strlen(name);
	const struct setting *setting;
	char base[GIVEN_NAME];

	if (len <= end || strcmp(name + len - end, GIVEN_FILE) != 0)
		return NULL;
	snprintf(base, sizeof(base), "%.*s", (int)(len - end), name);
	setting = given_find(base);
	return setting && setting->type == SETTING_SECRET ? setting : NULL;
}

static void
given_set_from_file(struct config_reading *reading,
    const struct setting *setting, const struct given *given)
{
	struct given read = *given;
	struct reasons own;
	char *text = password_read(given->value, &own);

	if (!text) {
		given_blame(reading, given, reasons_first(&own));
		return;
	}
	read.value = text;
	given_set(reading, setting, &read);
	explicit_bzero(text, strlen(text));
	free(text);
}

static void
given_blame_variable(
    struct config_reading *reading, const struct given *given, const char *name)
{
	char names[SETTINGS_MAX][GIVEN_NAME];
	const char *words[SETTINGS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < settings_count; i++) {
		given_name(&settings[i], names[count]);
		words[count] = names[count];
		count += *names[count] != '\0';
	}
	given_blame_unknown(
	    reading, given, GIVEN_PREFIX, suggest(name, words, count));
}

/* Take NAME=VALUE.  An empty value counts as none. */
static void
given_take_variable(struct config_reading *reading, const char *text)
{
	char where[sizeof(GIVEN_PREFIX) + GIVEN_NAME];
	const char *name = where + strlen(GIVEN_PREFIX);
	const char *equals = strchr(text, '=');
	const struct given given = {
	    where, RANK_ENVIRONMENT, equals ? equals + 1 : ""};
	const struct setting *setting;

	if (!equals || strncmp(text, GIVEN_PREFIX, strlen(GIVEN_PREFIX)) != 0)
		return;
	snprintf(where, sizeof(where), "%.*s", (int)(equals - text), text);
	if (given_is_foreign(name, given.value))
		return;
	if ((setting = given_find(name))) {
		if (*given.value)
			given_set(reading, setting, &given);
	} else if ((setting = given_find_secret(name))) {
		if (*given.value)
			given_set_from_file(reading, setting, &given);
	} else {
		given_blame_variable(reading, &given, name);
	}
}

/*
 * The command line.
 */

static void
given_blame_argument(struct config_reading *reading, const struct given *given,
    const char *section, const char *name)
{
	const char *names[SETTINGS_MAX];
	bool is_known = setting_find_section(section) != NULL;
	size_t count = setting_list_names(is_known ? section : NULL, names);

	given_blame_unknown(reading, given, "",
	    suggest(is_known ? name : section, names, count));
}

/* Others can see the arguments of a process. */
static void
given_warn_of_secret(struct config_reading *reading, const struct given *given)
{
	reasons_add(&reading->config->warnings,
	    "%s: every user of this machine can see it; a file or the "
	    "environment hides it",
	    given->where);
}

/* Take SECTION.NAME=VALUE. */
static void
given_take_argument(struct config_reading *reading, const char *text)
{
	const char *equals = strchr(text, '='), *dot = strchr(text, '.');
	char where[200], section[GIVEN_NAME], name[GIVEN_NAME];
	struct given given = {where, RANK_ARGUMENT, ""};
	const struct setting *setting;

	snprintf(where, sizeof(where), "--set %.*s",
	    equals ? (int)(equals - text) : (int)strlen(text), text);
	if (!equals || !dot || dot > equals) {
		given_blame(reading, &given, "must be SECTION.NAME=VALUE");
		return;
	}
	given.value = equals + 1;
	snprintf(section, sizeof(section), "%.*s", (int)(dot - text), text);
	snprintf(name, sizeof(name), "%.*s", (int)(equals - dot - 1), dot + 1);
	setting = setting_find(section, name);
	if (!setting)
		given_blame_argument(reading, &given, section, name);
	else if (setting_is_named(setting))
		given_blame(reading, &given, "only a file can set it");
	else
		given_set(reading, setting, &given);
	if (setting && setting->type == SETTING_SECRET && *given.value)
		given_warn_of_secret(reading, &given);
}

void
reading_take_given(struct config_reading *reading)
{
	const struct config *config = reading->config;

	for (char *const *at = config->environment; at && *at; at++)
		given_take_variable(reading, *at);
	for (size_t i = 0; config->set && i < config->set->count; i++)
		given_take_argument(reading, config->set->items[i]);
}
