/**
 * reading: a config while it is made of a text.  For its files read*.c
 * only.
 */
#ifndef CONFIG_READING_H
#define CONFIG_READING_H

#include "base/attr.h"
#include "base/reasons.h"
#include "config/config.h"
#include "config/python.h"
#include "config/settings.h"

#include <stdbool.h>
#include <stddef.h>

/** Longest name of a section or setting that is shown. */
#define READING_SHOWN_LEN 60

struct config_reading {
	struct config *config;
	const char *name; /* of the file */
	struct reasons *reasons;

	unsigned given[SETTINGS_MAX]; /* in which lines settings are; 0: not */
	const char *seen[SETTINGS_MAX]; /* sections but targets */
	size_t sections;
	bool is_refused; /* this section is refused: skip its settings */

	/* distribution */
	struct python_options options; /* of its sections */
	bool has_master;               /* any setting of [master], or it */
	unsigned master_line;   /* where it is in the text; 0: it is not */
	unsigned *target_lines; /* where each target's section is */
	size_t first_target;    /* of those that this text adds */
};

/** Report a mistake in ${line} (0: in none), in a section or, unless that is
 * NULL, a setting of it. */
PRINTF_LIKE(5, 6)
void reading_blame(struct config_reading *reading, unsigned line,
    const char *section, const char *setting, const char *format, ...);

/** Report what is wrong with the value of a setting that is no target's, where
 * the value is from. */
void reading_blame_value(struct config_reading *reading,
    const struct setting *setting, const char *reason);

/** Where the value of the setting is from. */
struct config_source *reading_source(
    struct config_reading *reading, const struct setting *setting);

/** Set the settings of the environment and of the command line. */
void reading_take_given(struct config_reading *reading);

/** Whether a source that counts more says the setting, or one that excludes it:
 * the host, or the Unix socket; the password, or its file. */
bool reading_is_outranked(struct config_reading *reading,
    const struct setting *setting, enum config_rank rank);

/** Set a setting that excludes ${setting} to its default if a source that
 * counts less says it.  Return 0, or -1 (out of memory). */
int reading_drop_rival(struct config_reading *reading,
    const struct setting *setting, enum config_rank rank) MUST_USE;

/** Set what the URL says, if there is one, or report what is wrong with it. */
void reading_take_url(struct config_reading *reading);

/** Check that what was read goes together, and report what does not.  Targets
 * without a server are dropped. */
void reading_check(struct config_reading *reading);

#endif
