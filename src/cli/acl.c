/*
 * acl: the users that the settings need in Redis, with the rights that they
 * need and no more. A right is printed once for each user, and each user in one
 * line, quoted so that redis-cli and a shell read the same. The heart is the
 * tables of commands and the acl_add_...() that use them.
 */
#include "base/buf.h"
#include "base/script.h"
#include "cli/commands.h"
#include "limit/algorithm.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The users for settings that name none. */
#define DAEMON   "dripgate"
#define OPERATOR "operator"

/* The channels on which daemons respond to "dripgate nodes". */
#define PONG_CHANNELS "&dripgate-*"

#define RIGHTS_MAX 80

struct acl_user {
	char server[ENDPOINT_NAME_MAX];
	const char *name;
	bool has_password;
	char *rights[RIGHTS_MAX];
	size_t count;
};

struct acl {
	struct acl_user *users;
	size_t count;
	bool failed; /* out of memory */
};

/* Prefixes of key patterns, by what the user may do. */
#define READ  "%R~"
#define WRITE "%W~"
#define BOTH  "~"

/* The commands outside scripts that each user needs. */
static const char *const of_buckets[] = {
    "info", "ping", "eval", "evalsha", NULL};
static const char *const of_control[] = {"ping", "eval_ro", "evalsha_ro",
    "hset", "hdel", "hscan", "expire", "sadd", "srem", "subscribe", "publish",
    NULL};
static const char *const of_master[] = {"ping", "zrange", "subscribe", NULL};
static const char *const of_target[] = {"ping", "watch", "unwatch", "zrange",
    "multi", "zrem", "zadd", "publish", "exec", NULL};
static const char *const of_operator[] = {"eval", "zrange", "multi", "unlink",
    "zadd", "exec", "hgetall", "hdel", "subscribe", "publish", NULL};

static struct acl_user *
acl_find_user(struct acl *acl, const char *server, const char *name)
{
	for (size_t i = 0; i < acl->count; i++)
		if (strcmp(acl->users[i].server, server) == 0 &&
		    strcmp(acl->users[i].name, name) == 0)
			return &acl->users[i];
	return NULL;
}

/* Find or add the user of that server.  There must be room for it. */
static struct acl_user *
acl_take_user(struct acl *acl, const struct link_options *link,
    const char *name, bool has_password)
{
	struct acl_user *user = &acl->users[acl->count];

	endpoint_name(&link->endpoint, user->server);
	if (acl_find_user(acl, user->server, name))
		return acl_find_user(acl, user->server, name);
	user->name = name;
	user->has_password = has_password;
	acl->count++;
	return user;
}

/* The user of a daemon. */
static struct acl_user *
acl_take_daemon(struct acl *acl, const struct link_options *link)
{
	bool named = link->username && *link->username;

	return acl_take_user(acl, link, named ? link->username : DAEMON,
	    !named || *link->password);
}

/* Add "${kind}${text}", unless the user has it. */
static void
acl_add(
    struct acl *acl, struct acl_user *user, const char *kind, const char *text)
{
	char *right = NULL;

	if (asprintf(&right, "%s%s", kind, text) == -1) {
		acl->failed = true;
		return;
	}
	for (size_t i = 0; i < user->count; i++) {
		if (strcmp(user->rights[i], right) == 0) {
			free(right);
			return;
		}
	}
	if (user->count < RIGHTS_MAX)
		user->rights[user->count++] = right;
	else
		free(right);
}

/* Add the keys or channels that start with ${text}, or equal it.  Redis allows
 * no blanks in a pattern: use "?" for them. */
static void
acl_add_names(struct acl *acl, struct acl_user *user, const char *kind,
    const char *text, const char *rest)
{
	struct buf pattern = {0};

	for (; *text; text++) {
		bool is_special = strchr("*?[]\\^", *text) != NULL;
		char shown = isspace((unsigned char)*text) ? '?' : *text;

		if (buf_printf(
			&pattern, "%s%c", is_special ? "\\" : "", shown) == -1)
			acl->failed = true;
	}
	if (buf_add(&pattern, rest, strlen(rest) + 1) == 0)
		acl_add(acl, user, kind, buf_data(&pattern));
	else
		acl->failed = true;
	buf_free(&pattern);
}

static void
acl_add_commands(
    struct acl *acl, struct acl_user *user, const char *const *commands)
{
	while (*commands)
		acl_add(acl, user, "+", *commands++);
}

/* Add those that a script calls: "call('HSET', ...", "try('HMGET', ...". */
static void
acl_add_script(
    struct acl *acl, struct acl_user *user, const struct script *script)
{
	const char *at = script->text;

	while ((at = strstr(at, "('"))) {
		char name[40] = "";
		size_t len = 0;

		for (at += 2; isupper((unsigned char)*at); at++)
			if (len < sizeof(name) - 1)
				name[len++] = (char)tolower(*at);
		if (len > 0 && *at == '\'')
			acl_add(acl, user, "+", name);
	}
}

static void
acl_add_database(
    struct acl *acl, struct acl_user *user, const struct link_options *link)
{
	if (link->db != 0)
		acl_add(acl, user, "+", "select");
}

