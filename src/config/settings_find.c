/*
 * settings_find: look-ups in the table of settings, and where their values are.
 * The heart: named_sections[] and setting_place().
 */
#include "config/settings.h"

#include "base/attr.h"

#include <string.h>
#include <strings.h>

/* Sections that have names of their own: lists in the config. */
static const struct named {
	const char *prefix;
	size_t list, count; /* where it is, and how long it is */
	size_t size, name;  /* of an element, and where that has its name */
} named_sections[] = {
    {SECTION_TARGET, offsetof(struct config, distributor.targets),
	offsetof(struct config, distributor.target_count),
	sizeof(struct target_options), offsetof(struct target_options, name)},
    {SECTION_UPSTREAM, offsetof(struct config, upstreams),
	offsetof(struct config, upstream_count),
	sizeof(struct upstream_options),
	offsetof(struct upstream_options, name)},
};

/* What such sections are, or NULL. */
static const struct named *
settings_find_named(const char *prefix)
{
	for (size_t i = 0; i < COUNT(named_sections); i++)
		if (strcmp(named_sections[i].prefix, prefix) == 0)
			return &named_sections[i];
	return NULL;
}

static bool
settings_find_is_name(const struct setting *setting, const char *name)
{
	size_t len = strlen(setting->name);

	if (setting->type == SETTING_FIELDS)
		return strncmp(setting->name, name, len) == 0 &&
		       name[len] != '\0';
	return strcmp(setting->name, name) == 0;
}

bool
setting_is_section(const char *section, const char *name)
{
	if (settings_find_named(name))
		return strncmp(section, name, strlen(name)) == 0 &&
		       section[strlen(name)] != '\0';
	return strcmp(section, name) == 0;
}

const struct setting *
setting_find(const char *section, const char *name)
{
	for (size_t i = 0; i < settings_count; i++)
		if (setting_is_section(section, settings[i].section) &&
		    settings_find_is_name(&settings[i], name))
			return &settings[i];
	return NULL;
}

const struct setting *
setting_find_section(const char *section)
{
	for (size_t i = 0; i < settings_count; i++)
		if (setting_is_section(section, settings[i].section))
			return &settings[i];
	return NULL;
}

size_t
setting_list_names(const char *section, const char *names[SETTINGS_MAX])
{
	size_t count = 0;

	for (size_t i = 0; i < settings_count; i++) {
		const struct setting *row = &settings[i];

		if (section && setting_is_section(section, row->section))
			names[count++] = row->name;
		else if (!section && (count == 0 || strcmp(row->section,
							names[count - 1]) != 0))
			names[count++] = row->section;
	}
	return count;
}

bool
setting_is_of_target(const struct setting *setting)
{
	return strcmp(setting->section, SECTION_TARGET) == 0;
}

bool
setting_is_named(const struct setting *setting)
{
	return settings_find_named(setting->section) != NULL;
}

bool
setting_is_distribution(const struct setting *setting)
{
	return setting_is_of_target(setting) ||
	       strcmp(setting->section, "master") == 0 ||
	       strcmp(setting->section, "config") == 0;
}

/* Element ${i} of the list of such sections. */
static void *
settings_find_element(
    const struct config *config, const struct named *named, size_t i)
{
	char *const *list = (const void *)((const char *)config + named->list);

	return *list + i * named->size;
}

size_t
setting_count(const struct config *config, const char *section)
{
	const struct named *named = settings_find_named(section);
	size_t count = 1;

	if (named)
		memcpy(
		    &count, (const char *)config + named->count, sizeof(count));
	return count;
}

const char *
setting_name(const struct config *config, const char *section, size_t i)
{
	const struct named *named = settings_find_named(section);
	const char *const *name =
	    (const void *)((const char *)settings_find_element(
			       config, named, i) +
			   named->name);

	return *name;
}

void *
setting_place(
    const struct config *config, const struct setting *setting, size_t i)
{
	const struct named *named = settings_find_named(setting->section);
	const void *base =
	    named ? settings_find_element(config, named, i) : config;

	return (char *)(uintptr_t)base + setting->offset;
}
