#include "control/distributor.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "control/message.h"
#include "control/subscription.h"
#include "net/timer.h"
#include "redis/reply.h"

#include <errno.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct distributor {
	const struct distributor_options *options;
	struct slave_common common;   /* of the slaves */
	char plain[SLAVE_RELOAD_MAX]; /* a reload of which no more is said */
	struct event poll;

	/* the master */
	struct subscription *subscription;
	struct link *link;	/* to read it */
	struct command command; /* its room is used again */
	bool up;
	bool reading;
	bool again;		      /* to be read, once that is possible */
	char order[SLAVE_RELOAD_MAX]; /* since it was last read; "": none */
	char answering[SLAVE_RELOAD_MAX]; /* the same, of this reading */
	struct log_pace pace;		  /* of complaints about its limits */
	struct log_pace message_pace;	  /* and about what is said there */

	/* the slaves */
	struct members *members; /* that they hold; NULL: none read yet */
	struct slave **slaves;
};

static void
hand_out(struct distributor *distributor, const char *order)
{
	if (!distributor->members)
		return;
	for (size_t i = 0; i < distributor->options->slave_count; i++)
		slave_hold(distributor->slaves[i], distributor->members, order);
}

static void
complain(struct distributor *distributor, const char *reason)
{
	char text[160];

	if (log_is_due(&distributor->pace))
		log_warning("master: nothing is copied: %s: %s",
		    distributor->options->limits_key,
		    log_escape(text, sizeof(text), reason, strlen(reason)));
}

/* What the master has, or NULL: it is not to be copied. */
static struct members *
take_members(struct distributor *distributor, const redisReply *reply)
{
	struct members *members = members_new(reply);

	if (!members && reply->type == REDIS_REPLY_ERROR)
		complain(distributor, reply->str);
	else if (!members && errno == EFBIG)
		complain(distributor, "more than 32768 members or 4 MiB");
	else if (!members)
		complain(distributor, strerror(errno));
	else
		link_proven(distributor->link);
	if (members && members_count(members) == 0) {
		complain(distributor, "it is empty or missing");
		members_unref(members);
		members = NULL;
	}
	return members;
}

/* Nothing could be read: the order stands until something can; a later one does
 * in its place. */
static void
keep_order(struct distributor *distributor)
{
	if (!*distributor->order)
		strcpy(distributor->order, distributor->answering);
}

static void read_master(struct distributor *distributor);

static void
on_read(const redisReply *reply, void *arg)
{
	struct distributor *distributor = arg;
	const char *order = distributor->answering;
	struct members *members;

	if (!reply)
		return; /* on_down() follows */
	distributor->reading = false;
	members = take_members(distributor, reply);
	if (members) {
		members_unref(distributor->members);
		distributor->members = members;
	} else {
		keep_order(distributor);
	}
	hand_out(distributor, members && *order ? order : NULL);
	if (reply_is_wrong_server(reply))
		link_drop(distributor->link, reply->str);
	else if (distributor->again)
		read_master(distributor);
}

/* A change may have come after what is being read just now: so what is asked
 * for meanwhile is read after it. */
static void
read_master(struct distributor *distributor)
{
	struct command *command = &distributor->command;
	const struct link_options *options = &distributor->options->master;

	distributor->again = true;
	if (!distributor->up || distributor->reading)
		return;
	command_start(command, 4);
	command_add_text(command, "ZRANGE");
	command_add_text(command, distributor->options->limits_key);
	command_add_text(command, "0");
	command_add_text(command, "-1");
	if (link_call(distributor->link, command,
		clock_us() + options->socket_timeout_us, on_read,
		distributor) == -1) {
		link_drop(distributor->link, strerror(ENOMEM));
		return;
	}
	distributor->again = false;
	distributor->reading = true;
	strcpy(distributor->answering, distributor->order);
	*distributor->order = '\0';
	link_flush(distributor->link);
}

static void
on_up(void *arg)
{
	struct distributor *distributor = arg;

	distributor->up = true;
	read_master(distributor);
}

static void
on_down(void *arg)
{
	struct distributor *distributor = arg;

	distributor->up = false;
	if (!distributor->reading)
		return;
	distributor->reading = false;
	complain(distributor, "no answer, or one too large");
	keep_order(distributor);
}

static const struct link_events link_events = {.up = on_up, .down = on_down};

/* As a sender would write it. */
static void
write_spread(char to[SLAVE_RELOAD_MAX], int64_t spread_us)
{
	snprintf(to, SLAVE_RELOAD_MAX, "reload:spread:%.11g",
	    (double)spread_us / 1e6);
}

