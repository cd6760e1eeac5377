/*
 * Job: reads the master after each message, poll and reconnect, and hands its
 * members and overrides, with the strongest notice, to every target.
 * Invariant: a read starts after every event that may have changed the key; a
 * notice is forgotten only when a read that started after it succeeded.
 * Heart: distributor_read_master() and distributor_finish_read().
 */
#include "control/distributor.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "control/message.h"
#include "limit/override.h"
#include "redis/subscription.h"
#include "net/timer.h"
#include "redis/reply.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_SIZE 300

/*
 *   DOWN --> IDLE <--> READING
 *    ^________|___________|
 */
#define DISTRIBUTOR_STATES(X)                                                  \
	X(DOWN) /* the link to the master is */                                \
	X(IDLE)                                                                \
	X(READING) /* ZRANGE, or then HGETALL, is in flight */

enum distributor_state {
#define X(name) DISTRIBUTOR_##name,
	DISTRIBUTOR_STATES(X)
#undef X
};

static const char *const distributor_state_names[] = {
#define X(name) #name,
    DISTRIBUTOR_STATES(X)
#undef X
};

struct distributor {
	const struct distributor_options *options;
	struct target_common common; /* of the targets */
	struct timer poll;

	/* the master */
	struct subscription *subscription;
	struct link *link;      /* to read it */
	struct command command; /* reused, for its memory */
	enum distributor_state state;
	bool reread;           /* read it, once that is possible */
	struct notice pending; /* of the messages since the last read began */
	struct notice reading; /* of those before it */
	struct members *found; /* just now; NULL: none that is to be copied */
	struct log_limiter limiter;           /* of warnings about its limits */
	struct log_limiter overrides_limiter; /* about its overrides */
	struct log_limiter message_limiter;   /* of warnings about messages */

	/* the targets */
	struct members *members;   /* as last read; NULL: never */
	struct members *overrides; /* the same */
	char overrides_key[KEY_SIZE];
	struct target **targets;
};

/* The one writer of the state. */
static void
distributor_set_state(
    struct distributor *distributor, enum distributor_state state)
{
	log_debug("master: %s -> %s",
	    distributor_state_names[distributor->state],
	    distributor_state_names[state]);
	distributor->state = state;
}

static void
distributor_update_targets(
    struct distributor *distributor, const struct notice *notice)
{
	if (!distributor->members)
		return;
	for (size_t i = 0; i < distributor->options->target_count; i++)
		target_update(distributor->targets[i], distributor->members,
		    distributor->overrides, notice);
}

static void
distributor_warn(struct distributor *distributor, const char *reason)
{
	char text[160];

	log_limited(&distributor->limiter, LOG_LEVEL_WARNING,
	    "master: limits not copied: key '%s' %s; the "
	    "targets keep theirs",
	    distributor->options->limits_key,
	    log_escape(text, sizeof(text), reason, strlen(reason)));
}

static void
distributor_warn_error(struct distributor *distributor, const char *error)
{
	char reason[160];

	snprintf(reason, sizeof(reason), "was not read: %s", error);
	distributor_warn(distributor, reason);
}

/* Make a list of the master's members, or NULL: they must not be copied. */
static struct members *
distributor_take_members(
    struct distributor *distributor, const redisReply *reply)
{
	struct members *members = members_new(reply);

	if (!members && reply->type == REDIS_REPLY_ERROR)
		distributor_warn_error(distributor, reply->str);
	else if (!members && errno == EFBIG)
		distributor_warn(
		    distributor, "has more than 32768 members or 4 MiB");
	else if (!members && errno == EINVAL)
		distributor_warn(distributor, "is no sorted set");
	else if (!members)
		distributor_warn(distributor, "does not fit into memory");
	else
		link_proven(distributor->link);
	if (members && members_count(members) == 0) {
		distributor_warn(distributor, "is empty or missing");
		members_unref(members);
		members = NULL;
	}
	return members;
}

/* The read failed: the next one hands out its notice. */
static void
distributor_restore_notice(struct distributor *distributor)
{
	notice_add(&distributor->pending, &distributor->reading);
	distributor->reading = (struct notice){0};
}

static void distributor_read_master(struct distributor *distributor);

/* Put what was read, or NULL, in the place of what was known; takes the
 * reference. */
static void
distributor_replace(struct members **known, struct members *found)
{
	if (!found)
		return;
	members_unref(*known);
	*known = found;
}

/* The members were read, and the overrides, or NULL: the targets keep theirs.
 */
static void
distributor_finish_read(
    struct distributor *distributor, struct members *overrides)
{
	distributor_set_state(distributor, DISTRIBUTOR_IDLE);
	distributor_replace(&distributor->members, distributor->found);
	distributor_replace(&distributor->overrides, overrides);
	distributor->found = NULL;
	distributor_update_targets(distributor, &distributor->reading);
}

