/*
 * read_url: takes a URL apart into the settings that it stands for.  A setting
 * that the URL says is not given beside it.  The heart is the table
 * url_settings.
 */
#include "config/reading.h"
#include "config/url.h"
#include "config/value.h"

#include <stdio.h>
#include <string.h>

/* Room for a number. */
#define READ_URL_NUMBER 24

static bool
read_url_has_sentinels(const struct url *url)
{
	return *url->hosts != '\0';
}

/* Where the sentinels say which server it is, host and port mean nothing. */
static const char *
read_url_host(const struct url *url, char *number)
{
	(void)number;
	if (read_url_has_sentinels(url))
		return NULL;
	return *url->path ? setting_find("redis", "host")->fallback : url->host;
}

static const char *
read_url_port(const struct url *url, char *number)
{
	snprintf(number, READ_URL_NUMBER, "%lld", (long long)url->port);
	return read_url_has_sentinels(url) ? NULL : number;
}

static const char *
read_url_path(const struct url *url, char *number)
{
	(void)number;
	return url->path;
}

static const char *
read_url_tls(const struct url *url, char *number)
{
	(void)number;
	return url->tls ? "yes" : "no";
}

static const char *
read_url_topology(const struct url *url, char *number)
{
	(void)number;
	return read_url_has_sentinels(url) ? "sentinel" : NULL;
}

static const char *
read_url_hosts(const struct url *url, char *number)
{
	(void)number;
	return read_url_has_sentinels(url) ? url->hosts : NULL;
}

static const char *
read_url_master(const struct url *url, char *number)
{
	(void)number;
	return *url->master ? url->master : NULL;
}

static const char *
read_url_sentinel_tls(const struct url *url, char *number)
{
	return read_url_has_sentinels(url) ? read_url_tls(url, number) : NULL;
}

static const char *
read_url_db(const struct url *url, char *number)
{
	snprintf(number, READ_URL_NUMBER, "%lld", (long long)url->db);
	return url->db == -1 ? NULL : number;
}

static const char *
read_url_user(const struct url *url, char *number)
{
	(void)number;
	return *url->user ? url->user : NULL;
}

static const char *
read_url_password(const struct url *url, char *number)
{
	(void)number;
	return *url->password ? url->password : NULL;
}

static const struct {
	const char *name;
	/* Its value, in ${number} or in the URL; NULL: the URL says none. */
	const char *(*get)(const struct url *url, char *number);
} url_settings[] = {
    {"host", read_url_host},
    {"port", read_url_port},
    {"unix_socket_path", read_url_path},
    {"tls", read_url_tls},
    {"db", read_url_db},
    {"username", read_url_user},
    {"password", read_url_password},
    {"topology", read_url_topology},
    {"hosts", read_url_hosts},
    {"master_name", read_url_master},
    {"sentinel_tls", read_url_sentinel_tls},
};

/* Report what is wrong with the URL, where it is from. */
static void
read_url_blame(struct config_reading *reading, const char *reason)
{
	const struct setting *url = setting_find("redis", "url");

	reading_blame_value(reading, url, reason);
}

static void
read_url_set(
    struct config_reading *reading, const char *name, const char *value)
{
	const struct setting *setting = setting_find("redis", name);
	const struct config_source url =
	    *reading_source(reading, setting_find("redis", "url"));
	struct config_source *source = reading_source(reading, setting);
	struct config *config = reading->config;
	char reason[100];

	if (reading_is_outranked(reading, setting, url.rank))
		return;
	if (source->rank == url.rank) {
		snprintf(reason, sizeof(reason),
		    "%s says it, too: remove one of them",
		    url.where ? url.where : "url");
		reading_blame_value(reading, setting, reason);
		return;
	}
	*source = url;
	if (reading_drop_rival(reading, setting, url.rank) == -1 ||
	    value_set(&config->texts, setting,
		setting_place(config, setting, 0), value) == -1)
		read_url_blame(reading, "out of memory");
}

/* Read the URL.  One of a server goes with no topology that has hosts. */
static const char *
read_url_take_apart(const struct config_reading *reading, struct url *url)
{
	const struct config *config = reading->config;
	const char *reason = url_read(url, config->redis_url);

	if (!reason && !read_url_has_sentinels(url) &&
	    config->redis_topology != REDIS_SINGLE)
		reason = "and this topology exclude each other: set hosts";
	return reason;
}

void
reading_take_url(struct config_reading *reading)
{
	struct config *config = reading->config;
	char number[READ_URL_NUMBER];
	const char *value, *reason;
	struct url url;

	if (!*config->redis_url)
		return;
	reason = read_url_take_apart(reading, &url);
	for (size_t i = 0; !reason && i < COUNT(url_settings); i++)
		if ((value = url_settings[i].get(&url, number)))
			read_url_set(reading, url_settings[i].name, value);
	explicit_bzero(&url, sizeof(url));
	if (reason)
		read_url_blame(reading, reason);
	else if (value_set(&config->texts, setting_find("redis", "url"),
		     &config->redis_url, "") == -1)
		read_url_blame(reading, "out of memory");
}
