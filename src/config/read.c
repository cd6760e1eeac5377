/*
 * read: makes a config of a text, and reports each mistake in it.  A setting is
 * given at most once, a target in one section of its own.  The heart is
 * read_on_pair(), and read_python_section() for other sections.
 */
#include "config/config.h"

#include "base/ini.h"
#include "base/suggest.h"
#include "config/internal.h"
#include "config/reading.h"
#include "config/value.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void
reading_blame(struct config_reading *reading, unsigned line,
    const char *section, const char *setting, const char *format, ...)
{
	char reason[REASON_SIZE], place[REASON_SIZE] = "";
	va_list args;

	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	if (line > 0)
		snprintf(place, sizeof(place), "%s:%u: ", reading->name, line);
	reasons_add(reading->reasons, "%s[%.*s]%s%.*s: %s", place,
	    READING_SHOWN_LEN, section, setting ? " " : "", READING_SHOWN_LEN,
	    setting ? setting : "", reason);
}

struct config_source *
reading_source(struct config_reading *reading, const struct setting *setting)
{
	return &reading->config->sources[setting - settings];
}

void
reading_blame_value(struct config_reading *reading,
    const struct setting *setting, const char *reason)
{
	const struct config_source *source = reading_source(reading, setting);

	if (source->where)
		reasons_add(reading->reasons, "%s: %s", source->where, reason);
	else
		reading_blame(reading, source->line, setting->section,
		    setting->name, "%s", reason);
}

/* Report "unknown; do you mean X?" for a setting or, if that is NULL, for the
 * section. */
static void
read_blame_unknown(struct config_reading *reading, unsigned line,
    const char *section, const char *setting)
{
	const char *names[SETTINGS_MAX];
	size_t count = setting_list_names(setting ? section : NULL, names);
	const char *near = suggest(setting ? setting : section, names, count);

	reading_blame(reading, line, section, setting, "unknown%s%s%s",
	    near ? "; do you mean " : "", near ? near : "", near ? "?" : "");
}

/*
 * Sections.
 */

/* Room for one more target.  Return 0, or -1 (out of memory). */
static int
read_make_room(struct config_reading *reading)
{
	struct distributor_options *options = &reading->config->distributor;
	size_t count = options->target_count + 1;
	struct target_options *targets =
	    reallocarray(options->targets, count, sizeof(*targets));
	unsigned *lines;

	if (!targets)
		return -1;
	options->targets = targets;
	lines = reallocarray(reading->target_lines, count, sizeof(*lines));
	if (!lines)
		return -1;
	reading->target_lines = lines;
	return 0;
}

static int
read_add_target(struct config_reading *reading, const char *name, unsigned line)
{
	struct distributor_options *options = &reading->config->distributor;

	if (read_make_room(reading) == -1)
		return -1;
	reading->target_lines[options->target_count] = line;
	options->targets[options->target_count++] = (struct target_options){
	    .name = name,
	    .link.backoff_max_us = CONTROL_BACKOFF_US,
	    .link.reply_max_bytes = CONTROL_REPLY_BYTES,
	};
	return 0;
}

static int
read_add_upstream(
    struct config_reading *reading, const char *name, unsigned line)
{
	struct config *config = reading->config;
	struct upstream_options *upstreams = reallocarray(
	    config->upstreams, config->upstream_count + 1, sizeof(*upstreams));

	(void)line;
	if (!upstreams)
		return -1;
	config->upstreams = upstreams;
	upstreams[config->upstream_count++] =
	    (struct upstream_options){.name = name};
	return 0;
}

/* Sections that have names of their own. */
static const struct read_named {
	const char *prefix;
	int (*add)(
	    struct config_reading *reading, const char *name, unsigned line);
} read_named[] = {
    {SECTION_TARGET, read_add_target},
    {SECTION_UPSTREAM, read_add_upstream},
};

static bool
read_has_named(
    const struct config_reading *reading, const char *prefix, const char *name)
{
	const struct config *config = reading->config;

	for (size_t i = 0; i < setting_count(config, prefix); i++)
		if (strcmp(setting_name(config, prefix, i), name) == 0)
			return true;
	return false;
}

/* Begin a section with a name of its own.  Return what is wrong, or NULL. */
static const char *
read_begin_named(struct config_reading *reading, const struct setting *row,
    const char *name, unsigned line)
{
	const char *own = name + strlen(row->section);
	const char *kept = config_texts_add(&reading->config->texts, own);
	int result = -1;

	if (read_has_named(reading, row->section, own))
		return "given twice";
	for (size_t i = 0; kept && i < COUNT(read_named); i++)
		if (strcmp(read_named[i].prefix, row->section) == 0)
			result = read_named[i].add(reading, kept, line);
	for (size_t i = 0; i < settings_count; i++)
		if (strcmp(settings[i].section, row->section) == 0)
			reading->given[i] = 0;
	return result == -1 ||
		       config_set_defaults(reading->config, row->section) == -1
		   ? "out of memory"
		   : NULL;
}

