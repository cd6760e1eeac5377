#include "redis/server_info.h"

#include "base/clock.h"
#include "redis/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The value of "name:value\r\n" in the reply to INFO, or NULL. */
static const char *
server_info_value(const char *text, const char *name)
{
	size_t len = strlen(name);
	const char *at = text;

	while ((at = strstr(at, name))) {
		if ((at == text || at[-1] == '\n') && at[len] == ':')
			return at + len + 1;
		at += len;
	}
	return NULL;
}

bool
server_info_read(const char *text, const char *name, char *to, size_t size)
{
	const char *value = server_info_value(text, name);

	if (value)
		snprintf(to, size, "%.*s", (int)strcspn(value, "\r\n"), value);
	return value != NULL;
}

/* Valkey has its own name for the mode. */
bool
server_info_is_of_cluster(const char *text)
{
	char mode[40];

	return (server_info_read(text, "redis_mode", mode, sizeof(mode)) ||
		   server_info_read(text, "server_mode", mode, sizeof(mode))) &&
	       strcmp(mode, "cluster") == 0;
}

static void
server_info_check(struct server_info *info, const char *text)
{
	const char *policy = server_info_value(text, "maxmemory_policy");
	const char *version = server_info_value(text, "redis_version");
	const char *name = link_name(info->link);

	if (policy && strncmp(policy, "noeviction", 10) != 0)
		log_limited(&info->policy_limiter, LOG_LEVEL_WARNING,
		    "redis %s: maxmemory-policy is not noeviction: "
		    "buckets may be lost",
		    name);
	if (version && atoi(version) < 7)
		log_limited(&info->version_limiter, LOG_LEVEL_WARNING,
		    "redis %s: version 7 or later is needed", name);
}

static void
server_info_on_reply(const redisReply *reply, void *arg)
{
	struct server_info *info = arg;
	char text[REPLY_EXPLAIN_MAX];

	info->is_unwanted = !reply;
	if (reply && reply->type == REDIS_REPLY_ERROR)
		log_limited(&info->version_limiter, LOG_LEVEL_WARNING,
		    "redis %s: its version and maxmemory-policy are not known: "
		    "%s",
		    link_name(info->link),
		    reply_explain(reply->str, reply->len, NULL, text));
	if (reply && reply->type == REDIS_REPLY_STRING)
		server_info_check(info, reply->str);
}

void
server_info_ask(struct server_info *info, int64_t timeout_us)
{
	bool is_unwanted = info->is_unwanted;

	info->is_unwanted = false;
	if (is_unwanted)
		return;
	command_start(&info->command, 1);
	command_add_text(&info->command, "INFO");
	if (link_call(info->link, &info->command, clock_us() + timeout_us,
		server_info_on_reply, info) == 0)
		link_flush(info->link);
}

void
server_info_free(struct server_info *info)
{
	command_free(&info->command);
}
