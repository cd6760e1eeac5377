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

/* Behind a NUL: a variable of the environment, and behind another one, an
 * argument.  A variable that names a file is left out. */
static void
give(struct config *config, const char *more, const char *end)
{
	static char *environment[2];
	static struct config_set set;

	environment[0] = NULL;
	set.count = 0;
	if (more < end && !strstr(more, "_FILE="))
		environment[0] = (char *)(uintptr_t)more;
	if (more < end && (more += strlen(more) + 1) < end)
		set.items[set.count++] = more;
	config->environment = environment;
	config->set = &set;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *config = defaults(), *running = defaults();
	struct reasons reasons = {0};
	char *text = calloc(1, size + 1);
	size_t len;

	check(text != NULL);
	memcpy(text, data, size);
	len = strlen(text);
	give(config, text + len + 1, text + size);
	if (config_read(config, "fuzz", text, len, &reasons) == -1)
		check(*reasons_first(&reasons) &&
		      !strchr(reasons_first(&reasons), '\n'));
	else
		check_dump(config);
	config_take_reloadable(running, config, ignore);
	config_free(config);
	free(text);
	config_free(running);
	return 0;
}
