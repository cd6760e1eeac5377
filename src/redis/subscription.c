#include "redis/subscription.h"

#include "base/clock.h"
#include "net/timer.h"

#include <stdlib.h>

/* From the reply to one PING to the next PING. */
#define PING_US INT64_C(5000000)

struct subscription {
	struct subscription_options options;
	const struct subscription_events *events;
	void *arg;
	struct link *link;
	struct timer timer;     /* the next PING; set while subscribed */
	struct command command; /* reused, for its memory */
};

/* Drop a connection that takes no command: reconnecting subscribes again. */
static void
subscription_call(struct subscription *subscription, link_done *done)
{
	int64_t deadline_us =
	    clock_us() + subscription->options.link->socket_timeout_us;

	if (link_call(subscription->link, &subscription->command, deadline_us,
		done, subscription) == -1)
		link_drop(subscription->link, "no memory for the subscription");
	else
		link_flush(subscription->link);
}

/* Any reply shows that the connection works. */
static void
subscription_on_pong(const redisReply *reply, void *arg)
{
	struct subscription *subscription = arg;

	if (reply)
		timer_set(&subscription->timer, PING_US);
}

static void
subscription_on_timer(void *arg)
{
	struct subscription *subscription = arg;

	command_start(&subscription->command, 1);
	command_add_text(&subscription->command, "PING");
	subscription_call(subscription, subscription_on_pong);
}

static void
subscription_on_subscribed(const redisReply *reply, void *arg)
{
	struct subscription *subscription = arg;

	if (!reply)
		return; /* subscription_on_down() follows */
	if (reply->type == REDIS_REPLY_ERROR) {
		link_drop(subscription->link, reply->str);
		return;
	}
	link_proven(subscription->link);
	timer_set(&subscription->timer, PING_US);
	subscription->events->subscribed(subscription->arg);
}

static void
subscription_on_up(void *arg)
{
	struct subscription *subscription = arg;

	command_start(&subscription->command, 2);
	command_add_text(&subscription->command, "SUBSCRIBE");
	command_add_text(&subscription->command, subscription->options.channel);
	subscription_call(subscription, subscription_on_subscribed);
}

static void
subscription_on_down(void *arg)
{
	struct subscription *subscription = arg;

	timer_stop(&subscription->timer);
	subscription->events->lost(subscription->arg);
}

static void
subscription_on_message(const redisReply *reply, void *arg)
{
	struct subscription *subscription = arg;
	const redisReply *text = reply->element[2];

	if (text->type == REDIS_REPLY_STRING)
		subscription->events->message(
		    text->str, (size_t)text->len, subscription->arg);
}

static const struct link_events link_events = {
    subscription_on_up, subscription_on_down, subscription_on_message};

struct subscription *
subscription_new(struct loop *loop, struct dialer *dialer,
    const struct subscription_options *options,
    const struct subscription_events *events, void *arg)
{
	struct subscription *subscription = calloc(1, sizeof(*subscription));

	if (!subscription)
		return NULL;
	subscription->options = *options;
	subscription->events = events;
	subscription->arg = arg;
	timer_init(
	    &subscription->timer, loop, subscription_on_timer, subscription);
	subscription->link =
	    link_new(loop, dialer, options->link, &link_events, subscription);
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
	timer_stop(&subscription->timer);
	link_free(subscription->link);
	command_free(&subscription->command);
	free(subscription);
}
