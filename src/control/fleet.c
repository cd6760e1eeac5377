/*
 * Job: sends the commands that report this daemon, and remembers which of them
 * the server has acknowledged.
 * Invariant: ${reported} is in the server's set, or on its way there, unless it
 * is empty; ${withdrawn} is still in the set, or on its way out of it.
 * Heart: fleet_report() and fleet_report_reason().
 */
#include "control/fleet.h"

#include "base/clock.h"
#include "base/log.h"
#include "control/fleet_member.h"
#include "control/members.h"
#include "control/node_id.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Redis removes the hash when no daemon has written to it for this long. */
#define HASH_TTL_S 86400

/* Fields to look at with each report.  Redis returns all of a small hash. */
#define SCAN_COUNT 10

struct fleet {
	struct link *link;
	const struct subscriber_options *options;
	char node[NODE_NAME_MAX + 1]; /* its name; "": none */
	char field[264];              /* this daemon's */
	char key[300];                /* of the hash */
	char cursor[24]; /* where the next look at other fields begins */

	void (*left)(void *arg); /* NULL: not leaving */
	void *left_arg;

	char reported[FLEET_REASON_MAX + 1];
	char withdrawn[FLEET_REASON_MAX + 1];
	bool acknowledged; /* the server has ${reported} */

	struct command command; /* reused, for its memory */
	struct log_limiter limiter;
};

/* Return whether ${done} will be called. */
static bool
fleet_send_command(struct fleet *fleet, link_done *done)
{
	int64_t deadline_us =
	    clock_us() + fleet->options->link.socket_timeout_us;

	if (link_call(fleet->link, &fleet->command, deadline_us, done, fleet) ==
	    -1)
		return false;
	link_flush(fleet->link);
	return true;
}

/* Whether the server ran the command.  The limits do not depend on that. */
static bool
fleet_has_run(struct fleet *fleet, const redisReply *reply)
{
	char text[200];

	if (!reply || reply->type != REDIS_REPLY_ERROR)
		return reply;
	log_limited(&fleet->limiter, LOG_LEVEL_WARNING,
	    "redis %s: the fleet report failed: %s", link_name(fleet->link),
	    log_escape(text, sizeof(text), reply->str, (size_t)reply->len));
	return false;
}

static void
fleet_on_reply(const redisReply *reply, void *arg)
{
	(void)fleet_has_run(arg, reply);
}

/* Start a command of ${count} arguments on the hash. */
static struct command *
fleet_start(struct fleet *fleet, size_t count, const char *verb)
{
	command_start(&fleet->command, count);
	command_add_text(&fleet->command, verb);
	command_add_text(&fleet->command, fleet->key);
	return &fleet->command;
}

/* Whether it is a report, written more than an hour ago. */
static bool
fleet_is_forgotten(const redisReply *name, const redisReply *value)
{
	struct fleet_member member;

	return fleet_member_read(&member, name, value) == 0 &&
	       time(NULL) - member.seen_at > FLEET_FORGOTTEN_S;
}

static void
fleet_forget(struct fleet *fleet, const redisReply *fields)
{
	struct command *command;
	size_t count = 0;

	for (size_t i = 1; i < fields->elements; i += 2)
		count += fleet_is_forgotten(
		    fields->element[i - 1], fields->element[i]);
	if (count == 0)
		return;
	command = fleet_start(fleet, 2 + count, "HDEL");
	for (size_t i = 1; i < fields->elements; i += 2)
		if (fleet_is_forgotten(
			fields->element[i - 1], fields->element[i]))
			command_add(command, fields->element[i - 1]->str,
			    (size_t)fields->element[i - 1]->len);
	fleet_send_command(fleet, fleet_on_reply);
}

static void
fleet_on_scanned(const redisReply *reply, void *arg)
{
	struct fleet *fleet = arg;

	if (!fleet_has_run(fleet, reply) || reply->type != REDIS_REPLY_ARRAY ||
	    reply->elements != 2 ||
	    reply->element[0]->type != REDIS_REPLY_STRING ||
	    !members_is_reply(reply->element[1]))
		return;
	snprintf(
	    fleet->cursor, sizeof(fleet->cursor), "%s", reply->element[0]->str);
	fleet_forget(fleet, reply->element[1]);
}

