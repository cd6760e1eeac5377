/*
 * host_port: takes HOST:PORT and lists of it apart, and explains what is none.
 * What it explains is what it refuses.  The heart is host_port_read().
 */
#include "base/host_port.h"

#include "base/network.h"
#include "base/num.h"
#include "base/siphash.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
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

/* An address ends at its scope. */
void
host_port_unify_host(const char *host, char to[HOST_PORT_HOST_MAX])
{
	size_t len = strcspn(host, "%");
	struct ip_address address;
	char text[ADDRESS_TEXT_MAX];

	if (address_read(&address, host, len) == 0) {
		address_write(text, &address);
		snprintf(to, HOST_PORT_HOST_MAX, "%s%s", text, host + len);
		return;
	}
	snprintf(to, HOST_PORT_HOST_MAX, "%s", host);
	for (char *at = to; *at; at++)
		*at = (char)tolower((unsigned char)*at);
	len = strlen(to);
	if (len > 1 && to[len - 1] == '.')
		to[len - 1] = '\0';
}

void
host_port_name(const struct host_port *at, char to[HOST_PORT_NAME_MAX])
{
	char host[HOST_PORT_HOST_MAX];

	host_port_unify_host(at->host, host);
	snprintf(to, HOST_PORT_NAME_MAX,
	    strchr(host, ':') ? "[%s]:%ld" : "%s:%ld", host,
	    strtol(at->port, NULL, 10));
}

int
host_port_compare(const struct host_port *left, const struct host_port *right)
{
	int order = strcmp(left->host, right->host);

	return order ? order : strcmp(left->port, right->port);
}

/* What can be wrong with a list. */
enum list_fault {
	LIST_FINE,
	LIST_TOO_LONG,
	LIST_NO_HOST, /* a word is none */
	LIST_TWICE,
};

/* A list up to what is wrong with it: a word of ${len} bytes, or its name. */
struct list_walk {
	const char *word;
	size_t len;
	char name[HOST_PORT_NAME_MAX];
};

/* Names are compared by their hashes: there may be a thousand. */
static enum list_fault
host_port_walk(const char *list, struct list_walk *walk)
{
	static const struct siphash_seed zero;
	struct hash128 seen[HOST_PORT_LIST_MAX];
	struct host_port each;

	for (size_t count = 0;; count++) {
		const char *rest = list;

		if (count > 0 && list[strspn(list, BLANKS)] == '\0')
			return LIST_FINE;
		if (count == HOST_PORT_LIST_MAX)
			return LIST_TOO_LONG;
		walk->word = host_port_next_word(&rest, &walk->len);
		if (!host_port_read_next(&each, &list))
			return LIST_NO_HOST;
		host_port_name(&each, walk->name);
		seen[count] = siphash128(&zero, walk->name, strlen(walk->name));
		for (size_t i = 0; i < count; i++)
			if (hash128_equal(seen[i], seen[count]))
				return LIST_TWICE;
	}
}

bool
host_port_is_list(const char *list)
{
	struct list_walk walk;

	return host_port_walk(list, &walk) == LIST_FINE;
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
	struct list_walk walk;

	switch (host_port_walk(list, &walk)) {
	case LIST_FINE:
		*to = '\0';
		break;
	case LIST_TOO_LONG:
		snprintf(
		    to, size, "has more than %d hosts", HOST_PORT_LIST_MAX);
		break;
	case LIST_NO_HOST:
		host_port_explain_word(walk.word, walk.len, to, size);
		break;
	case LIST_TWICE:
		snprintf(to, size, "%.60s is there twice", walk.name);
		break;
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