static void
acl_add_buckets(struct acl *acl, const struct shard_options *options)
{
	struct acl_user *user = acl_take_daemon(acl, &options->link);

	acl_add_names(acl, user, BOTH, options->prefix, "*");
	acl_add_database(acl, user, &options->link);
	acl_add_commands(acl, user, of_buckets);
	for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
		acl_add_script(acl, user, algorithm_at(i)->batch);
		acl_add_script(acl, user, algorithm_at(i)->sweep);
	}
}

static void
acl_add_control(struct acl *acl, const struct subscriber_options *options)
{
	struct acl_user *user = acl_take_daemon(acl, &options->link);

	acl_add_names(acl, user, "&", options->channel, "");
	acl_add_names(acl, user, "&", options->errors_channel, "");
	acl_add(acl, user, PONG_CHANNELS, "");
	acl_add_names(acl, user, READ, options->limits_key, "");
	acl_add_names(acl, user, BOTH, options->limits_key, ":fleet");
	acl_add_names(acl, user, WRITE, options->errors_key, "");
	acl_add_database(acl, user, &options->link);
	acl_add_commands(acl, user, of_control);
	acl_add_script(acl, user, &script_limits);
}

static void
acl_add_operator(struct acl *acl, const struct subscriber_options *options)
{
	struct acl_user *user =
	    acl_take_user(acl, &options->link, OPERATOR, true);

	acl_add_names(acl, user, "&", options->channel, "");
	acl_add(acl, user, PONG_CHANNELS, "");
	acl_add_names(acl, user, BOTH, options->limits_key, "");
	acl_add_names(acl, user, BOTH, options->limits_key, ":fleet");
	acl_add_database(acl, user, &options->link);
	acl_add_commands(acl, user, of_operator);
	acl_add_script(acl, user, &script_limits);
}

static void
acl_add_distributor(struct acl *acl, const struct distributor_options *options)
{
	struct acl_user *user = acl_take_daemon(acl, &options->master);

	acl_add_names(acl, user, "&", options->channel, "");
	acl_add_names(acl, user, READ, options->limits_key, "");
	acl_add_database(acl, user, &options->master);
	acl_add_commands(acl, user, of_master);
	for (size_t i = 0; i < options->target_count; i++) {
		const struct link_options *link = &options->targets[i].link;

		user = acl_take_daemon(acl, link);
		acl_add_names(acl, user, "&", options->channel, "");
		acl_add_names(acl, user, BOTH, options->limits_key, "");
		acl_add_database(acl, user, link);
		acl_add_commands(acl, user, of_target);
	}
}

static void
acl_add_all(struct acl *acl, const struct config *config)
{
	struct subscriber_options control = config_subscriber(config);

	if (config->gate.store == STORE_REDIS)
		acl_add_buckets(acl, &config->gate.redis);
	if (config->limits_source == LIMITS_REDIS)
		acl_add_control(acl, &control);
	if (config->distributor.target_count > 0)
		acl_add_distributor(acl, &config->distributor);
	if (config->limits_source == LIMITS_REDIS)
		acl_add_operator(acl, &control);
}

/* Whether a shell and redis-cli both read it in single quotes. */
static bool
acl_is_quotable(const char *text)
{
	for (; *text; text++)
		if (*text == '\'' || !isprint((unsigned char)*text))
			return false;
	return true;
}

static void
acl_print_word(const char *text)
{
	if (strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			 "0123456789+_|-") == strlen(text)) {
		printf(" %s", text);
	} else if (acl_is_quotable(text)) {
		printf(" '%s'", text);
	} else {
		fputs(" \"", stdout);
		for (; *text; text++)
			printf(isalnum((unsigned char)*text) ? "%c" : "\\x%02x",
			    (unsigned char)*text);
		putchar('"');
	}
}

/* Channels, keys, and commands, in this order. */
static void
acl_print_user(const struct acl_user *user)
{
	static const char *const kinds[] = {"&", "~%", "+"};

	fputs("ACL SETUSER", stdout);
	acl_print_word(user->name);
	fputs(" reset on", stdout);
	acl_print_word(user->has_password ? ">PASSWORD" : "nopass");
	fputs(" resetchannels", stdout);
	for (size_t i = 0; i < COUNT(kinds); i++)
		for (size_t k = 0; k < user->count; k++)
			if (strchr(kinds[i], *user->rights[k]))
				acl_print_word(user->rights[k]);
	putchar('\n');
}

/* Only the lines go to standard output. */
static int
acl_print(const struct acl *acl)
{
	if (acl->failed)
		return tool_error("out of memory");
	if (acl->count == 0)
		return tool_error("these settings have nothing in Redis");
	for (size_t i = 0; i < acl->count; i++) {
		fflush(stdout);
		fprintf(stderr, "; at %s:\n", acl->users[i].server);
		acl_print_user(&acl->users[i]);
	}
	return STATUS_FINE;
}

int
acl_show(struct tool *tool)
{
	const struct config *config = tool_config(tool);
	struct acl acl = {0};
	int status;

	if (!config)
		return STATUS_ERROR;
	/* Buckets, control, operator, master; and one to look at. */
	acl.users =
	    calloc(5 + config->distributor.target_count, sizeof(*acl.users));
	if (!acl.users)
		return tool_error("out of memory");
	acl_add_all(&acl, config);
	status = acl_print(&acl);
	for (size_t i = 0; i < acl.count; i++)
		for (size_t k = 0; k < acl.users[i].count; k++)
			free(acl.users[i].rights[k]);
	free(acl.users);
	return status;
}