void
fleet_report(struct fleet *fleet, const struct fleet_running *running)
{
	char text[128];

	if (fleet->left)
		return;
	snprintf(text, sizeof(text), "%s %lld %zu %lld", running->digest,
	    (long long)running->loaded_at, running->count,
	    (long long)time(NULL));
	fleet_start(fleet, 4, "HSET");
	command_add_text(&fleet->command, fleet->field);
	command_add_text(&fleet->command, text);
	fleet_send_command(fleet, fleet_on_reply);
	fleet_start(fleet, 3, "EXPIRE");
	command_add_int(&fleet->command, HASH_TTL_S);
	fleet_send_command(fleet, fleet_on_reply);
	fleet_start(fleet, 5, "HSCAN");
	command_add_text(&fleet->command, fleet->cursor);
	command_add_text(&fleet->command, "COUNT");
	command_add_int(&fleet->command, SCAN_COUNT);
	fleet_send_command(fleet, fleet_on_scanned);
}

static void
fleet_on_left(const redisReply *reply, void *arg)
{
	struct fleet *fleet = arg;

	(void)fleet_has_run(fleet, reply);
	fleet->left(fleet->left_arg);
}

void
fleet_leave(struct fleet *fleet, void (*left)(void *arg), void *arg)
{
	fleet->left = left;
	fleet->left_arg = arg;
	fleet_start(fleet, 3, "HDEL");
	command_add_text(&fleet->command, fleet->field);
	if (!fleet_send_command(fleet, fleet_on_left))
		left(arg);
}

/* The daemon that added the reason publishes it; the others found it there. */
static void
fleet_on_added(const redisReply *reply, void *arg)
{
	struct fleet *fleet = arg;

	if (!fleet_has_run(fleet, reply))
		return;
	fleet->acknowledged = true;
	if (reply->type != REDIS_REPLY_INTEGER || reply->integer != 1)
		return;
	command_start(&fleet->command, 3);
	command_add_text(&fleet->command, "PUBLISH");
	command_add_text(&fleet->command, fleet->options->errors_channel);
	command_add_text(&fleet->command, fleet->reported);
	fleet_send_command(fleet, fleet_on_reply);
}

static void
fleet_on_removed(const redisReply *reply, void *arg)
{
	struct fleet *fleet = arg;

	if (reply)
		fleet->withdrawn[0] = '\0';
	(void)fleet_has_run(fleet, reply);
}

static void
fleet_change_set(
    struct fleet *fleet, const char *verb, const char *reason, link_done *done)
{
	command_start(&fleet->command, 3);
	command_add_text(&fleet->command, verb);
	command_add_text(&fleet->command, fleet->options->errors_key);
	command_add_text(&fleet->command, reason);
	fleet_send_command(fleet, done);
}

void
fleet_report_reason(struct fleet *fleet, const char *reason, bool repeat)
{
	if (strcmp(fleet->reported, reason) != 0) {
		if (*fleet->reported)
			strcpy(fleet->withdrawn, fleet->reported);
		snprintf(
		    fleet->reported, sizeof(fleet->reported), "%s", reason);
		fleet->acknowledged = false;
	}
	if (*fleet->withdrawn && strcmp(fleet->withdrawn, fleet->reported) != 0)
		fleet_change_set(
		    fleet, "SREM", fleet->withdrawn, fleet_on_removed);
	if (*fleet->reported && (repeat || !fleet->acknowledged))
		fleet_change_set(
		    fleet, "SADD", fleet->reported, fleet_on_added);
}

struct fleet *
fleet_new(struct link *link, const struct subscriber_options *options)
{
	struct fleet *fleet = calloc(1, sizeof(*fleet));

	if (!fleet)
		return NULL;
	fleet->link = link;
	fleet->options = options;
	node_name_make(fleet->node, options->node_name);
	snprintf(fleet->field, sizeof(fleet->field), "%s%s%s",
	    *fleet->node ? fleet->node : "-", *options->node_id ? "#" : "",
	    options->node_id);
	snprintf(
	    fleet->key, sizeof(fleet->key), "%s:fleet", options->limits_key);
	strcpy(fleet->cursor, "0");
	return fleet;
}

const char *
fleet_node(const struct fleet *fleet)
{
	return fleet->node;
}

const char *
fleet_key(const struct fleet *fleet)
{
	return fleet->key;
}

void
fleet_free(struct fleet *fleet)
{
	if (!fleet)
		return;
	command_free(&fleet->command);
	free(fleet);
}
