/*
 * Job: turns messages, polls and reconnects into loads of the key, and each
 * load's outcome into limits in force, a log line and a report.
 * Invariant: each event that could have changed the key is followed by a load.
 * Heart: subscriber_on_fetched() and subscriber_on_load_timer().
 */
#include "control/subscriber.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "control/fetch.h"
#include "control/fleet.h"
#include "control/last_good.h"
#include "control/message.h"
#include "control/pongs.h"
#include "control/reload.h"
#include "control/roster.h"
#include "redis/subscription.h"
#include "net/timer.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const subscriber_state_names[] = {
#define X(name) #name,
    SUBSCRIBER_STATES(X)
#undef X
};

struct subscriber {
	const struct subscriber_options *options;
	subscriber_set_rules *set_rules;
	void *arg;

	struct subscription *subscription;
	struct link *link; /* for calls */
	bool up;           /* the link takes calls */
	struct fetch *fetch;
	struct fleet *fleet;
	struct pongs *pongs;
	struct roster *roster; /* NULL: there is no status page */

	struct reload reload;
	struct timer load_timer; /* when the next load is due */
	struct timer poll_timer;

	char read_digest[FETCH_DIGEST_LEN + 1]; /* of the key as last read,
						 * right or wrong; "": none */
	char reason[FLEET_REASON_MAX + 1]; /* why the key was rejected, or "" */
	struct last_good *last_good;       /* NULL: nothing is saved */
	struct fleet_running running;
	size_t overrides;           /* in force */
	struct log_limiter limiter; /* of warnings about messages */

	_Atomic bool settled;
	_Atomic int state; /* enum subscriber_state */
};

/* The one writer of the state. */
static void
subscriber_set_state(struct subscriber *subscriber, enum subscriber_state state)
{
	log_debug("limits: %s -> %s",
	    subscriber_state_names[subscriber_state(subscriber)],
	    subscriber_state_names[state]);
	subscriber->state = (int)state;
}

/* Start the next load when it is due and the link is up. */
static void
subscriber_arm_load(struct subscriber *subscriber)
{
	int64_t due_us = reload_next_us(&subscriber->reload);

	if (subscriber->up && due_us != RELOAD_NEVER)
		timer_set(&subscriber->load_timer, due_us - clock_us());
	else
		timer_stop(&subscriber->load_timer);
}

static void
subscriber_schedule(struct subscriber *subscriber, int64_t delay_us, bool full)
{
	reload_schedule(&subscriber->reload, clock_us() + delay_us, full);
	subscriber_arm_load(subscriber);
}

static void
subscriber_on_load_timer(void *arg)
{
	struct subscriber *subscriber = arg;
	bool full;

	if (!subscriber->up ||
	    reload_next_us(&subscriber->reload) > clock_us()) {
		subscriber_arm_load(subscriber);
		return;
	}
	full = reload_begin(&subscriber->reload);
	if (fetch_start(
		subscriber->fetch, full ? "" : subscriber->read_digest) == -1)
		reload_end(&subscriber->reload, false); /* until it is up */
}

static void
subscriber_log_set(struct subscriber *subscriber, const struct fetched *fetched,
    const struct rules_changes *changes)
{
	char number[40] = "", overrides[40] = "";

	if (fetched->number > 0)
		snprintf(number, sizeof(number), "number %lld, ",
		    (long long)fetched->number);
	if (subscriber->overrides > 0)
		snprintf(overrides, sizeof(overrides), "%zu overrides, ",
		    subscriber->overrides);
	log_info("limits reloaded: %zu in force, %s%sfrom redis %s; %s",
	    subscriber->running.count, overrides, number,
	    link_name(subscriber->link), changes->text);
}

static void
subscriber_take_set(
    struct subscriber *subscriber, const struct fetched *fetched)
{
	struct fleet_running *running = &subscriber->running;
	struct rules_changes changes = {""};

	strcpy(running->digest, fetched->digest);
	running->loaded_at = time(NULL);
	running->count = rules_count(fetched->rules);
	subscriber->overrides = rules_override_count(fetched->rules);
	subscriber_set_state(subscriber, SUBSCRIBER_CURRENT);
	subscriber->reason[0] = '\0';
	subscriber->set_rules(fetched->rules, &changes, subscriber->arg);
	reasons_log_warnings(fetched->reasons);
	subscriber_log_set(subscriber, fetched, &changes);
	if (!subscriber->last_good)
		return;
	last_good_set(subscriber->last_good, fetched->digest, fetched->lines,
	    fetched->count);
	last_good_set_overrides(subscriber->last_good, fetched->mark,
	    fetched->overrides, fetched->override_count);
}

