/*
 * url: takes a URL apart from left to right: scheme, user and password, place
 * or places, name of the master, database.  What it writes is as long as the
 * struct has room for, and has no control characters.  The heart is url_read().
 */
#include "config/url.h"

#include "base/host_port.h"
#include "base/num.h"
#include "net/endpoint.h"

#include <stdio.h>
#include <string.h>

#define PORT_DEFAULT          6379
#define SENTINEL_PORT_DEFAULT 26379

/* Part of the text. */
struct url_part {
	const char *start;
	size_t len;
};

static int
url_digit(char letter)
{
	static const char digits[] = "0123456789abcdef";
	const char *found;

	if (letter >= 'A' && letter <= 'F')
		letter = (char)(letter - 'A' + 'a');
	found = letter ? strchr(digits, letter) : NULL;
	return found ? (int)(found - digits) : -1;
}

/* The byte at ${at}, with ${at} moved behind it, or -1. */
static int
url_next_byte(const char **at, const char *end)
{
	const char *start = *at;

	*at = start + 1;
	if (*start != '%')
		return (unsigned char)*start;
	if (end - start < 3 || url_digit(start[1]) == -1 ||
	    url_digit(start[2]) == -1)
		return -1;
	*at = start + 3;
	return url_digit(start[1]) * 16 + url_digit(start[2]);
}

/* Decode into ${to}, of ${size} bytes. */
static const char *
url_decode(const struct url_part *part, char *to, size_t size)
{
	const char *at = part->start, *end = at + part->len;
	size_t len = 0;

	while (at < end) {
		int byte = url_next_byte(&at, end);

		if (byte == -1)
			return "a % in it is written %25";
		if (byte < 0x20 || byte == 0x7f)
			return "it holds a control character";
		if (len + 1 == size)
			return "its user, password, host, master or path is "
			       "too long";
		to[len++] = (char)byte;
	}
	to[len] = '\0';
	return NULL;
}

/* The number in ${part}, from ${min}.  Return whether it is one. */
static bool
url_read_number(
    const struct url_part *part, int64_t min, int64_t max, int64_t *number)
{
	return num_read_int(part->start, part->len, min, max, number) == 0;
}

static const char *
url_read_login(struct url *url, const struct url_part *login)
{
	const char *colon = memchr(login->start, ':', login->len);
	struct url_part user = *login, password = {login->start, 0};
	const char *reason;

	if (colon) {
		user.len = (size_t)(colon - login->start);
		password.start = colon + 1;
		password.len = login->len - user.len - 1;
	}
	reason = url_decode(&user, url->user, sizeof(url->user));
	return reason ? reason
		      : url_decode(
			    &password, url->password, sizeof(url->password));
}

/* The colon before the port, or NULL: none, or one of an IPv6 address. */
static const char *
url_find_port(const struct url_part *place)
{
	const char *colon = memrchr(place->start, ':', place->len);
	const char *bracket = memrchr(place->start, ']', place->len);

	return colon && (!bracket || colon > bracket) ? colon : NULL;
}

/* HOST or HOST:PORT. */
static const char *
url_read_place(struct url *url, const struct url_part *place)
{
	const char *colon = url_find_port(place);
	struct url_part host = *place, port;
	const char *reason;

	if (colon) {
		host.len = (size_t)(colon - place->start);
		port.start = colon + 1;
		port.len = place->len - host.len - 1;
		if (!url_read_number(&port, 1, 65535, &url->port))
			return "its port is not from 1 to 65535 (an IPv6 "
			       "address is in brackets)";
	}
	/* Else it is not clear where the address ends and the port begins. */
	if (host.len > 0 && *host.start != '[' &&
	    memchr(host.start, ':', host.len))
		return "an IPv6 address in it is in brackets, as in "
		       "[::1]:6379";
	if (host.len == 0)
		return "it names no host";
	reason = url_decode(&host, url->host, sizeof(url->host));
	if (!reason && !host_read(url->host, url->host))
		reason = "its host is no name and no address";
	return reason;
}

/* "?db=3", or nothing. */
static const char *
url_read_query(struct url *url, const char *query)
{
	struct url_part number;

	if (*query == '\0')
		return NULL;
	if (strncmp(query, "?db=", 4) != 0)
		return "it has a parameter that is not db";
	number = (struct url_part){query + 4, strlen(query + 4)};
	return url_read_number(&number, 0, URL_DB_MAX, &url->db)
		   ? NULL
		   : "its db is not a whole number from 0 to 1000000";
}

/* "/3", or "/", or nothing, before a query. */
static const char *
url_read_database(struct url *url, const char *rest)
{
	struct url_part number = {rest + 1, strcspn(rest, "?")};

	if (number.len > 1) {
		number.len--;
		if (!url_read_number(&number, 0, URL_DB_MAX, &url->db))
			return "what follows its host is not /DB, a whole "
			       "number from 0 to 1000000";
		rest += number.len + 1;
		return *rest ? "it names the database twice" : NULL;
	}
	return url_read_query(url, rest + number.len);
}

static const char *
url_read_server(struct url *url, const struct url_part *place, const char *rest)
{
	const char *reason = url_read_place(url, place);

	return reason ? reason : url_read_database(url, rest);
}

