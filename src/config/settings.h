/**
 * settings: each setting, declared once.
 *
 * A row says where a setting is in a file and in a struct, and which values it
 * takes; reading, errors, the dump, the reload and the manual's list derive
 * from it.
 */
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include "base/choice.h"
#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum setting_type {
	SETTING_TEXT, /* const char * */
	SETTING_PATH, /* the same; a relative one starts at the file's folder */
	SETTING_HOST, /* the same: a name or an address, "": none */
	SETTING_ADDRESS,  /* the same: HOST:PORT (host_port.h), "": none */
	SETTING_HOSTS,    /* the same: a list of them, "": none */
	SETTING_NETWORKS, /* the same: of addresses (network.h), "": none */
	SETTING_SECRET,   /* the same, never shown */
	SETTING_NUMBER,   /* int64_t */
	SETTING_MODE,     /* the same: of a file, octal; -1, written "": none */
	SETTING_TIME,     /* int64_t, microseconds; written with a unit */
	SETTING_SECONDS,  /* the same; a plain number is seconds */
	SETTING_CHOICE,   /* an enum of ours */
	SETTING_FLAG,     /* bool */
	SETTING_FIELDS,   /* const char *: "NAME: VALUE" lines, of settings
			   * whose names go on with NAME; secrets may be in
			   * them */
};

struct setting {
	const char *section; /* SECTION_TARGET: of each such section; so
			      * SECTION_UPSTREAM */
	const char *name;
	enum setting_type type;
	size_t
	    offset;  /* of the member in the config, or the section's options */
	size_t size; /* of that member */
	const char *fallback; /* the value where a file has none */
	int64_t min, max;     /* of a number, microseconds, a text's length */
	const struct choice *choices; /* of a CHOICE or a FLAG */
	bool reloadable;
	const char *help;
};

/** Start of the names of all sections of targets; the rest is the target's
 * name.  The same of upstreams. */
#define SECTION_TARGET   "slave:"
#define SECTION_UPSTREAM "upstream:"

/** Start of the names of settings that are headers. */
#define FIELD_PREFIX "header."

extern const struct setting settings[];
extern const size_t settings_count;

/** Whether rows with the section ${name} are for [section]. */
bool setting_is_section(const char *section, const char *name);

/** The row of a setting, or NULL. */
const struct setting *setting_find(const char *section, const char *name);

/** The first row of a section, or NULL. */
const struct setting *setting_find_section(const char *section);

/** Fill ${names} with the names of the settings of a section, or, for NULL,
 * with those of the sections.  Return how many. */
size_t setting_list_names(const char *section, const char *names[SETTINGS_MAX]);

/** Whether it is about a server that limits are distributed from or to: such a
 * setting has an effect only with a [master]. */
bool setting_is_distribution(const struct setting *setting);

/** Whether it is a setting of targets. */
bool setting_is_of_target(const struct setting *setting);

/** Whether its sections have names of their own. */
bool setting_is_named(const struct setting *setting);

/** How many sections there are that rows with the section ${section} are for,
 * and the name of number ${i}, if they have names. */
size_t setting_count(const struct config *config, const char *section);
const char *setting_name(
    const struct config *config, const char *section, size_t i);

/** The member of ${setting} in ${config}; of the section number ${i}, if they
 * have names. */
void *setting_place(
    const struct config *config, const struct setting *setting, size_t i);

#endif
