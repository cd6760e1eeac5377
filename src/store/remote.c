#include "store/remote.h"

#include "base/clock.h"
#include "base/log.h"
#include "net/timer.h"
#include "redis/reply.h"
#include "redis/script.h"
#include "store/batch.h"

#include <event2/event_struct.h>
#include <stdlib.h>
#include <string.h>

#define ALGORITHMS 2

/*
 *   DOWN --up--> LOADING --loaded--> READY --NOSCRIPT--> RELOADING --> READY
 *    ^______________|__________________|____________________|
 */
enum remote_state {
	REMOTE_DOWN,      /* no link: questions cannot be taken */
	REMOTE_LOADING,   /* the scripts are being loaded: neither */
	REMOTE_READY,
	REMOTE_RELOADING, /* batches wait until the scripts are back */
};

struct batch_list {
	struct batch *head, *tail;
};

TAILQ_HEAD(batch_ages, batch);

struct remote {
	struct store store;
	const struct remote_options *options;
	const struct remote_events *events;
	void *arg;
	struct link *link;

	enum remote_state state;
	bool settled;
	unsigned loading;                /* scripts not yet acknowledged */

	struct batch *open[ALGORITHMS];  /* being filled, or NULL */
	struct batch_list ready;         /* to be sent, oldest first */
	struct batch_list sent;          /* not yet replied to */
	struct batch_list refused;       /* NOSCRIPT: to be sent once more */
	struct batch_ages ages;          /* all of these, oldest first */
	struct batch *spare;
	unsigned inflight;               /* in ${sent} */
	struct event timer;              /* the first deadline, while armed */
	struct command command;
	struct log_pace pace;            /* of complaints in the log */
};

static void
push(struct batch_list *list, struct batch *batch)
{
	batch->next = NULL;
	if (list->tail)
		list->tail->next = batch;
	else
		list->head = batch;
	list->tail = batch;
}

static struct batch *
pop(struct batch_list *list)
{
	struct batch *batch = list->head;

	if (batch)
		list->head = batch->next;
	if (!list->head)
		list->tail = NULL;
	return batch;
}

static void
recycle(struct remote *remote, struct batch *batch)
{
	TAILQ_REMOVE(&remote->ages, batch, age);
	batch_clear(batch);
	batch->next = remote->spare;
	remote->spare = batch;
}

static void
give_up(struct remote *remote, struct batch *batch)
{
	batch_abandon(batch);
	recycle(remote, batch);
}

static void
seal(struct remote *remote, enum algorithm algorithm)
{
	if (remote->open[algorithm])
		push(&remote->ready, remote->open[algorithm]);
	remote->open[algorithm] = NULL;
}

static void
give_up_list(struct remote *remote, struct batch_list *list)
{
	while (list->head)
		give_up(remote, pop(list));
}

static void
give_up_all(struct remote *remote)
{
	for (int i = 0; i < ALGORITHMS; i++)
		seal(remote, (enum algorithm)i);
	give_up_list(remote, &remote->refused);
	give_up_list(remote, &remote->ready);
}

static void
set_timer(struct remote *remote, int64_t deadline_us)
{
	timer_set(&remote->timer, deadline_us - clock_us());
}

/* Who waited too long is answered now.  What was sent stays in flight: its
 * reply will only be dropped, and whether the server still answers is the
 * link's to find out.  What was not sent never is, now that nobody waits for
 * it. */
static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct remote *remote = arg;
	struct batch *batch;
	int64_t now_us = clock_us();

	(void)fd;
	(void)what;
	TAILQ_FOREACH (batch, &remote->ages, age) {
		if (batch->deadline_us > now_us)
			break;
		batch_abandon(batch);
	}
	for (int i = 0; i < ALGORITHMS; i++)
		if (remote->open[i] && remote->open[i]->asks == 0)
			seal(remote, (enum algorithm)i);
	if (batch)
		set_timer(remote, batch->deadline_us);
}

static void
complain(struct remote *remote, const char *what, const char *text, size_t len)
{
	char escaped[160];

	if (!log_is_due(&remote->pace))
		return;
	log_once(LOG_LEVEL_WARNING, "redis %s: %s: %s", link_name(remote->link),
	    what, log_escape(escaped, sizeof(escaped), text, len));
}

