#include "control/subscriber.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "control/fetch.h"
#include "control/fleet.h"
#include "control/last_good.h"
#include "control/message.h"
#include "control/reload.h"
#include "control/subscription.h"
#include "net/timer.h"

#include <event2/event_struct.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct subscriber {
	const struct subscriber_options *options;
	subscriber_set_rules *set_rules;
	void *arg;

	struct subscription *subscription; /* the link that listens */
	struct link *link;		   /* the one that asks */
	bool up;			   /* it may be asked */
	struct fetch *fetch;
	struct fleet *fleet;

	struct reload reload;
	struct event load_timer; /* when the next load is due */
	struct event poll_timer;

	char seen[FETCH_DIGEST_LEN + 1];      /* the key as read last, right or
					       * wrong; "": not known */
	char kept[FETCH_DIGEST_LEN + 1];      /* what the state folder holds */
	char complaint[FLEET_REASON_MAX + 1]; /* why it is wrong, or "" */
	struct fleet_running running;
	struct log_pace pace; /* of remarks about messages */

	_Atomic bool settled;
	_Atomic int state; /* enum subscriber_state */
};

/* Have the next load start when it is due and the server can be asked. */
static void
schedule(struct subscriber *subscriber)
{
	int64_t due_us = reload_next_us(&subscriber->reload);

	if (subscriber->up && due_us != RELOAD_NEVER)
		timer_set(&subscriber->load_timer, due_us - clock_us());
	else
		event_del(&subscriber->load_timer);
}

static void
order(struct subscriber *subscriber, int64_t delay_us, bool whole)
{
	reload_order(&subscriber->reload, clock_us() + delay_us, whole);
	schedule(subscriber);
}

static void
on_load_timer(evutil_socket_t fd, short what, void *arg)
{
	struct subscriber *subscriber = arg;
	bool whole;

	(void)fd;
	(void)what;
	if (!subscriber->up ||
	    reload_next_us(&subscriber->reload) > clock_us()) {
		schedule(subscriber);
		return;
	}
	whole = reload_begin(&subscriber->reload);
	if (fetch_start(subscriber->fetch, whole ? "" : subscriber->seen) == -1)
		reload_end(&subscriber->reload, false); /* until it is up */
}

static void
keep(struct subscriber *subscriber, const struct fetched *fetched)
{
	const char *dir = subscriber->options->state_dir;

	if (!*dir || strcmp(subscriber->kept, fetched->digest) == 0)
		return;
	if (last_good_save(dir, fetched->lines, fetched->count) == 0)
		strcpy(subscriber->kept, fetched->digest);
	else
		log_warning("%s: limits are not kept: %m", dir);
}

static void
take_set(struct subscriber *subscriber, const struct fetched *fetched)
{
	struct fleet_running *running = &subscriber->running;

	strcpy(running->digest, fetched->digest);
	running->loaded_at = time(NULL);
	running->count = rules_count(fetched->rules);
	subscriber->state = SUBSCRIBER_CURRENT;
	subscriber->complaint[0] = '\0';
	subscriber->set_rules(fetched->rules, subscriber->arg);
	log_info("reloaded: %zu limits in force, from redis %s", running->count,
	    link_name(subscriber->link));
	keep(subscriber, fetched);
}

/* What a poll finds to be wrong as before is not worth a word. */
static void
refuse(struct subscriber *subscriber, const char *reason)
{
	char text[FLEET_REASON_MAX];

	if (!subscriber->reload.loading_whole &&
	    strcmp(subscriber->complaint, reason) == 0)
		return;
	snprintf(
	    subscriber->complaint, sizeof(subscriber->complaint), "%s", reason);
	subscriber->state = SUBSCRIBER_REFUSED;
	log_error("not reloaded: %s",
	    log_escape(text, sizeof(text), reason, strlen(reason)));
}

static void
on_fetched(const struct fetched *fetched, void *arg)
{
	struct subscriber *subscriber = arg;
	bool answered = fetched->result != FETCH_LOST;

	reload_end(&subscriber->reload, answered);
	schedule(subscriber);
	if (!answered)
		return;
	strcpy(subscriber->seen, fetched->digest);
	if (fetched->result == FETCH_SET)
		take_set(subscriber, fetched);
	else if (fetched->result == FETCH_BAD)
		refuse(subscriber, fetched->reason);
	subscriber->settled = true;
	link_proven(subscriber->link);
	fleet_say(subscriber->fleet, &subscriber->running);
	fleet_complain(subscriber->fleet, subscriber->complaint,
	    fetched->result == FETCH_BAD && subscriber->reload.loading_whole);
}

/* A fleet that was started at once does not poll at once. */
static void
wait_for_poll(struct subscriber *subscriber)
{
	timer_set(&subscriber->poll_timer,
	    random_near(subscriber->options->poll_us));
}

/* A reload that waits for its turn in a spread is not forestalled; it will see
 * what a poll could. */
