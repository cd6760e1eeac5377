/*
 * Any bytes as settings: they are refused with one line of reason, or what they
 * set can be dumped, and the dump read as the same.
 */
#include "config.h"
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
	char *text = NULL;
	FILE *file = open_memstream(&text, len);

	check(file != NULL);
	config_dump(config, file);
	check(fclose(file) == 0);
	return text;
}

/* Whether the dump's blanks around '=' make of it neither a line that is too
 * long nor a comment. */
static bool
is_plain(const char *text)
{
	return strlen(text) < 150 && *text != ';';
}

static bool
has_plain_texts(const struct config *config)
{
	const struct remote_options *remote = &config->gate.remote;

	return is_plain(config->doors.line) &&
	       is_plain(config->doors.unix_path) &&
	       is_plain(config->limits_file) && is_plain(remote->prefix) &&
	       is_plain(remote->link.endpoint.host) &&
	       is_plain(remote->link.endpoint.unix_socket_path);
}

static void
check_dump(const struct config *config)
{
	struct config *again = defaults();
	struct config_error error;
	size_t len, again_len;
	char *dump = dump_of(config, &len), *again_dump;

	check(config_read(again, "dump", dump, len, &error) == 0);
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
	struct config_error error = {""};

	if (config_read(config, "fuzz", (const char *)data, size, &error) == -1)
		check(strncmp(error.reason, "fuzz:", 5) == 0 &&
		      !strchr(error.reason, '\n'));
	else if (has_plain_texts(config))
		check_dump(config);
	config_take_reloadable(running, config, ignore);
	config_free(config);
	config_free(running);
	return 0;
}