static void
settle(struct remote *remote)
{
	if (remote->settled)
		return;
	remote->settled = true;
	remote->events->settled(remote->arg);
}

static void
on_loaded(const redisReply *reply, void *arg)
{
	struct remote *remote = arg;

	if (!reply)
		return; /* on_down() follows */
	if (reply->type == REDIS_REPLY_ERROR) {
		link_drop(remote->link, reply->str);
	} else if (--remote->loading == 0) {
		remote->state = REMOTE_READY;
		settle(remote);
		store_flush(&remote->store);
	}
}

/* When a call made now must be answered. */
static int64_t
call_deadline_us(const struct remote *remote)
{
	return clock_us() + remote->options->link.socket_timeout_us;
}

static void
load_scripts(struct remote *remote, enum remote_state state)
{
	static const enum script needed[] = {
	    SCRIPT_LEAKY_BUCKET, SCRIPT_FIXED_WINDOW};
	int64_t deadline_us = call_deadline_us(remote);

	remote->state = state;
	remote->loading = 0;
	for (size_t i = 0; i < COUNT(needed); i++) {
		if (script_load(remote->link, needed[i], deadline_us, on_loaded,
			remote) == -1) {
			link_drop(remote->link, "the scripts cannot be loaded");
			return;
		}
		remote->loading++;
	}
	link_flush(remote->link);
}

static void
on_up(void *arg)
{
	load_scripts(arg, REMOTE_LOADING);
}

static void
on_down(void *arg)
{
	struct remote *remote = arg;

	remote->state = REMOTE_DOWN;
	give_up_all(remote);
	settle(remote);
}

static const struct link_events link_events = {.up = on_up, .down = on_down};

static void
on_refused(struct remote *remote, struct batch *batch, const redisReply *reply)
{
	complain(remote, "refused a batch", reply->str, reply->len);
	give_up(remote, batch);
	if (reply_is_wrong_server(reply))
		link_drop(remote->link, reply->str);
}

/* Somebody else brought the scripts back before we did, and a later batch ran.
 * What was refused before must not run after it. */
static void
give_up_refused(struct remote *remote)
{
	give_up_list(remote, &remote->refused);
	remote->state = REMOTE_READY;
}

static void
on_answered(struct remote *remote, struct batch *batch, const redisReply *reply)
{
	const char *foreign = NULL;
	int strange = batch_answer(batch, reply, &foreign);

	if (strange == -1) {
		give_up(remote, batch);
		link_drop(remote->link, "sent a reply not of our script");
		return;
	}
	if (remote->state == REMOTE_RELOADING)
		give_up_refused(remote);
	if (strange > 0) {
		remote->events->foreign(remote->arg, (unsigned)strange);
		complain(remote, "left alone what is not a bucket", foreign,
		    strlen(foreign));
	}
	recycle(remote, batch);
	link_proven(remote->link);
}

/* The scripts are gone (SCRIPT FLUSH).  No batch goes out before all that were
 * refused for it went again, in their order. */
static void
on_noscript(struct remote *remote, struct batch *batch)
{
	remote->state = REMOTE_RELOADING;
	if (batch->asks == 0) {
		recycle(remote, batch);
		return;
	}
	batch->resent = true;
	push(&remote->refused, batch);
}

static void
reload_scripts(struct remote *remote)
{
	struct batch_list ready = remote->ready;
	struct batch *batch;

	remote->ready = remote->refused;
	remote->refused = (struct batch_list){0};
	while ((batch = pop(&ready)))
		push(&remote->ready, batch);
	load_scripts(remote, REMOTE_RELOADING);
}

static void
on_reply(const redisReply *reply, void *arg)
{
	struct batch *batch = arg;
	struct remote *remote = batch->owner;

	pop(&remote->sent);
	remote->inflight--;
	if (!reply) {
		give_up_list(remote, &remote->refused); /* older */
		give_up(remote, batch);
		return;
	}
	if (reply_is_error(reply, "NOSCRIPT") && !batch->resent)
		on_noscript(remote, batch);
	else if (reply->type == REDIS_REPLY_ERROR)
		on_refused(remote, batch, reply);
	else
		on_answered(remote, batch, reply);
	if (remote->state == REMOTE_RELOADING && remote->loading == 0 &&
	    remote->inflight == 0)
		reload_scripts(remote);
}