/* The spread as it was written, if that is of a decent length. */
static void
take_order(struct distributor *distributor, const struct message *message)
{
	char *order = distributor->order;

	switch (message->when) {
	case RELOAD_CONFIGURED:
		strcpy(order, distributor->plain);
		break;
	case RELOAD_IMMEDIATE:
		strcpy(order, "reload:immediate");
		break;
	case RELOAD_SPREAD:
		if (message->arguments.len + sizeof("reload:") >
		    SLAVE_RELOAD_MAX)
			write_spread(order, message->spread_us);
		else
			snprintf(order, SLAVE_RELOAD_MAX, "reload:%.*s",
			    (int)message->arguments.len,
			    message->arguments.bytes);
		break;
	}
	read_master(distributor);
}

static void
forward(struct distributor *distributor, const char *bytes, size_t len)
{
	for (size_t i = 0; i < distributor->options->slave_count; i++)
		slave_forward(distributor->slaves[i], bytes, len);
}

static void
on_message(const char *bytes, size_t len, void *arg)
{
	struct distributor *distributor = arg;
	struct message message = message_read(bytes, len);
	char text[60];

	switch (message.word) {
	case WORD_RELOAD:
		take_order(distributor, &message);
		break;
	case WORD_PING:
	case WORD_UNKNOWN:
		forward(distributor, bytes, len);
		break;
	case WORD_INTERNAL:
		if (log_is_due(&distributor->message_pace))
			log_warning("master: said, and not forwarded: %s",
			    log_escape(text, sizeof(text), bytes, len));
		break;
	case WORD_NONE:
		break;
	}
}

/* What was changed before is seen now, what is changed later will be heard of.
 */
static void
on_subscribed(void *arg)
{
	read_master(arg);
}

static void
on_lost(void *arg)
{
	(void)arg; /* on_subscribed() makes up for it */
}

static const struct subscription_events subscription_events = {
    on_subscribed, on_lost, on_message};

/* Many who started together do not ask together. */
static void
plan_poll(struct distributor *distributor)
{
	timer_set(
	    &distributor->poll, random_near(distributor->options->poll_us));
}

static void
report(struct distributor *distributor)
{
	for (size_t i = 0; i < distributor->options->slave_count; i++)
		slave_report(distributor->slaves[i]);
}

/* Without the master, slaves are held to what it had. */
static void
on_poll(evutil_socket_t fd, short what, void *arg)
{
	struct distributor *distributor = arg;

	(void)fd;
	(void)what;
	plan_poll(distributor);
	report(distributor);
	if (!distributor->up)
		hand_out(distributor, NULL);
	read_master(distributor);
}

static int
start_slaves(struct distributor *distributor)
{
	const struct distributor_options *options = distributor->options;

	distributor->slaves =
	    calloc(options->slave_count, sizeof(struct slave *));
	if (!distributor->slaves)
		return -1;
	for (size_t i = 0; i < options->slave_count; i++) {
		distributor->slaves[i] =
		    slave_new(&distributor->common, &options->slaves[i]);
		if (!distributor->slaves[i])
			return -1;
	}
	return 0;
}

static int
start_master(struct distributor *distributor)
{
	const struct distributor_options *options = distributor->options;
	const struct slave_common *common = &distributor->common;
	const struct subscription_options what = {
	    &options->master, options->channel};

	distributor->link = link_new(common->base, common->dialer,
	    &options->master, &link_events, distributor);
	distributor->subscription = subscription_new(common->base,
	    common->dialer, &what, &subscription_events, distributor);
	return distributor->link && distributor->subscription ? 0 : -1;
}

struct distributor *
distributor_new(struct event_base *base, struct dialer *dialer,
    const struct distributor_options *options)
{
	struct distributor *distributor = calloc(1, sizeof(*distributor));

	if (!distributor)
		return NULL;
	distributor->options = options;
	distributor->common = (struct slave_common){
	    .base = base,
	    .dialer = dialer,
	    .channel = options->channel,
	    .limits_key = options->limits_key,
	    .reload = distributor->plain,
	};
	strcpy(distributor->plain, "reload");
	if (options->reload_spread_us > 0)
		write_spread(distributor->plain, options->reload_spread_us);
	evtimer_assign(&distributor->poll, base, on_poll, distributor);
	if (start_slaves(distributor) == -1 ||
	    start_master(distributor) == -1) {
		distributor_free(distributor);
		return NULL;
	}
	plan_poll(distributor);
	return distributor;
}

void
distributor_reload(struct distributor *distributor)
{
	read_master(distributor);
}

void
distributor_free(struct distributor *distributor)
{
	if (!distributor)
		return;
	event_del(&distributor->poll);
	subscription_free(distributor->subscription);
	link_free(distributor->link);
	for (size_t i = 0; i < distributor->options->slave_count; i++) {
		if (distributor->slaves && distributor->slaves[i])
			slave_report(distributor->slaves[i]);
		if (distributor->slaves)
			slave_free(distributor->slaves[i]);
	}
	free(distributor->slaves);
	members_unref(distributor->members);
	command_free(&distributor->command);
	free(distributor);
}
