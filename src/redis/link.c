/*
 * Keeps one connection to one server, and makes the next one when it ends.
 * Each call that was taken gets exactly one result: its reply, or NULL when the
 * connection ends.  The heart: link_set_state(), link_fail(), link_on_closed().
 */
#include "redis/link.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/probe.h"
#include "net/timer.h"
#include "redis/greeting.h"
#include "redis/link_state.h"
#include "redis/outage.h"
#include "redis/pipeline.h"
#include "redis/reply.h"
#include "redis/sentinel.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* If the server closes a connection sooner than this, it was not for being
 * idle, and reconnecting at once could go on for ever. */
#define IDLE_MIN_US INT64_C(500000)

struct link {
	struct loop *loop;
	struct dialer *dialer;
	const struct link_options *options;
	const struct link_events *events;
	void *arg;
	char name[ENDPOINT_NAME_MAX];

	enum link_state state;
	struct sentinel *sentinel; /* NULL: the endpoint is the options' */
	struct endpoint endpoint;
	struct dial *dial;        /* DIALING only, once the endpoint is known */
	struct pipeline pipeline; /* open when GREETING or UP */

	struct greeting greeting;
	struct command greeting_command;
	bool without_hello; /* the server closed the connection at HELLO */

	int64_t up_since_us;
	int64_t called_us; /* the last call was made */
	bool resuming;     /* the server closed an idle connection */
	int64_t resuming_since_us;
	struct calls held; /* calls made since then */
	struct buf held_bytes;

	struct timer timer;    /* back-off, or connecting */
	int64_t greeted_by_us; /* when it must be UP */
	struct outage outage;
	bool is_early; /* a move cut the last wait short, or needed none */
};

static int64_t
link_backoff_max_us(const struct link *link)
{
	return link->options->backoff_max_us &&
		       !link->greeting.is_secret_refused
		   ? link->options->backoff_max_us
		   : LINK_BACKOFF_MAX_US;
}

/* The one writer of the state, which arms what the state waits for. */
static void
link_set_state(struct link *link, enum link_state state)
{
	log_debug("redis %s: %s -> %s", link->name,
	    link_states[link->state].name, link_states[state].name);
	PROBE3(link_state, link->name, link_states[link->state].name,
	    link_states[state].name);
	assert(link_states[link->state].next & 1U << state);
	timer_stop(&link->timer);
	link->state = state;
	switch (state) {
	case LINK_WAITING:
		timer_set(&link->timer,
		    outage_wait_us(&link->outage, link_backoff_max_us(link)));
		break;
	case LINK_DIALING:
		link->greeted_by_us =
		    clock_us() + link->options->connect_timeout_us;
		if (link->sentinel)
			timer_set(
			    &link->timer, link->options->connect_timeout_us);
		break;      /* a dial has a deadline of its own */
	case LINK_GREETING: /* its calls have the deadline */
		break;
	case LINK_UP:
		link->up_since_us = clock_us();
		sentinel_reached(link->sentinel);
		break;
	}
}

static void
link_close_all(struct link *link)
{
	dial_cancel(link->dial);
	link->dial = NULL;
	pipeline_close(&link->pipeline);
}

static void
link_fail(struct link *link, const char *reason)
{
	outage_add(&link->outage, link->name, reason);
	link_close_all(link);
	link_set_state(link, LINK_WAITING);
	link->resuming = false;
	buf_consume(&link->held_bytes, buf_len(&link->held_bytes));
	pipeline_abandon(&link->pipeline);
	calls_abandon(&link->held);
	link->events->down(link->arg);
}

/* Fail because of the server itself.  The node that named it may know less than
 * others: one that became a replica, or was cut off, still replies. */
static void
link_doubt(struct link *link, const char *reason)
{
	link_fail(link, reason);
	if (link->sentinel)
		sentinel_distrust(link->sentinel);
}

void
link_drop(struct link *link, const char *reason)
{
	if (link->state == LINK_GREETING || link->state == LINK_UP)
		link_doubt(link, reason);
}

static void link_start_dialing(struct link *link);

/* Whether a close now would be for being idle.  Not with a subscription: its
 * owner must know that it was lost. */
static bool
link_is_idle(const struct link *link)
{
	return link->state == LINK_UP && !link->pipeline.calls.head &&
	       !link->events->message &&
	       clock_us() - link->up_since_us >= IDLE_MIN_US;
}

static void
link_resume(struct link *link)
{
	link_close_all(link);
	link->resuming = true;
	link->resuming_since_us = clock_us();
	link_start_dialing(link);
}

