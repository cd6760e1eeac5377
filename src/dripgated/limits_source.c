#include "dripgated/limits_source.h"

#include "base/file.h"
#include "base/log.h"
#include "control/last_good.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct rules *
limits_source_none(const char *path, struct reasons *reasons)
{
	struct rules *rules = rules_from_lines("none", NULL, 0, reasons);

	if (rules)
		reasons_add(reasons,
		    "no limits: %s does not exist; only those count that come "
		    "with a request",
		    path);
	return rules;
}

struct rules *
limits_source_read_file(const struct config *config, struct reasons *reasons)
{
	const char *path = config->limits_file;
	size_t len;
	char *text = file_read(path, &len);
	struct rules *rules;

	if (!text && errno == ENOENT && config->starts_without_limits)
		return limits_source_none(path, reasons);
	if (!text) {
		reasons_set(reasons, "%s: %s", path, file_error(errno));
		return NULL;
	}
	rules = rules_from_ini(path, text, len, reasons);
	free(text);
	return rules;
}

/* Load the saved limits.  A daemon starts without them if they are wrong. */
static struct rules *
limits_source_start_saved(const struct config *config, struct reasons *reasons)
{
	const char *dir = config_subscriber(config).state_dir;
	struct rules *rules = NULL;

	if (*dir) {
		rules = last_good_load(dir, reasons);
		if (!rules)
			log_info("no saved limits: %s", reasons_first(reasons));
	}
	if (!rules)
		rules = rules_from_lines("none", NULL, 0, reasons);
	if (*dir && rules)
		rules = last_good_override(dir, rules, reasons);
	if (rules && rules_has_overrides(rules))
		log_info("saved overrides in force: %zu",
		    rules_override_count(rules));
	return rules;
}

struct rules *
limits_source_start(struct config *config, struct reasons *reasons)
{
	if (config->limits_source == LIMITS_REDIS)
		return limits_source_start_saved(config, reasons);
	config->starts_without_limits =
	    !config->path && config_is_default(config, "limits", "file") &&
	    access(config->limits_file, F_OK) == -1 && errno == ENOENT;
	config->limits_stamp = file_stamp(config->limits_file);
	return limits_source_read_file(config, reasons);
}
