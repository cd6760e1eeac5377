#include "control/subscription.h"

#include "base/clock.h"
#include "net/timer.h"

#include <event2/event_struct.h>
#include <stdlib.h>

/* From the answer to one PING to the next. */
#define PING_US INT64_C(5000000)

struct subscription {
	struct subscription_options options;
	const struct subscription_events *events;
	void *arg;
	struct link *link;
	struct event timer;	/* the next PING; set while subscribed */
	struct command command; /* its room is used again */
};

/* One that cannot be asked is as good as dead: reconnecting subscribes anew. */
static void
call(struct subscription *subscription, link_done *done)
{
	int64_t deadline_us =
	    clock_us() + subscription->options.link->socket_timeout_us;

	if (link_call(subscription->link, &subscription->command, deadline_us,
		done, subscription) == -1)
		link_drop(
		    subscription->link, "a subscription is out of memory");
	else
		link_flush(subscription->link);
}

/* Any answer shows that it lives. */
static void
on_pong(const redisReply *reply, void *arg)
{
	struct subscription *subscription = arg;

	if (reply)
		timer_set(&subscription->timer, PING_US);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct subscription *subscription = arg;

	(void)fd;
	(void)what;
	command_start(&subscription->command, 1);
	command_add_text(&subscription->command, "PING");
	call(subscription, on_pong);
}

static void
on_subscribed(const redisReply *reply, void *arg)
{
	struct subscription *subscription = arg;

	if (!reply)
		return; /* on_down() follows */
	if (reply->type == REDIS_REPLY_ERROR) {
		link_drop(subscription->link, reply->str);
		return;
	}
	link_proven(subscription->link);
	timer_set(&subscription->timer, PING_US);
	subscription->events->subscribed(subscription->arg);
}

static void
on_up(void *arg)
{
	struct subscription *subscription = arg;

	command_start(&subscription->command, 2);
	command_add_text(&subscription->command, "SUBSCRIBE");
	command_add_text(&subscription->command, subscription->options.channel);
	call(subscription, on_subscribed);
}

static void
on_down(void *arg)
{
	struct subscription *subscription = arg;

	event_del(&subscription->timer);
	subscription->events->lost(subscription->arg);
}

static void
on_message(const redisReply *reply, void *arg)
{
	struct subscription *subscription = arg;
	const redisReply *said = reply->element[2];

	if (said->type == REDIS_REPLY_STRING)
		subscription->events->message(
		    said->str, (size_t)said->len, subscription->arg);
}

static const struct link_events link_events = {on_up, on_down, on_message};

struct subscription *
subscription_new(struct event_base *base, struct dialer *dialer,
    const struct subscription_options *options,
    const struct subscription_events *events, void *arg)
{
	struct subscription *subscription = calloc(1, sizeof(*subscription));

	if (!subscription)
		return NULL;
	subscription->options = *options;
	subscription->events = events;
	subscription->arg = arg;
	evtimer_assign(&subscription->timer, base, on_timer, subscription);
	subscription->link =
	    link_new(base, dialer, options->link, &link_events, subscription);
	if (subscription->link)
		return subscription;
	subscription_free(subscription);
	return NULL;
}

void
subscription_free(struct subscription *subscription)
{
	if (!subscription)
		return;
	event_del(&subscription->timer);
	link_free(subscription->link);
	command_free(&subscription->command);
	free(subscription);
}
