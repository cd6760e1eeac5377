#include "dripgated/limits_source.h"

#include "base/file.h"
#include "base/log.h"
#include "control/last_good.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rules *
limits_source_read_file(const char *path, struct reasons *reasons)
{
	size_t len;
	char *text = file_read(path, &len);
	struct rules *rules;

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
	return rules ? rules : rules_from_lines("none", NULL, 0, reasons);
}

struct rules *
limits_source_start(const struct config *config, struct reasons *reasons)
{
	if (config->limits_source == LIMITS_REDIS)
		return limits_source_start_saved(config, reasons);
	return limits_source_read_file(config->limits_file, reasons);
}