static void
subscriber_log_rejected(
    const struct subscriber *subscriber, const struct reasons *reasons)
{
	char follows[60] = "no limits are in force";

	if (subscriber->running.count > 0)
		snprintf(follows, sizeof(follows),
		    "the previous %zu stay in force",
		    subscriber->running.count);
	reasons_log(reasons, "limits not reloaded", follows);
}

/* The limits in Redis are wrong, but the overrides in front of them are others
 * now: they count all the same. */
static void
subscriber_take_overrides(
    struct subscriber *subscriber, const struct fetched *fetched)
{
	struct rules_changes changes = {""};

	subscriber->overrides = rules_override_count(fetched->rules);
	subscriber->set_rules(fetched->rules, &changes, subscriber->arg);
	log_info("overrides reloaded: %zu, in front of the limits in force",
	    subscriber->overrides);
	if (subscriber->last_good)
		last_good_set_overrides(subscriber->last_good, fetched->mark,
		    fetched->overrides, fetched->override_count);
}

/* A poll that finds the same key as before logs nothing. */
static void
subscriber_reject(struct subscriber *subscriber, const struct fetched *fetched)
{
	char reason[sizeof(subscriber->reason)];
	struct rules_changes why;

	reasons_summarize(fetched->reasons, reason, sizeof(reason));
	if (fetched->rules)
		subscriber_take_overrides(subscriber, fetched);
	else if (!subscriber->reload.loading_full &&
		 strcmp(subscriber->read_digest, fetched->digest) == 0 &&
		 strcmp(subscriber->reason, reason) == 0)
		return;
	strcpy(subscriber->reason, reason);
	subscriber_set_state(subscriber, SUBSCRIBER_REJECTED);
	snprintf(why.text, sizeof(why.text), "%.300s", reason);
	subscriber->set_rules(NULL, &why, subscriber->arg);
	subscriber_log_rejected(subscriber, fetched->reasons);
}

static void
subscriber_on_fetched(const struct fetched *fetched, void *arg)
{
	struct subscriber *subscriber = arg;
	bool loaded = fetched->result != FETCH_LOST;

	reload_end(&subscriber->reload, loaded);
	subscriber_arm_load(subscriber);
	if (!loaded)
		return;
	if (fetched->result == FETCH_SET)
		subscriber_take_set(subscriber, fetched);
	else if (fetched->result == FETCH_WRONG)
		subscriber_reject(subscriber, fetched);
	strcpy(subscriber->read_digest, fetched->digest);
	subscriber->settled = true;
	link_proven(subscriber->link);
	if (subscriber->last_good)
		last_good_flush(subscriber->last_good);
	fleet_report(subscriber->fleet, &subscriber->running);
	fleet_report_reason(subscriber->fleet, subscriber->reason,
	    fetched->result == FETCH_WRONG && subscriber->reload.loading_full);
}

/* A random interval: daemons that started together must not poll together. */
static void
subscriber_arm_poll(struct subscriber *subscriber)
{
	timer_set(
	    &subscriber->poll_timer, random_near(subscriber->options->poll_us));
}

/* Poll even if a load waits within its spread: the message that would have
 * hastened it may be lost. */
static void
subscriber_on_poll_timer(void *arg)
{
	struct subscriber *subscriber = arg;

	subscriber_arm_poll(subscriber);
	subscriber_schedule(subscriber, 0, false);
}

static void
subscriber_on_up(void *arg)
{
	struct subscriber *subscriber = arg;

	subscriber->up = true;
	subscriber_arm_load(subscriber);
}

static void
subscriber_on_down(void *arg)
{
	struct subscriber *subscriber = arg;

	subscriber->up = false;
	subscriber->settled = true;
	subscriber_arm_load(subscriber);
}

static const struct link_events link_events = {
    .up = subscriber_on_up, .down = subscriber_on_down};

/* Messages published before this moment may have been missed. */
static void
subscriber_on_subscribed(void *arg)
{
	subscriber_schedule(arg, 0, false);
}

/* Limits can be loaded, and polled, without a subscription. */
static void
subscriber_on_lost(void *arg)
{
	struct subscriber *subscriber = arg;

	if (!subscriber->settled)
		subscriber_schedule(subscriber, 0, false);
}