static void
distributor_warn_overrides(struct distributor *distributor, const char *reason)
{
	char text[160];

	log_limited(&distributor->overrides_limiter, LOG_LEVEL_WARNING,
	    "master: overrides not copied: key '%s': %s; the targets keep "
	    "theirs",
	    distributor->overrides_key,
	    log_escape(text, sizeof(text), reason, strlen(reason)));
}

/* Make a list of the master's overrides, or NULL: they must not be copied. */
static struct members *
distributor_take_overrides(
    struct distributor *distributor, const redisReply *reply)
{
	struct members *overrides = NULL;

	if (reply->type == REDIS_REPLY_ERROR)
		distributor_warn_overrides(distributor, reply->str);
	else if (reply->elements > 2 * OVERRIDES_MAX)
		distributor_warn_overrides(distributor, "too many");
	else if (!(overrides = members_new(reply)))
		distributor_warn_overrides(distributor, strerror(errno));
	return overrides;
}

static void
distributor_on_overrides(const redisReply *reply, void *arg)
{
	struct distributor *distributor = arg;

	if (!reply)
		return; /* distributor_on_down() follows */
	distributor_finish_read(
	    distributor, distributor_take_overrides(distributor, reply));
	if (distributor->reread)
		distributor_read_master(distributor);
}

/* Queue the command.  If it cannot be, the link goes down. */
static void
distributor_call(struct distributor *distributor, link_done *done)
{
	const struct link_options *options = &distributor->options->master;

	if (link_call(distributor->link, &distributor->command,
		clock_us() + options->socket_timeout_us, done,
		distributor) == 0)
		link_flush(distributor->link);
	else
		link_drop(distributor->link, strerror(ENOMEM));
}

/* Only once the limits have come: were the overrides too large a reply, the
 * link would go down. */
static void
distributor_read_overrides(struct distributor *distributor)
{
	command_start(&distributor->command, 2);
	command_add_text(&distributor->command, "HGETALL");
	command_add_text(&distributor->command, distributor->overrides_key);
	distributor_call(distributor, distributor_on_overrides);
}

/* Where an accident emptied the master, its overrides are not copied either. */
static void
distributor_on_members(const redisReply *reply, void *arg)
{
	struct distributor *distributor = arg;

	if (!reply)
		return; /* distributor_on_down() follows */
	distributor->found = distributor_take_members(distributor, reply);
	if (distributor->found) {
		distributor_read_overrides(distributor);
		return;
	}
	distributor_restore_notice(distributor);
	distributor_finish_read(distributor, NULL);
	if (reply_is_wrong_server(reply))
		link_drop(distributor->link, reply->str);
	else if (distributor->reread)
		distributor_read_master(distributor);
}

/* Read the master's members.  During a read, have another one follow: the key
 * may have changed after the running one. */
static void
distributor_read_master(struct distributor *distributor)
{
	distributor->reread = true;
	if (distributor->state != DISTRIBUTOR_IDLE)
		return;
	distributor->reread = false;
	distributor_set_state(distributor, DISTRIBUTOR_READING);
	distributor->reading = distributor->pending;
	distributor->pending = (struct notice){0};
	command_start(&distributor->command, 4);
	command_add_text(&distributor->command, "ZRANGE");
	command_add_text(
	    &distributor->command, distributor->options->limits_key);
	command_add_text(&distributor->command, "0");
	command_add_text(&distributor->command, "-1");
	distributor_call(distributor, distributor_on_members);
}

static void
distributor_on_up(void *arg)
{
	struct distributor *distributor = arg;

	distributor_set_state(distributor, DISTRIBUTOR_IDLE);
	distributor_read_master(distributor);
}

static void
distributor_on_down(void *arg)
{
	struct distributor *distributor = arg;

	if (distributor->found) {
		distributor_warn_overrides(
		    distributor, "no reply, or one too large");
		distributor_finish_read(distributor, NULL);
	} else if (distributor->state == DISTRIBUTOR_READING) {
		distributor_warn(
		    distributor, "was not read: no reply, or one too large");
		distributor_restore_notice(distributor);
	}
	distributor_set_state(distributor, DISTRIBUTOR_DOWN);
}

static const struct link_events link_events = {
    .up = distributor_on_up, .down = distributor_on_down};

static void
distributor_reload_targets(
    struct distributor *distributor, const struct message *message)
{
	struct notice notice = notice_of(message, &distributor->common.plain);

	notice_add(&distributor->pending, &notice);
	distributor_read_master(distributor);
}

static void
distributor_forward(
    struct distributor *distributor, const char *bytes, size_t len)
{
	for (size_t i = 0; i < distributor->options->target_count; i++)
		target_forward(distributor->targets[i], bytes, len);
}