/* Whether the section was seen before.  Remember that it is now. */
static bool
read_is_seen(struct config_reading *reading, const char *section)
{
	for (size_t i = 0; i < reading->sections; i++)
		if (reading->seen[i] == section)
			return true;
	reading->seen[reading->sections++] = section;
	return false;
}

/* Begin a section that a row describes.  Return what is wrong, or NULL. */
static const char *
read_begin_section(struct config_reading *reading, const struct setting *row,
    const char *name, unsigned line)
{
	if (setting_is_named(row))
		return read_begin_named(reading, row, name, line);
	if (read_is_seen(reading, row->section))
		return "given twice";
	if (strcmp(name, "master") == 0) {
		reading->has_master = true;
		reading->master_line = line;
	}
	return NULL;
}

static bool
read_on_section(void *arg, const char *name, const struct ini_place *place)
{
	struct config_reading *reading = arg;
	const struct setting *row = setting_find_section(name);
	const char *reason = NULL;

	if (strcmp(name, PYTHON_DEFAULT) == 0) {
		reading->is_refused = false;
		return true;
	}
	if (row)
		reason = read_begin_section(reading, row, name, place->line);
	else
		read_blame_unknown(reading, place->line, name, NULL);
	if (reason)
		reading_blame(reading, place->line, name, NULL, "%s", reason);
	reading->is_refused = !row || reason;
	return row && setting_is_distribution(row);
}

/*
 * Settings.
 */

/* A value for a setting, and its place. */
struct read_value {
	const char *section, *name, *value;
	unsigned line;
	size_t place; /* of its section, if that has a name */
};

static void
read_setting(struct config_reading *reading, const struct setting *setting,
    const struct read_value *given)
{
	struct config *config = reading->config;
	char reason[200];

	*reading_source(reading, setting) =
	    (struct config_source){.rank = RANK_FILE, .line = given->line};
	if (value_set(&config->texts, setting,
		setting_place(config, setting, given->place),
		given->value) == 0)
		return;
	value_explain(setting, given->value, errno, reason, sizeof(reason));
	reading_blame(
	    reading, given->line, given->section, given->name, "%s", reason);
}

/* The header that a setting adds, as a line that the caller frees; NULL: it is
 * there already, or there is no memory. */
static char *
read_field(struct config_reading *reading, const struct setting *setting,
    const struct read_value *given)
{
	const char *const *lines =
	    setting_place(reading->config, setting, given->place);
	const char *name = given->name + strlen(setting->name);
	size_t len = strlen(name);
	char *line;

	for (const char *at = *lines; *at; at += strcspn(at, "\n") + 1)
		if (strncasecmp(at, name, len) == 0 && at[len] == ':')
			return NULL;
	return asprintf(&line, "%s: %s", name, given->value) == -1 ? NULL
								   : line;
}

/* Take a setting of a section of dripgated's own.  Return what is wrong, or
 * NULL. */
static const char *
read_take_pair(struct config_reading *reading, const struct setting *setting,
    const struct ini_pair *pair)
{
	bool is_field = setting->type == SETTING_FIELDS;
	struct read_value given = {.section = pair->section,
	    .name = pair->name,
	    .value = pair->value,
	    .line = pair->place.line,
	    .place = setting_count(reading->config, setting->section) - 1};
	char *line = is_field ? read_field(reading, setting, &given) : NULL;

	if (is_field ? !line : reading->given[setting - settings] > 0)
		return "given twice";
	reading->given[setting - settings] = given.line;
	if (is_field)
		given.value = line;
	/* Better none than half of one. */
	if ((is_field || setting->type == SETTING_SECRET) && pair->is_cut) {
		free(line);
		return "a ; after a blank begins a comment: put the value in "
		       "quotes";
	}
	read_setting(reading, setting, &given);
	free(line);
	return NULL;
}

/* Take an option of a section that is read by Python's rules.  Return what is
 * wrong, or NULL. */
static const char *
read_take_option(struct config_reading *reading, const struct ini_pair *pair)
{
	switch (python_add(&reading->options, pair)) {
	case PYTHON_ADDED:
		return NULL;
	case PYTHON_TWICE:
		return "given twice";
	case PYTHON_FAILED:
		break;
	}
	return "out of memory";
}

static bool
read_is_python(const char *section)
{
	const struct setting *row = setting_find_section(section);

	return row ? setting_is_distribution(row)
		   : strcmp(section, PYTHON_DEFAULT) == 0;
}