static void
send_batch(struct remote *remote, struct batch *batch)
{
	batch_write(batch, remote->options->prefix, &remote->command);
	if (link_call(remote->link, &remote->command, call_deadline_us(remote),
		on_reply, batch) == -1) {
		give_up(remote, batch);
		return;
	}
	push(&remote->sent, batch);
	remote->inflight++;
	remote->events->sent(remote->arg, batch->count);
}

/* The batch to be sent next: what waits first, then what is being filled.
 * Those that nobody waits for any more are dropped here. */
static struct batch *
next_batch(struct remote *remote)
{
	struct batch *batch;

	for (;;) {
		for (int i = 0; i < ALGORITHMS && !remote->ready.head; i++)
			seal(remote, (enum algorithm)i);
		batch = pop(&remote->ready);
		if (!batch || batch->asks > 0)
			return batch;
		recycle(remote, batch);
	}
}

static void
remote_flush(struct store *store)
{
	struct remote *remote = (struct remote *)store;
	unsigned most = (unsigned)remote->options->inflight;
	struct batch *batch = NULL;

	if (remote->state != REMOTE_READY)
		return;
	while (remote->inflight < most && (batch = next_batch(remote)))
		send_batch(remote, batch);
	link_flush(remote->link);
}

static struct batch *
open_batch(struct remote *remote, const struct ask *ask)
{
	struct batch *batch = remote->spare;

	if (batch)
		remote->spare = batch->next;
	else if (!(batch = batch_new()))
		return NULL;
	batch->next = NULL;
	batch->owner = remote;
	batch->deadline_us =
	    ask->now_us + remote->options->link.socket_timeout_us;
	remote->open[ask->limit->algorithm] = batch;
	TAILQ_INSERT_TAIL(&remote->ages, batch, age);
	if (!evtimer_pending(&remote->timer, NULL))
		set_timer(remote, batch->deadline_us);
	return batch;
}

static bool
answer_unavailable(struct ask *ask)
{
	ask->answer = ANSWER_UNAVAILABLE;
	return true;
}

static bool
remote_ask(struct store *store, struct ask *ask)
{
	struct remote *remote = (struct remote *)store;
	enum algorithm algorithm = ask->limit->algorithm;
	struct batch *batch = remote->open[algorithm];

	if (!remote_is_ready(store))
		return answer_unavailable(ask);
	if (batch && !batch_has_room(batch, ask)) {
		seal(remote, algorithm);
		batch = NULL;
	}
	if (!batch)
		batch = open_batch(remote, ask);
	if (!batch || batch_add(batch, ask) == -1)
		return answer_unavailable(ask);
	return false;
}

bool
remote_is_ready(const struct store *store)
{
	const struct remote *remote = (const struct remote *)store;

	return remote->state == REMOTE_READY ||
	       remote->state == REMOTE_RELOADING;
}

static void
remote_free(struct store *store)
{
	struct remote *remote = (struct remote *)store;

	link_free(remote->link);
	give_up_all(remote);
	evtimer_del(&remote->timer);
	while (remote->spare) {
		struct batch *batch = remote->spare;

		remote->spare = batch->next;
		batch_free(batch);
	}
	command_free(&remote->command);
	free(remote);
}

struct store *
remote_store_new(struct event_base *base, struct dialer *dialer,
    const struct remote_options *options, const struct remote_events *events,
    void *arg)
{
	static const struct store_ops ops = {
	    remote_ask, remote_flush, remote_free};
	struct remote *remote = calloc(1, sizeof(*remote));

	if (!remote)
		return NULL;
	remote->store.ops = &ops;
	remote->options = options;
	remote->events = events;
	remote->arg = arg;
	TAILQ_INIT(&remote->ages);
	evtimer_assign(&remote->timer, base, on_deadline, remote);
	remote->link =
	    link_new(base, dialer, &options->link, &link_events, remote);
	if (!remote->link) {
		free(remote);
		return NULL;
	}
	return &remote->store;
}