static const char *
url_read_socket(struct url *url, const struct url_part *place, const char *rest)
{
	struct url_part path = {rest, strcspn(rest, "?")};
	const char *reason;

	if (place->len > 0 || path.len < 2)
		return "its path begins with /, as in unix:///run/redis.sock";
	reason = url_decode(&path, url->path, sizeof(url->path));
	return reason ? reason : url_read_query(url, rest + path.len);
}

/*
 * Sentinels: HOST[:PORT],HOST[:PORT].../MASTER/DB.
 */

/* Add the place that was read last to the list. */
static const char *
url_add_host(struct url *url)
{
	const struct endpoint at = {"", url->host, url->port};
	char name[ENDPOINT_NAME_MAX];
	size_t used = strlen(url->hosts);
	int len;

	endpoint_name(&at, name);
	len = snprintf(url->hosts + used, sizeof(url->hosts) - used, "%s%s",
	    used > 0 ? " " : "", name);
	return (size_t)len < sizeof(url->hosts) - used
		   ? NULL
		   : "it names too many hosts";
}

static const char *
url_read_hosts(struct url *url, const struct url_part *places)
{
	const char *at = places->start, *end = at + places->len;
	const char *reason = NULL;

	for (const char *comma = at; !reason && comma < end; at = comma + 1) {
		struct url_part place = {at, 0};

		comma = memchr(at, ',', (size_t)(end - at));
		if (!comma)
			comma = end;
		place.len = (size_t)(comma - at);
		url->port = SENTINEL_PORT_DEFAULT;
		reason = url_read_place(url, &place);
		if (!reason)
			reason = url_add_host(url);
	}
	if (!reason && !*url->hosts)
		reason = "it names no host";
	if (!reason && !host_port_is_list(url->hosts))
		reason = "it names a host twice, or more than 1000";
	return reason;
}

/* "/MASTER", or "/", or nothing, before the rest. */
static const char *
url_read_master(struct url *url, const char **rest)
{
	struct url_part name = {*rest + 1, 0};

	if (**rest != '/')
		return NULL;
	name.len = strcspn(name.start, "/?");
	*rest = name.start + name.len;
	if (name.len == 0 && **rest == '/')
		return "it names no master before its database, as in "
		       "/mymaster/3";
	return url_decode(&name, url->master, sizeof(url->master));
}

static const char *
url_read_sentinels(
    struct url *url, const struct url_part *places, const char *rest)
{
	const char *reason = url_read_hosts(url, places);

	if (!reason)
		reason = url_read_master(url, &rest);
	return reason ? reason : url_read_database(url, rest);
}

static const struct url_scheme {
	const char *name;
	bool tls;
	const char *(*read)(
	    struct url *url, const struct url_part *place, const char *rest);
} schemes[] = {
    {"redis://", false, url_read_server},
    {"rediss://", true, url_read_server},
    {"unix://", false, url_read_socket},
    {"redis+sentinel://", false, url_read_sentinels},
    {"rediss+sentinel://", true, url_read_sentinels},
};

static const struct url_scheme *
url_find_scheme(const char *text)
{
	for (size_t i = 0; i < COUNT(schemes); i++)
		if (strncasecmp(
			text, schemes[i].name, strlen(schemes[i].name)) == 0)
			return &schemes[i];
	return NULL;
}

static const char *
url_explain_scheme(const char *text)
{
	if (strncasecmp(text, "redis-sentinel:", 15) == 0 ||
	    strncasecmp(text, "rediss-sentinel:", 16) == 0)
		return "for sentinels write redis+sentinel://HOST,HOST/MASTER "
		       "or rediss+sentinel://";
	return "it begins with none of redis://, rediss://, unix:// and "
	       "redis+sentinel://";
}

/* A / ? or # ends the place, an @ before that the login; so one of these in a
 * password leaves an @ where none can be. */
static bool
url_is_cut_short(
    const struct url_part *authority, const char *at, const char *rest)
{
	if (at &&
	    memchr(authority->start, '@', (size_t)(at - authority->start)))
		return true;
	return authority->len > 0 && strchr(rest, '@');
}

const char *
url_read(struct url *url, const char *text)
{
	const struct url_scheme *scheme = url_find_scheme(text);
	struct url_part place, login;
	const char *at, *rest, *reason = NULL;

	*url = (struct url){.port = PORT_DEFAULT, .db = -1};
	if (!scheme)
		return url_explain_scheme(text);
	url->tls = scheme->tls;
	place.start = text + strlen(scheme->name);
	place.len = strcspn(place.start, "/?#");
	rest = place.start + place.len;
	at = memrchr(place.start, '@', place.len);
	if (url_is_cut_short(&place, at, rest))
		return "in its user or password @ is written %40, / %2F, ? %3F "
		       "and # %23";
	if (strchr(rest, '#'))
		return "it has a # (written %23 in a path)";
	if (at) {
		login =
		    (struct url_part){place.start, (size_t)(at - place.start)};
		place.start = at + 1;
		place.len -= login.len + 1;
		reason = url_read_login(url, &login);
	}
	return reason ? reason : scheme->read(url, &place, rest);
}
