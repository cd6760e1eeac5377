/*
 * Job: finds a time zone's file, and a zone that was meant if there is none.
 * Invariant: no name leads out of the folder of zones.
 * The heart: zone_file_read().
 */
#include "base/zone_file.h"

#include "base/file.h"
#include "base/log.h"
#include "base/suggest.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ZONE_FILE_FOLDER "/usr/share/zoneinfo"

/* Most zones that are compared with one that does not exist. */
#define ZONE_FILE_NAMES 600

static const char *
zone_file_folder(void)
{
	const char *folder = secure_getenv("TZDIR");

	return folder && *folder ? folder : ZONE_FILE_FOLDER;
}

static char *
zone_file_load(const char *name, size_t *len)
{
	char path[PATH_MAX];
	int used =
	    snprintf(path, sizeof(path), "%s/%s", zone_file_folder(), name);

	if (used >= (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	return file_read(path, len);
}

static bool
zone_file_is_name(const char *name)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz"
				      "0123456789_-+/";
	size_t len = strlen(name);

	return len > 0 && len <= ZONE_NAME_MAX &&
	       strspn(name, letters) == len && *name != '/' &&
	       name[len - 1] != '/';
}

/*
 * "did you mean ...?"
 */

/* The next zone of zone.tab, whose lines are "CC\t+COORDINATES\tZONE[\tNOTE]",
 * with a NUL behind; NULL: there is none. */
static const char *
zone_file_next(char **table)
{
	while (**table) {
		char *line = *table;
		size_t len = strcspn(line, "\n");
		char *name = memchr(line, '\t', len);

		*table += len + (line[len] != '\0');
		line[len] = '\0';
		name = *line == '#' || !name ? NULL : strchr(name + 1, '\t');
		if (!name)
			continue;
		name++;
		name[strcspn(name, "\t")] = '\0';
		return name;
	}
	return NULL;
}

/* "berlin" is meant to be Europe/Berlin. */
static bool
zone_file_is_place(const char *zone, const char *name)
{
	const char *place = strrchr(zone, '/');

	return place && strcasecmp(place + 1, name) == 0;
}

/* ${table} is changed; the name that is returned is in it. */
static const char *
zone_file_suggest(const char *name, char *table)
{
	const char *names[ZONE_FILE_NAMES];
	size_t count = 0;

	while (count < ZONE_FILE_NAMES &&
	       (names[count] = zone_file_next(&table))) {
		if (zone_file_is_place(names[count], name))
			return names[count];
		count++;
	}
	return suggest(name, names, count);
}

/* Without zone.tab, there are no zones at all. */
static void
zone_file_explain(const char *name, char reason[ZONE_REASON_MAX])
{
	size_t len;
	char *table = zone_file_load("zone.tab", &len);
	const char *near = table ? zone_file_suggest(name, table) : NULL;
	char shown[40];

	log_escape(shown, sizeof(shown), name, strlen(name));
	if (!table)
		snprintf(reason, ZONE_REASON_MAX,
		    "%s: there are no time zones on this host, only UTC: "
		    "install tzdata",
		    shown);
	else if (near)
		snprintf(reason, ZONE_REASON_MAX,
		    "'%s' does not exist, did you mean '%s'?", shown, near);
	else
		snprintf(reason, ZONE_REASON_MAX,
		    "'%s' does not exist, give one like Europe/Berlin", shown);
	free(table);
}

static bool
zone_file_is_missing(int error)
{
	return error == ENOENT || error == ENOTDIR || error == EISDIR;
}

struct zone *
zone_file_read(const char *name, char reason[ZONE_REASON_MAX])
{
	bool is_name = zone_file_is_name(name);
	size_t len;
	char *bytes = is_name ? zone_file_load(name, &len) : NULL;
	const char *wrong;
	struct zone *zone;

	if (!bytes && is_name && !zone_file_is_missing(errno)) {
		snprintf(reason, ZONE_REASON_MAX,
		    "%s: cannot read its file: %s", name, file_error(errno));
		return NULL;
	}
	if (!bytes) {
		zone_file_explain(name, reason);
		return NULL;
	}
	zone = zone_read(name, bytes, len, &wrong);
	free(bytes);
	if (!zone)
		snprintf(reason, ZONE_REASON_MAX, "%s %s", name, wrong);
	return zone;
}
