/*
 * Any bytes as a URL: what is accepted has a place or a list of them, and texts
 * without control characters, each within its room.
 */
#include "base/host_port.h"
#include "config/url.h"
#include "fuzz.h"

#include <string.h>

static void
check_text(const char *text, size_t size)
{
	check(strnlen(text, size) < size);
	for (; *text; text++)
		check((unsigned char)*text >= 0x20 && *text != 0x7f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct url url;

	check(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	if (!url_read(&url, text)) {
		check_text(url.path, sizeof(url.path));
		check_text(url.host, sizeof(url.host));
		check_text(url.user, sizeof(url.user));
		check_text(url.password, sizeof(url.password));
		check_text(url.hosts, sizeof(url.hosts));
		check_text(url.master, sizeof(url.master));
		check(!*url.hosts || host_port_is_list(url.hosts));
		check(!*url.master || *url.hosts);
		check(!*url.path != !*url.host);
		check(url.port >= 1 && url.port <= 65535);
		check(url.db >= -1 && url.db <= URL_DB_MAX);
	}
	free(text);
	return 0;
}
