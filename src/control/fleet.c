#include "control/fleet.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The hash is forgotten when nobody has written to it for so long. */
#define KEPT_S 86400

struct fleet {
	struct link *link;
	const struct subscriber_options *options;
	char node[256];			   /* "": has no name */
	char key[300];			   /* of the hash */
	char told[FLEET_REASON_MAX + 1];   /* in the set, or on its way */
	char untold[FLEET_REASON_MAX + 1]; /* on its way out of it */
	bool heard;			   /* ${told} was answered */
	struct command command;		   /* its room is used again */
	struct log_pace pace;
};

static void
send_command(struct fleet *fleet, link_done *done)
{
	int64_t deadline_us =
	    clock_us() + fleet->options->link.socket_timeout_us;

	if (link_call(fleet->link, &fleet->command, deadline_us, done, fleet) ==
	    0)
		link_flush(fleet->link);
}

/* Whether the server took it.  Limits do not depend on that. */
static bool
was_taken(struct fleet *fleet, const redisReply *reply)
{
	char text[200];

	if (!reply || reply->type != REDIS_REPLY_ERROR)
		return reply;
	if (log_is_due(&fleet->pace))
		log_warning("redis %s: %s", link_name(fleet->link),
		    log_escape(
			text, sizeof(text), reply->str, (size_t)reply->len));
	return false;
}

static void
on_said(const redisReply *reply, void *arg)
{
	(void)was_taken(arg, reply);
}

void
fleet_say(struct fleet *fleet, const struct fleet_running *running)
{
	struct command *command = &fleet->command;
	char text[128];

	snprintf(text, sizeof(text), "%s %lld %zu %lld", running->digest,
	    (long long)running->loaded_at, running->count,
	    (long long)time(NULL));
	command_start(command, 4);
	command_add_text(command, "HSET");
	command_add_text(command, fleet->key);
	command_add_text(command, *fleet->node ? fleet->node : "-");
	command_add_text(command, text);
	send_command(fleet, on_said);
	command_start(command, 3);
	command_add_text(command, "EXPIRE");
	command_add_text(command, fleet->key);
	command_add_int(command, KEPT_S);
	send_command(fleet, on_said);
}

/* Who added it tells; the others of the fleet found it there. */
static void
on_added(const redisReply *reply, void *arg)
{
	struct fleet *fleet = arg;

	if (!was_taken(fleet, reply))
		return;
	fleet->heard = true;
	if (reply->type != REDIS_REPLY_INTEGER || reply->integer != 1)
		return;
	command_start(&fleet->command, 3);
	command_add_text(&fleet->command, "PUBLISH");
	command_add_text(&fleet->command, fleet->options->errors_channel);
	command_add_text(&fleet->command, fleet->told);
	send_command(fleet, on_said);
}

static void
on_removed(const redisReply *reply, void *arg)
{
	struct fleet *fleet = arg;

	if (reply)
		fleet->untold[0] = '\0';
	(void)was_taken(fleet, reply);
}

static void
change_set(
    struct fleet *fleet, const char *verb, const char *reason, link_done *done)
{
	command_start(&fleet->command, 3);
	command_add_text(&fleet->command, verb);
	command_add_text(&fleet->command, fleet->options->errors_key);
	command_add_text(&fleet->command, reason);
	send_command(fleet, done);
}

void
fleet_complain(struct fleet *fleet, const char *reason, bool again)
{
	if (strcmp(fleet->told, reason) != 0) {
		if (*fleet->told)
			strcpy(fleet->untold, fleet->told);
		snprintf(fleet->told, sizeof(fleet->told), "%s", reason);
		fleet->heard = false;
	}
	if (*fleet->untold && strcmp(fleet->untold, fleet->told) != 0)
		change_set(fleet, "SREM", fleet->untold, on_removed);
	if (*fleet->told && (again || !fleet->heard))
		change_set(fleet, "SADD", fleet->told, on_added);
}

/* "pong", "pong:NODE", "pong:NODE:DATA", "pong::DATA". */
void
fleet_pong(struct fleet *fleet, const struct message *ping)
{
	struct command *command = &fleet->command;
	struct buf pong = {0};

	if (buf_printf(&pong, "pong%s%s%s",
		*fleet->node || ping->data.bytes ? ":" : "", fleet->node,
		ping->data.bytes ? ":" : "") == -1 ||
	    (ping->data.bytes &&
		buf_add(&pong, ping->data.bytes, ping->data.len) == -1)) {
		buf_free(&pong);
		return;
	}
	command_start(command, 3);
	command_add_text(command, "PUBLISH");
	command_add(command, ping->channel.bytes, ping->channel.len);
	command_add(command, buf_head(&pong), buf_len(&pong));
	send_command(fleet, on_said);
	buf_free(&pong);
}

struct fleet *
fleet_new(struct link *link, const struct subscriber_options *options)
{
	struct fleet *fleet = calloc(1, sizeof(*fleet));

	if (!fleet)
		return NULL;
	fleet->link = link;
	fleet->options = options;
	if (*options->node_name)
		snprintf(
		    fleet->node, sizeof(fleet->node), "%s", options->node_name);
	else if (gethostname(fleet->node, sizeof(fleet->node) - 1) == -1)
		fleet->node[0] = '\0';
	snprintf(
	    fleet->key, sizeof(fleet->key), "%s:fleet", options->limits_key);
	return fleet;
}

void
fleet_free(struct fleet *fleet)
{
	if (!fleet)
		return;
	command_free(&fleet->command);
	free(fleet);
}
