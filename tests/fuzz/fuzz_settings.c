/*
 * Any bytes as settings: they are refused with one line of reason, or what they
 * set can be dumped, and the dump read as the same.
 */
#include "config/config.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

static struct config *
defaults(void)
{
	struct config *config = config_new();

	check(config != NULL);
	return config;
}

static char *
dump_of(const struct config *config, size_t *len)
{
	struct buf text = {0};

	check(config_dump(config, false, &text) == 0);
	*len = buf_len(&text);
	return text.bytes;
}

static void
check_dump(const struct config *config)
{
	struct config *again = defaults();
	struct reasons reasons;
	size_t len, again_len;
	char *dump = dump_of(config, &len), *again_dump;

	check(config_read(again, "dump", dump, len, &reasons) == 0);
	again_dump = dump_of(again, &again_len);
	check(len == again_len && memcmp(dump, again_dump, len) == 0);
	free(again_dump);
	free(dump);
	config_free(again);
}

static void
ignore(const char *section, const char *name)
{
	check(*section && *name);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *config = defaults(), *running = defaults();
	struct reasons reasons = {0};

	if (config_read(config, "fuzz", (const char *)data, size, &reasons) ==
	    -1)
		check(strncmp(reasons_first(&reasons), "fuzz:", 5) == 0 &&
		      !strchr(reasons_first(&reasons), '\n'));
	else
		check_dump(config);
	config_take_reloadable(running, config, ignore);
	config_free(config);
	config_free(running);
	return 0;
}
