/**
 * config_table: each setting, declared once.
 *
 * A row says where a setting stands in a file and in a struct, and what it may
 * be; reading, complaints, the dump, the reload and the manual's list come from
 * it.
 */
#ifndef CONFIG_TABLE_H
#define CONFIG_TABLE_H

#include "config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum setting_type {
	SETTING_TEXT,    /* const char * */
	SETTING_SECRET,  /* the same, never shown */
	SETTING_NUMBER,  /* int64_t */
	SETTING_TIME,    /* int64_t, microseconds; written with a unit */
	SETTING_SECONDS, /* the same; a plain number is seconds */
	SETTING_CHOICE,  /* int */
};

/** ${min} and ${max} bound a number, microseconds, or the length of a text. */
struct setting {
	const char *section;         /* SECTION_SLAVE: of each such section */
	const char *name;
	enum setting_type type;
	size_t offset;               /* in the config, or a slave's options */
	const char *fallback;
	int64_t min, max;
	const char *const *choices;  /* of a CHOICE, NULL at the end; */
	const int *values;           /* what they stand for; NULL: places */
	bool reloadable;
	const char *help;
};

/** Stands for every section whose name starts so; the rest is the slave's. */
#define SECTION_SLAVE "slave:"

/** Room for all rows. */
#define SETTINGS_MAX 96

extern const struct setting settings[];
extern const size_t settings_count;

/** Whether it is of a server that limits are distributed from or to: such a
 * setting means something only where there is a [master]. */
bool setting_is_distribution(const struct setting *setting);

/** Whether it is of a slave. */
bool setting_is_of_slave(const struct setting *setting);

#endif