/* Whether the message is "ping:", which Subway forwards as "ping". */
static bool
distributor_has_lone_colon(const struct message *message)
{
	return message->arguments.bytes && message->arguments.len == 0;
}

static void
distributor_on_message(const char *bytes, size_t len, void *arg)
{
	struct distributor *distributor = arg;
	struct message message = message_read(bytes, len);
	char text[60];

	switch (message.kind) {
	case MESSAGE_RELOAD:
		distributor_reload_targets(distributor, &message);
		break;
	case MESSAGE_PING:
	case MESSAGE_UNKNOWN:
		distributor_forward(distributor, bytes,
		    len - distributor_has_lone_colon(&message));
		break;
	case MESSAGE_INTERNAL:
		log_limited(&distributor->message_limiter, LOG_LEVEL_WARNING,
		    "master: message \"%s\" not forwarded: "
		    "internal command",
		    log_escape(text, sizeof(text), bytes, len));
		break;
	case MESSAGE_EMPTY:
		break;
	}
}

/* A read that starts now finds every change that no message will announce. */
static void
distributor_on_subscribed(void *arg)
{
	distributor_read_master(arg);
}

static void
distributor_on_lost(void *arg)
{
	(void)arg; /* distributor_on_subscribed() follows, and reads */
}

static const struct subscription_events subscription_events = {
    distributor_on_subscribed, distributor_on_lost, distributor_on_message};

/* A random interval: daemons that started together must not poll together. */
static void
distributor_arm_poll(struct distributor *distributor)
{
	timer_set(
	    &distributor->poll, random_near(distributor->options->poll_us));
}

static void
distributor_report(struct distributor *distributor)
{
	for (size_t i = 0; i < distributor->options->target_count; i++)
		target_report(distributor->targets[i]);
}

/* While the master is down, targets are compared with what it had. */
static void
distributor_on_poll(void *arg)
{
	static const struct notice none;
	struct distributor *distributor = arg;

	distributor_arm_poll(distributor);
	distributor_report(distributor);
	if (distributor->state == DISTRIBUTOR_DOWN)
		distributor_update_targets(distributor, &none);
	distributor_read_master(distributor);
}

static int
distributor_start_targets(struct distributor *distributor)
{
	const struct distributor_options *options = distributor->options;

	distributor->targets =
	    calloc(options->target_count, sizeof(struct target *));
	if (!distributor->targets)
		return -1;
	for (size_t i = 0; i < options->target_count; i++) {
		distributor->targets[i] =
		    target_new(&distributor->common, &options->targets[i]);
		if (!distributor->targets[i])
			return -1;
	}
	return 0;
}

static int
distributor_start_master(struct distributor *distributor)
{
	const struct distributor_options *options = distributor->options;
	const struct target_common *common = &distributor->common;
	const struct subscription_options what = {
	    &options->master, options->channel};

	distributor->link = link_new(common->loop, common->dialer,
	    &options->master, &link_events, distributor);
	distributor->subscription = subscription_new(common->loop,
	    common->dialer, &what, &subscription_events, distributor);
	return distributor->link && distributor->subscription ? 0 : -1;
}

struct distributor *
distributor_new(struct loop *loop, struct dialer *dialer,
    const struct distributor_options *options)
{
	struct distributor *distributor = calloc(1, sizeof(*distributor));

	if (!distributor)
		return NULL;
	distributor->options = options;
	snprintf(distributor->overrides_key, sizeof(distributor->overrides_key),
	    "%s:overrides", options->limits_key);
	distributor->common = (struct target_common){
	    .loop = loop,
	    .dialer = dialer,
	    .channel = options->channel,
	    .limits_key = options->limits_key,
	    .overrides_key = distributor->overrides_key,
	    .plain = notice_plain(options->reload_spread_us),
	};
	timer_init(&distributor->poll, loop, distributor_on_poll, distributor);
	if (distributor_start_targets(distributor) == -1 ||
	    distributor_start_master(distributor) == -1) {
		distributor_free(distributor);
		return NULL;
	}
	distributor_arm_poll(distributor);
	return distributor;
}

void
distributor_reload(struct distributor *distributor)
{
	distributor_read_master(distributor);
}

void
distributor_free(struct distributor *distributor)
{
	if (!distributor)
		return;
	timer_stop(&distributor->poll);
	subscription_free(distributor->subscription);
	link_free(distributor->link);
	for (size_t i = 0; i < distributor->options->target_count; i++) {
		if (distributor->targets && distributor->targets[i])
			target_report(distributor->targets[i]);
		if (distributor->targets)
			target_free(distributor->targets[i]);
	}
	free(distributor->targets);
	members_unref(distributor->members);
	members_unref(distributor->overrides);
	members_unref(distributor->found);
	command_free(&distributor->command);
	free(distributor);
}