static void
link_on_closed(const char *how, void *arg)
{
	struct link *link = arg;

	if (link_is_idle(link)) {
		link_resume(link);
		return;
	}
	if (link->state == LINK_GREETING)
		link->without_hello = !link->without_hello;
	link_fail(link, link->state == LINK_GREETING &&
				!link->pipeline.reader.heard &&
				!link->pipeline.stream.tls
			    ? REPLY_SILENCE
			    : how);
}

static void
link_on_failed(const char *reason, void *arg)
{
	link_doubt(arg, reason);
}

static bool
link_on_message(const redisReply *reply, void *arg)
{
	struct link *link = arg;

	if (!link->events->message)
		return false;
	link->events->message(reply, link->arg);
	return true;
}

static const struct pipeline_events pipeline_events = {
    link_on_closed, link_on_failed, link_on_message};

/* Send the held calls, each with its full time. */
static void
link_release_held(struct link *link)
{
	link->resuming = false;
	if (pipeline_take_calls(&link->pipeline, &link->held, &link->held_bytes,
		clock_us() - link->resuming_since_us) == -1)
		link_fail(link, strerror(ENOMEM));
}

/* The reply to a step of the greeting; the last one makes the link UP. */
static void
link_on_greeted(const redisReply *reply, void *arg)
{
	struct link *link = arg;
	const char *reason;

	if (!reply)
		return; /* link_fail() called this */
	reason = greeting_take(&link->greeting, reply);
	if (reason) {
		/* What follows the topology logs another one. */
		link_doubt(link, link->greeting.is_elsewhere ? NULL : reason);
	} else if (!link->pipeline.calls.head) {
		link_set_state(link, LINK_UP);
		if (link->resuming)
			link_release_held(link);
		else
			link->events->up(link->arg);
	}
}

static void
link_greet(struct link *link)
{
	struct command *command = &link->greeting_command;
	const struct call call = {
	    NULL, link->greeted_by_us, link_on_greeted, link};

	link->greeting = (struct greeting){
	    .options = link->options, .without_hello = link->without_hello};
	while (greeting_write(&link->greeting, command)) {
		if (pipeline_call(&link->pipeline, command, &call) == -1) {
			link_fail(link, strerror(ENOMEM));
			return;
		}
	}
	link_flush(link);
}

/* Return 0, or -1 (out of memory). */
static int
link_open_pipeline(struct link *link, int fd)
{
	const struct link_options *options = link->options;
	struct tls *tls = NULL;

	if (options->tls_context)
		tls = tls_connect(options->tls_context, fd,
		    *link->endpoint.unix_socket_path ? ""
						     : link->endpoint.host);
	if (pipeline_open(&link->pipeline, fd, tls, options->reply_max_bytes) ==
	    -1)
		return -1;
	return tls || !options->tls_context ? 0 : -1;
}

static void
link_on_dialed(int fd, const struct dial_failure *failure, void *arg)
{
	struct link *link = arg;

	link->dial = NULL;
	link->outage.is_unknown = failure && failure->step == DIAL_LOOKUP;
	if (failure) {
		if (failure->is_ours)
			link_fail(link, failure->reason);
		else
			link_doubt(link, failure->reason);
		return;
	}
	link_set_state(link, LINK_GREETING);
	if (link_open_pipeline(link, fd) == 0)
		link_greet(link);
	else
		link_fail(link, strerror(ENOMEM));
}

static void
link_dial(struct link *link)
{
	const struct dial_options options = {&link->endpoint,
	    link->greeted_by_us - clock_us(), link->outage.failures};

	endpoint_name(&link->endpoint, link->name);
	link->dial = dial_start(link->dialer, &options, link_on_dialed, link);
	if (!link->dial)
		timer_set(&link->timer, link->greeted_by_us - clock_us());
}

static void
link_start_dialing(struct link *link)
{
	link->is_early = false;
	link_set_state(link, LINK_DIALING);
	if (link->sentinel) {
		sentinel_ask(link->sentinel);
	} else {
		link->endpoint = link->options->endpoint;
		link_dial(link);
	}
}

/*
 * Where the sentinels say which server it is.
 */

/* Also a reply to an attempt that is over, or to no question. */
static void
link_on_found(const struct endpoint *master, void *arg)
{
	struct link *link = arg;

	if (link->state == LINK_WAITING)
		link_set_state(link, LINK_DIALING);
	else if (link->state != LINK_DIALING || link->dial)
		return;
	link->endpoint = *master;
	timer_stop(&link->timer);
	link_dial(link);
}