static void
subscriber_warn(struct subscriber *subscriber, const char *bytes, size_t len,
    const char *reason)
{
	char text[120];

	log_limited(&subscriber->limiter, LOG_LEVEL_WARNING,
	    "channel %s: message \"%s\": %s", subscriber->options->channel,
	    log_escape(text, sizeof(text), bytes, len), reason);
}

static void
subscriber_schedule_reload(
    struct subscriber *subscriber, const struct message *message)
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
	subscriber_schedule(subscriber, random_below(spread_us), true);
}

static void
subscriber_on_message(const char *bytes, size_t len, void *arg)
{
	struct subscriber *subscriber = arg;
	struct message message = message_read(bytes, len);

	switch (message.kind) {
	case MESSAGE_RELOAD:
		if (message.bad)
			subscriber_warn(subscriber, bytes, len,
			    "wrong arguments, taken as a plain reload");
		subscriber_schedule_reload(subscriber, &message);
		break;
	case MESSAGE_PING:
		if (message.bad)
			subscriber_warn(
			    subscriber, bytes, len, "wrong arguments, ignored");
		else if (subscriber->up)
			pongs_answer(subscriber->pongs, &message);
		break;
	case MESSAGE_UNKNOWN:
		subscriber_warn(
		    subscriber, bytes, len, "unknown command, ignored");
		break;
	case MESSAGE_INTERNAL:
		subscriber_warn(
		    subscriber, bytes, len, "internal command, ignored");
		break;
	case MESSAGE_EMPTY:
		subscriber_warn(subscriber, bytes, len, "no command, ignored");
		break;
	}
}

static const struct subscription_events subscription_events = {
    subscriber_on_subscribed, subscriber_on_lost, subscriber_on_message};

static int
subscriber_open_roster(struct subscriber *subscriber, struct loop *loop)
{
	const struct subscriber_options *options = subscriber->options;
	const struct roster_options roster = {fleet_key(subscriber->fleet),
	    subscriber->read_digest, options->link.socket_timeout_us,
	    options->board};

	if (!options->board)
		return 0;
	subscriber->roster = roster_new(loop, subscriber->link, &roster);
	return subscriber->roster ? 0 : -1;
}

static int
subscriber_open_links(
    struct subscriber *subscriber, struct loop *loop, struct dialer *dialer)
{
	const struct subscriber_options *options = subscriber->options;
	const struct subscription_options subscription = {
	    &options->link, options->channel};

	subscriber->link =
	    link_new(loop, dialer, &options->link, &link_events, subscriber);
	subscriber->subscription = subscription_new(
	    loop, dialer, &subscription, &subscription_events, subscriber);
	if (!subscriber->link || !subscriber->subscription)
		return -1;
	subscriber->fetch = fetch_new(
	    subscriber->link, options, subscriber_on_fetched, subscriber);
	subscriber->fleet = fleet_new(subscriber->link, options);
	if (!subscriber->fetch || !subscriber->fleet)
		return -1;
	subscriber->pongs = pongs_new(loop, subscriber->link,
	    fleet_node(subscriber->fleet), options->link.socket_timeout_us);
	return subscriber->pongs ? subscriber_open_roster(subscriber, loop)
				 : -1;
}

struct subscriber *
subscriber_new(struct loop *loop, struct dialer *dialer,
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
	timer_init(&subscriber->load_timer, loop, subscriber_on_load_timer,
	    subscriber);
	timer_init(&subscriber->poll_timer, loop, subscriber_on_poll_timer,
	    subscriber);
	subscriber_arm_poll(subscriber);
	if (*options->state_dir)
		subscriber->last_good = last_good_new(options->state_dir);
	if ((subscriber->last_good || !*options->state_dir) &&
	    subscriber_open_links(subscriber, loop, dialer) == 0)
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
	subscriber_schedule(subscriber, 0, true);
}

void
subscriber_leave(
    struct subscriber *subscriber, void (*left)(void *arg), void *arg)
{
	fleet_leave(subscriber->fleet, left, arg);
}

void
subscriber_free(struct subscriber *subscriber)
{
	if (!subscriber)
		return;
	subscription_free(subscriber->subscription);
	link_free(subscriber->link); /* ends a running fetch */
	fetch_free(subscriber->fetch);
	pongs_free(subscriber->pongs);
	roster_free(subscriber->roster);
	fleet_free(subscriber->fleet);
	last_good_free(subscriber->last_good);
	timer_stop(&subscriber->load_timer);
	timer_stop(&subscriber->poll_timer);
	free(subscriber);
}
