/*
 * Writes the first commands of a link, step by step, and judges their replies,
 * which come in the order of the steps that were written.  The heart is the
 * table of steps.
 */
#include "redis/greeting.h"

#include "base/attr.h"
#include "base/secret.h"
#include "redis/topology_record.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Room for the name of a connection. */
#define NAME_MAX_LEN 160

/* The user's password may be empty ("nopass"); a user without a name is the
 * default one, which needs no AUTH without a password. */
static bool
greeting_write_login(const struct link_options *options, const char *password,
    struct command *command)
{
	bool named = options->username && *options->username;

	if (!named && !*password)
		return false;
	command_start(command, named ? 3 : 2);
	command_add_text(command, "AUTH");
	if (named)
		command_add_text(command, options->username);
	command_add_text(command, password);
	return true;
}

static bool
greeting_write_auth(const struct greeting *greeting, struct command *command)
{
	const struct link_options *options = greeting->options;
	char password[SECRET_MAX + 1];
	bool result;

	if (!options->secret)
		return greeting_write_login(
		    options, options->password, command);
	secret_copy(options->secret, password);
	result = greeting_write_login(options, password, command);
	explicit_bzero(password, sizeof(password));
	return result;
}

/* Not for database 0, in which every connection starts: a proxy may not know
 * SELECT. */
static bool
greeting_write_select(const struct greeting *greeting, struct command *command)
{
	if (greeting->options->db == 0)
		return false;
	command_start(command, 2);
	command_add_text(command, "SELECT");
	command_add_int(command, greeting->options->db);
	return true;
}

static bool
greeting_write_ping(const struct greeting *greeting, struct command *command)
{
	(void)greeting;
	command_start(command, 1);
	command_add_text(command, "PING");
	return true;
}

/* Return whether it is to have one.  No name has a blank, or what is no
 * ASCII. */
static bool
greeting_write_name(const struct link_options *options, char to[NAME_MAX_LEN])
{
	if (!options->node || !options->role)
		return false;
	snprintf(
	    to, NAME_MAX_LEN, "dripgate-%s-%s", options->node, options->role);
	for (; *to; to++)
		if (!isgraph((unsigned char)*to))
			*to = '_';
	return true;
}

static bool
greeting_write_hello(const struct greeting *greeting, struct command *command)
{
	char name[NAME_MAX_LEN];
	bool named;

	if (greeting->without_hello)
		return false;
	named = greeting_write_name(greeting->options, name);
	command_start(command, named ? 4 : 2);
	command_add_text(command, "HELLO");
	command_add_text(command, "2");
	if (named) {
		command_add_text(command, "SETNAME");
		command_add_text(command, name);
	}
	return true;
}

static const char *
greeting_explain(struct greeting *greeting, const redisReply *reply)
{
	return reply_explain(reply->str, reply->len, NULL, greeting->reason);
}

static const char *
greeting_take_fine(struct greeting *greeting, const redisReply *reply)
{
	return reply->type == REDIS_REPLY_ERROR
		   ? greeting_explain(greeting, reply)
		   : NULL;
}

/* The server takes another password, or wants one. */
static void
greeting_refuse_secret(struct greeting *greeting)
{
	if (!greeting->options->secret)
		return;
	greeting->is_secret_refused = true;
	secret_refuse(greeting->options->secret);
}

static const char *
greeting_take_auth(struct greeting *greeting, const redisReply *reply)
{
	if (reply->type == REDIS_REPLY_ERROR)
		greeting_refuse_secret(greeting);
	return greeting_take_fine(greeting, reply);
}

/* A server that does not let this user PING is ready all the same. */
static const char *
greeting_take_pong(struct greeting *greeting, const redisReply *reply)
{
	if (reply_is_error(reply, "NOAUTH"))
		greeting_refuse_secret(greeting);
	return reply_is_error(reply, "NOPERM")
		   ? NULL
		   : greeting_take_fine(greeting, reply);
}

/* Whether HELLO's reply, names and values in turn, says that ${name} is
 * ${value}. */
static bool
greeting_says(const redisReply *reply, const char *name, const char *value)
{
	if (reply->type != REDIS_REPLY_ARRAY)
		return false;
	for (size_t i = 0; i + 1 < reply->elements; i += 2) {
		const redisReply *left = reply->element[i];
		const redisReply *right = reply->element[i + 1];

		if (left->type == REDIS_REPLY_STRING &&
		    right->type == REDIS_REPLY_STRING &&
		    strcmp(left->str, name) == 0)
			return strcmp(right->str, value) == 0;
	}
	return false;
}

/* Whether the server is to be a node of a cluster. */
static bool
greeting_is_of_cluster(const struct link_options *options)
{
	return options->kind == LINK_TO_CLUSTER ||
	       (options->sentinel.hosts && options->sentinel.cluster_key);
}

/* A server that does not know HELLO, or replies in another form, is
 * accepted. */
static const char *
greeting_take_hello(struct greeting *greeting, const redisReply *reply)
{
	enum link_kind kind = greeting->options->kind;

	if (kind == LINK_TO_SENTINEL)
		return reply->type == REDIS_REPLY_ERROR ||
			       greeting_says(reply, "mode", "sentinel")
			   ? NULL
			   : "is no sentinel";
	if (greeting_says(reply, "mode", "sentinel"))
		return "is a sentinel: set topology = sentinel, and hosts";
	if (kind == LINK_TO_ANY)
		return NULL;
	if (greeting_is_of_cluster(greeting->options)) {
		if (greeting_says(reply, "mode", "standalone"))
			return "is no node of a cluster (cluster-enabled)";
	} else if (greeting_says(reply, "mode", "cluster")) {
		return "is a node of a cluster: set topology = cluster, and "
		       "hosts";
	}
	if (kind == LINK_TO_CLUSTER)
		return NULL;
	if (greeting_says(reply, "role", "replica"))
		return "is a replica: buckets need its master";
	return NULL;
}

static bool
greeting_write_record(const struct greeting *greeting, struct command *command)
{
	if (!greeting->options->record)
		return false;
	command_start(command, 2);
	command_add_text(command, "GET");
	command_add_text(command, greeting->options->record->key);
	return true;
}

/* A server that does not let this user read it, or has something else there,
 * is accepted. */
static const char *
greeting_take_record(struct greeting *greeting, const redisReply *reply)
{
	greeting->is_elsewhere =
	    reply->type == REDIS_REPLY_STRING &&
	    !topology_record_agrees(
		greeting->options->record->text, reply->str, reply->len);
	return greeting->is_elsewhere ? "has another topology" : NULL;
}

/* The steps in their order; each is skipped if it is not needed. */
static const struct {
	bool (*write)(const struct greeting *, struct command *);
	const char *(*take)(struct greeting *, const redisReply *);
} steps[GREETING_STEPS] = {
    {greeting_write_auth, greeting_take_auth},
    {greeting_write_select, greeting_take_fine},
    {greeting_write_ping, greeting_take_pong},
    {greeting_write_hello, greeting_take_hello},
    {greeting_write_record, greeting_take_record},
};

bool
greeting_write(struct greeting *greeting, struct command *command)
{
	while (greeting->next < GREETING_STEPS) {
		size_t step = greeting->next++;

		if (!steps[step].write(greeting, command))
			continue;
		greeting->written[greeting->written_count++] = step;
		return true;
	}
	return false;
}

const char *
greeting_take(struct greeting *greeting, const redisReply *reply)
{
	size_t step = greeting->written[greeting->taken++];

	return steps[step].take(greeting, reply);
}
