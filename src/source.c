#include "source.h"

#include "base/file.h"
#include "base/log.h"
#include "control/last_good.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rules *
source_read_file(const char *path, struct rules_error *error)
{
	size_t len;
	char *text = file_read(path, &len);
	struct rules *rules;

	if (!text) {
		snprintf(error->reason, sizeof(error->reason), "%s: %s", path,
		    strerror(errno));
		return NULL;
	}
	rules = rules_from_ini(path, text, len, error);
	free(text);
	return rules;
}

/* Whatever is wrong with what was kept, a daemon can start without it. */
static struct rules *
start_kept(const struct config *config, struct rules_error *error)
{
	const char *dir = config_subscriber(config).state_dir;
	struct rules *rules = NULL;

	if (*dir) {
		rules = last_good_load(dir, error);
		if (!rules)
			log_info(
			    "no limits from an earlier run: %s", error->reason);
	}
	return rules ? rules : rules_from_lines("none", NULL, 0, error);
}

struct rules *
source_start(const struct config *config, struct rules_error *error)
{
	if (config->limits_source == LIMITS_REDIS)
		return start_kept(config, error);
	return source_read_file(config->limits_file, error);
}