static void
link_on_unknown(void *arg)
{
	struct link *link = arg;

	if (link->state == LINK_DIALING && !link->dial)
		link_fail(link, sentinel_blame(link->sentinel, true));
}

/* The old one's replies cannot be trusted any more: do not wait for them.  No
 * two waits in a row are cut short, since sentinels may name dead servers in
 * turn. */
static void
link_on_moved(const struct endpoint *master, void *arg)
{
	struct link *link = arg;
	char reason[ENDPOINT_NAME_MAX + 40], name[ENDPOINT_NAME_MAX];

	endpoint_name(master, name);
	snprintf(reason, sizeof(reason), "the master is now %s", name);
	if (link->state != LINK_WAITING)
		link_fail(link, reason);
	else if (link->is_early)
		return;
	link->is_early = true;
	link_on_found(master, link);
}

void
link_follow(struct link *link, const struct endpoint *master)
{
	assert(link->sentinel && !link->pipeline.calls.head);
	link_close_all(link);
	link_set_state(link, LINK_DIALING);
	link_on_found(sentinel_correct(link->sentinel, master), link);
}

static void
link_on_timer(void *arg)
{
	struct link *link = arg;

	if (link->state == LINK_WAITING)
		link_start_dialing(link);
	else /* DIALING, without a dial */
		link_fail(link, link->sentinel
				    ? sentinel_blame(link->sentinel, false)
				    : strerror(ENOMEM));
}

static int
link_open_sentinel(struct link *link)
{
	static const struct sentinel_events events = {
	    link_on_found, link_on_unknown, link_on_moved};

	link->sentinel = sentinel_new(
	    link->loop, link->dialer, link->options, &events, link);
	snprintf(link->name, sizeof(link->name), "%s",
	    sentinel_sought(&link->options->sentinel));
	return link->sentinel ? 0 : -1;
}

struct link *
link_new(struct loop *loop, struct dialer *dialer,
    const struct link_options *options, const struct link_events *events,
    void *arg)
{
	struct link *link = calloc(1, sizeof(*link));

	if (!link)
		return NULL;
	link->loop = loop;
	link->dialer = dialer;
	link->options = options;
	link->events = events;
	link->arg = arg;
	pipeline_init(&link->pipeline, loop, &pipeline_events, link);
	timer_init(&link->timer, loop, link_on_timer, link);
	if (options->sentinel.hosts && link_open_sentinel(link) == -1) {
		free(link);
		return NULL;
	}
	link_start_dialing(link);
	return link;
}

void
link_free(struct link *link)
{
	if (!link)
		return;
	sentinel_free(link->sentinel);
	link_close_all(link);
	link_set_state(link, LINK_WAITING); /* no callback can call again */
	link->resuming = false;
	pipeline_abandon(&link->pipeline);
	calls_abandon(&link->held);
	timer_stop(&link->timer);
	pipeline_free(&link->pipeline);
	calls_free(&link->held);
	command_free(&link->greeting_command);
	buf_free(&link->held_bytes);
	free(link);
}

/* A call sent over a connection that the server has closed is lost, and it is
 * not known whether it ran.  So look before the first call after a while. */
void
link_look(struct link *link)
{
	int64_t now_us = clock_us();
	bool after_a_while = now_us - link->called_us >= IDLE_MIN_US;

	link->called_us = now_us;
	if (after_a_while && link_is_idle(link) &&
	    pipeline_has_ended(&link->pipeline))
		link_resume(link);
}

int
link_call(struct link *link, const struct command *command, int64_t deadline_us,
    link_done *done, void *arg)
{
	const struct call call = {NULL, deadline_us, done, arg};

	link_look(link);
	if (link->state == LINK_UP)
		return pipeline_call(&link->pipeline, command, &call);
	if (link->resuming)
		return calls_add(
		    &link->held, &call, command, &link->held_bytes);
	return -1;
}

bool
link_is_up(const struct link *link)
{
	return link->state == LINK_UP;
}

int64_t
link_up_since_us(const struct link *link)
{
	return link->up_since_us;
}

void
link_flush(struct link *link)
{
	pipeline_flush(&link->pipeline);
}

void
link_proven(struct link *link)
{
	outage_end(&link->outage, link->name);
}

const char *
link_name(const struct link *link)
{
	return link->name;
}

const struct endpoint *
link_endpoint(const struct link *link)
{
	return &link->endpoint;
}
