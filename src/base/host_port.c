/*
 * host_port: takes HOST:PORT and lists of it apart, and explains what is none.
 * What it explains is what it refuses.  The heart is host_port_read().
 */
#include "base/host_port.h"

#include "base/num.h"

#include <stdio.h>
#include <string.h>

#define BLANKS " \t"
#define DIGITS "0123456789"
#define LETTERS                                                                \
	"abcdefghijklmnopqrstuvwxyz"                                           \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* The port follows the last colon; a plain number has none. */
static const char *
host_port_find_port(const char *text)
{
	const char *colon = strrchr(text, ':');

	return colon ? colon + 1 : text;
}

static bool
host_port_is_port(const char *text)
{
	size_t len = strlen(text);
	unsigned number = 0;

	if (len < 1 || len > 5 || strspn(text, DIGITS) != len)
		return false;
	sscanf(text, "%u", &number);
	return number >= 1 && number <= 65535;
}

/* Only IPv6 addresses have brackets. */
static bool
host_port_read_host(struct host_port *to, const char *text, size_t len)
{
	bool has_brackets = len > 1 && text[0] == '[' && text[len - 1] == ']';

	if (len == 1 && *text == '*')
		len = 0;
	if (has_brackets) {
		text++;
		len -= 2;
	}
	if (len >= sizeof(to->host) || (has_brackets && len == 0))
		return false;
	memcpy(to->host, text, len);
	to->host[len] = '\0';
	return strspn(to->host, has_brackets ? LETTERS DIGITS ":.%-_"
					     : LETTERS DIGITS ".-_") == len;
}

bool
host_port_read(struct host_port *to, const char *text)
{
	const char *port = host_port_find_port(text);
	size_t len = port > text ? (size_t)(port - text) - 1 : 0;

	if (!host_port_is_port(port) || !host_port_read_host(to, text, len))
		return false;
	strcpy(to->port, port);
	return true;
}

bool
host_port_read_next(struct host_port *to, const char **list)
{
	const char *start = *list + strspn(*list, BLANKS);
	size_t len = strcspn(start, BLANKS);
	char text[sizeof(to->host) + sizeof(to->port) + 2];

	*list = start + len;
	if (len >= sizeof(text))
		return false;
	memcpy(text, start, len);
	text[len] = '\0';
	return host_port_read(to, text) && *to->host;
}

/* The next word of a list, and its length, 0 at the end; ${list} is moved
 * behind it. */
static const char *
host_port_next_word(const char **list, size_t *len)
{
	const char *start = *list + strspn(*list, BLANKS);

	*len = strcspn(start, BLANKS);
	*list = start + *len;
	return start;
}

/* Whether ${word} is in ${list}. */
static bool
host_port_has(const char *list, const char *word, size_t len)
{
	const char *other;
	size_t other_len;

	while (other = host_port_next_word(&list, &other_len), other_len > 0)
		if (other_len == len && strncasecmp(other, word, len) == 0)
			return true;
	return false;
}

bool
host_port_is_list(const char *list)
{
	struct host_port each;
	size_t count = 0, len;

	do {
		const char *rest = list;
		const char *word = host_port_next_word(&rest, &len);

		if (++count > HOST_PORT_LIST_MAX ||
		    !host_port_read_next(&each, &list) ||
		    host_port_has(list, word, len))
			return false;
	} while (list[strspn(list, BLANKS)] != '\0');
	return true;
}

static void
host_port_explain_word(const char *word, size_t len, char *to, size_t size)
{
	char text[100];
	struct host_port read;

	snprintf(text, sizeof(text), "%.*s", (int)len, word);
	if (len == 0)
		snprintf(to, size, "there is none");
	else if (memchr(word, ',', len))
		snprintf(to, size, "write blanks between hosts, not commas");
	else if (memchr(word, '@', len)) /* never show the password */
		snprintf(to, size,
		    "a user and a password are settings of their own: write "
		    "HOST:PORT");
	else if (!memchr(word, ':', len) || host_port_read(&read, text))
		snprintf(to, size, "%.60s is not HOST:PORT", text);
	else
		host_port_explain(text, to, size);
}

void
host_port_explain_list(const char *list, char *to, size_t size)
{
	struct host_port each;
	size_t count = 0, len;

	for (;;) {
		const char *rest = list;
		const char *word = host_port_next_word(&rest, &len);

		if (++count > HOST_PORT_LIST_MAX) {
			snprintf(to, size, "has more than %d hosts",
			    HOST_PORT_LIST_MAX);
			return;
		}
		if (!host_port_read_next(&each, &list)) {
			host_port_explain_word(word, len, to, size);
			return;
		}
		if (host_port_has(list, word, len)) {
			snprintf(to, size, "%.*s is there twice",
			    len < 60 ? (int)len : 60, word);
			return;
		}
	}
}

void
host_port_explain(const char *text, char *to, size_t size)
{
	const char *colon = strchr(text, ':');
	const char *port = host_port_find_port(text);

	if (*text == '/')
		snprintf(to, size,
		    "a path is not a TCP address: write unix = %.100s", text);
	else if (strstr(text, "://"))
		snprintf(to, size, "a URL is not an address: write HOST:PORT");
	else if (!colon && !host_port_is_port(text))
		snprintf(to, size,
		    "%.60s has no port: write HOST:PORT, :PORT or PORT", text);
	else if (!host_port_is_port(port))
		snprintf(
		    to, size, "%.60s: the port is not from 1 to 65535", text);
	else if (colon + 1 != port && *text != '[')
		snprintf(to, size,
		    "%.60s: write an IPv6 address in brackets: [::1]:PORT",
		    text);
	else
		snprintf(
		    to, size, "%.60s is not HOST:PORT, :PORT or PORT", text);
}