static void
read_on_pair(void *arg, const struct ini_pair *pair)
{
	struct config_reading *reading = arg;
	const struct setting *setting = setting_find(pair->section, pair->name);
	unsigned line = pair->place.line;
	const char *reason = NULL;

	if (reading->is_refused)
		return;
	if (*pair->section == '\0') {
		reasons_add(reading->reasons,
		    "%s:%u: comes before the first [section]", reading->name,
		    line);
		reading->is_refused = true;
	} else if (read_is_python(pair->section)) {
		reason = read_take_option(reading, pair);
	} else if (!setting) {
		read_blame_unknown(reading, line, pair->section, pair->name);
	} else {
		reason = read_take_pair(reading, setting, pair);
	}
	if (reason)
		reading_blame(
		    reading, line, pair->section, pair->name, "%s", reason);
}

/*
 * Sections that are read by Python's rules: after the whole text.
 */

/* Set one setting of such a section from its option.  An empty option counts as
 * none. */
static void
read_option(struct config_reading *reading, const struct setting *setting,
    const char *section, size_t target)
{
	struct python_option *option =
	    python_find(&reading->options, section, setting->name);
	struct buf value = {0};
	struct read_value given = {
	    .section = section, .name = setting->name, .place = target};
	const char *reason;

	if (!option)
		return;
	given.line = option->place.line;
	reason = python_value(&reading->options, section, option, &value);
	if (!reason && setting->type == SETTING_SECRET && option->is_cut)
		reason = "a ; after a blank begins a comment, also in a "
			 "password";
	if (!reason && !ini_is_one_line(buf_data(&value)))
		reason = "the value does not fit on one line";
	if (reason) {
		reading_blame(
		    reading, given.line, section, setting->name, "%s", reason);
	} else if (*buf_data(&value)) {
		given.value = buf_data(&value);
		read_setting(reading, setting, &given);
	}
	buf_free(&value);
}

static void
read_python_section(
    struct config_reading *reading, const char *section, size_t target)
{
	for (size_t i = 0; i < settings_count; i++)
		if (setting_is_section(section, settings[i].section))
			read_option(reading, &settings[i], section, target);
}

/* An option that no setting and no value used may be a mistake. */
static void
read_warn_of_options(struct config_reading *reading)
{
	for (size_t i = 0; i < reading->options.count; i++) {
		const struct python_option *option = &reading->options.items[i];
		const char *names[SETTINGS_MAX];
		size_t count = setting_list_names(option->section, names);
		const char *near = suggest(option->name, names, count);

		if (option->is_used ||
		    strcmp(option->section, PYTHON_DEFAULT) == 0)
			continue;
		reasons_add(&reading->config->warnings,
		    "%s:%u: [%.*s] %.*s: unknown, and ignored%s%s%s",
		    reading->name, option->place.line, READING_SHOWN_LEN,
		    option->section, READING_SHOWN_LEN, option->name,
		    near ? "; do you mean " : "", near ? near : "",
		    near ? "?" : "");
	}
}

static void
read_python(struct config_reading *reading)
{
	const struct distributor_options *options =
	    &reading->config->distributor;
	char section[300];

	/* A section that is missing gets no defaults either. */
	for (size_t i = 0; i < reading->sections; i++)
		if (read_is_python(reading->seen[i]))
			read_python_section(reading, reading->seen[i], 0);
	for (size_t i = reading->first_target; i < options->target_count; i++) {
		snprintf(section, sizeof(section), SECTION_TARGET "%s",
		    options->targets[i].name);
		read_python_section(reading, section, i);
	}
	read_warn_of_options(reading);
}

static void
read_on_mistake(void *arg, const struct ini_place *place, const char *reason)
{
	struct config_reading *reading = arg;

	reasons_add(
	    reading->reasons, "%s:%u: %s", reading->name, place->line, reason);
}

int
config_read(struct config *config, const char *name, const char *text,
    size_t len, struct reasons *reasons)
{
	static const struct ini_events events = {
	    read_on_section, read_on_pair, read_on_mistake};
	struct config_reading reading = {.config = config,
	    .name = name,
	    .reasons = reasons,
	    .first_target = config->distributor.target_count};

	reasons_clear(reasons);
	if (ini_read(text, len, &events, &reading) == -1)
		reasons_add(reasons, "%s: out of memory", name);
	read_python(&reading);
	reading_take_given(&reading);
	if (reasons->count == 0)
		reading_take_url(&reading);
	if (reasons->count == 0)
		reading_check(&reading);
	python_free(&reading.options);
	free(reading.target_lines);
	return reasons->count == 0 ? 0 : -1;
}