static void
on_poll_timer(evutil_socket_t fd, short what, void *arg)
{
	struct subscriber *subscriber = arg;

	(void)fd;
	(void)what;
	wait_for_poll(subscriber);
	if (subscriber->reload.due_us == RELOAD_NEVER)
		order(subscriber, 0, false);
	else if (subscriber->up)
		fleet_say(subscriber->fleet, &subscriber->running);
}

static void
on_up(void *arg)
{
	struct subscriber *subscriber = arg;

	subscriber->up = true;
	schedule(subscriber);
}

static void
on_down(void *arg)
{
	struct subscriber *subscriber = arg;

	subscriber->up = false;
	subscriber->settled = true;
	schedule(subscriber);
}

static const struct link_events link_events = {.up = on_up, .down = on_down};

/* What was ordered before this moment may have been missed. */
static void
on_subscribed(void *arg)
{
	order(arg, 0, false);
}

/* Without a subscription there are still limits, and polls. */
static void
on_lost(void *arg)
{
	struct subscriber *subscriber = arg;

	if (!subscriber->settled)
		order(subscriber, 0, false);
}

static void
remark(struct subscriber *subscriber, const char *bytes, size_t len,
    const char *what)
{
	char text[120];

	if (log_is_due(&subscriber->pace))
		log_warning("%s: \"%s\" %s", subscriber->options->channel,
		    log_escape(text, sizeof(text), bytes, len), what);
}

static void
order_as_told(struct subscriber *subscriber, const struct message *message)
{
	int64_t spread_us = 0;

	switch (message->when) {
	case RELOAD_CONFIGURED:
		spread_us = subscriber->options->reload_spread_us;
		break;
	case RELOAD_SPREAD:
		spread_us = message->spread_us;
		break;
	case RELOAD_IMMEDIATE:
		break;
	}
	order(subscriber, random_below(spread_us), true);
}

static void
on_message(const char *bytes, size_t len, void *arg)
{
	struct subscriber *subscriber = arg;
	struct message message = message_read(bytes, len);

	if (message.bad)
		remark(subscriber, bytes, len, "has arguments of no sense");
	switch (message.word) {
	case WORD_RELOAD:
		order_as_told(subscriber, &message);
		break;
	case WORD_PING:
		if (!message.bad && subscriber->up)
			fleet_pong(subscriber->fleet, &message);
		break;
	case WORD_UNKNOWN:
		remark(subscriber, bytes, len, "is no known command");
		break;
	case WORD_INTERNAL:
		remark(subscriber, bytes, len, "is not for others to order");
		break;
	case WORD_NONE:
		remark(subscriber, bytes, len, "has no command in it");
		break;
	}
}

static const struct subscription_events subscription_events = {
    on_subscribed, on_lost, on_message};

static int
open_links(struct subscriber *subscriber, struct event_base *base,
    struct dialer *dialer)
{
	const struct subscriber_options *options = subscriber->options;
	const struct subscription_options subscription = {
	    &options->link, options->channel};

	subscriber->link =
	    link_new(base, dialer, &options->link, &link_events, subscriber);
	subscriber->subscription = subscription_new(
	    base, dialer, &subscription, &subscription_events, subscriber);
	if (!subscriber->link || !subscriber->subscription)
		return -1;
	subscriber->fetch =
	    fetch_new(subscriber->link, options, on_fetched, subscriber);
	subscriber->fleet = fleet_new(subscriber->link, options);
	return subscriber->fetch && subscriber->fleet ? 0 : -1;
}

struct subscriber *
subscriber_new(struct event_base *base, struct dialer *dialer,
    const struct subscriber_options *options, subscriber_set_rules *set_rules,
    void *arg)
{
	struct subscriber *subscriber = calloc(1, sizeof(*subscriber));

	if (!subscriber)
		return NULL;
	subscriber->options = options;
	subscriber->set_rules = set_rules;
	subscriber->arg = arg;
	subscriber->reload.due_us = RELOAD_NEVER;
	subscriber->running =
	    (struct fleet_running){"-", time(NULL), options->start_count};
	evtimer_assign(
	    &subscriber->load_timer, base, on_load_timer, subscriber);
	evtimer_assign(
	    &subscriber->poll_timer, base, on_poll_timer, subscriber);
	wait_for_poll(subscriber);
	if (open_links(subscriber, base, dialer) == 0)
		return subscriber;
	subscriber_free(subscriber);
	return NULL;
}

bool
subscriber_is_settled(const struct subscriber *subscriber)
{
	return subscriber->settled;
}

enum subscriber_state
subscriber_state(const struct subscriber *subscriber)
{
	return (enum subscriber_state)subscriber->state;
}

void
subscriber_reload(struct subscriber *subscriber)
{
	order(subscriber, 0, true);
}

void
subscriber_free(struct subscriber *subscriber)
{
	if (!subscriber)
		return;
	subscription_free(subscriber->subscription);
	link_free(subscriber->link); /* a fetch under way ends here */
	fetch_free(subscriber->fetch);
	fleet_free(subscriber->fleet);
	event_del(&subscriber->load_timer);
	event_del(&subscriber->poll_timer);
	free(subscriber);
}
