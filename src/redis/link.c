#include "redis/link.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "net/stream.h"
#include "net/timer.h"
#include "redis/reply_arena.h"
#include "redis/reply_guard.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes read at a time: about the reply to a full batch. */
#define READ_LEN 16384

/*
 *   WAITING --> DIALING --> GREETING --> UP
 *      ^___________|___________|_________|
 */
#define LINK_STATES(X)                                                         \
	X(WAITING)  /* backing off */                                          \
	X(DIALING)  /* looking up, connecting */                               \
	X(GREETING) /* AUTH and SELECT are in flight */                        \
	X(UP)

enum link_state {
#define X(name) LINK_##name,
	LINK_STATES(X)
#undef X
};

static const char *const state_names[] = {
#define X(name) #name,
    LINK_STATES(X)
#undef X
};

struct call {
	struct call *next;
	int64_t deadline_us;
	link_done *done;
	void *arg;
};

struct link {
	struct event_base *base;
	struct dialer *dialer;
	const struct link_options *options;
	const struct link_events *events;
	void *arg;
	char name[ENDPOINT_NAME_MAX];

	enum link_state state;
	struct dial *dial;            /* DIALING only */
	struct stream stream;         /* GREETING and UP */
	redisReader *reader;
	struct reply_guard guard;
	struct reply_arena arena;     /* of the reply being read */
	struct call *head, *tail;     /* in flight, oldest first */
	struct call *spare;           /* to be used again */
	struct command greeting;

	struct event timer;           /* back-off, connecting, or a deadline */
	int64_t timer_us;             /* when it goes off; 0: not set */
	int64_t greeted_by_us;        /* when it must be UP */
	unsigned failures;            /* since the link was proven */
	struct log_pace pace;         /* of complaints in the log */
	bool complaining;             /* nothing better was logged since */
};

static void
set_timer(struct link *link, int64_t at_us)
{
	link->timer_us = at_us;
	timer_set(&link->timer, at_us - clock_us());
}

static void
clear_timer(struct link *link)
{
	link->timer_us = 0;
	evtimer_del(&link->timer);
}

static int64_t
backoff_us(const struct link *link)
{
	int64_t most = link->options->backoff_max_us
			   ? link->options->backoff_max_us
			   : LINK_BACKOFF_MAX_US;
	int64_t ceiling = LINK_BACKOFF_MIN_US;

	for (unsigned i = 0; i < link->failures; i++)
		if (ceiling < most)
			ceiling *= 2;
	return random_below(ceiling < most ? ceiling : most);
}

/* The one writer of the state, which arms what the state waits for. */
static void
set_state(struct link *link, enum link_state state)
{
	log_debug("redis %s: %s -> %s", link->name, state_names[link->state],
	    state_names[state]);
	clear_timer(link);
	link->state = state;
	switch (state) {
	case LINK_WAITING:
		set_timer(link, clock_us() + backoff_us(link));
		break;
	case LINK_DIALING:
		link->greeted_by_us =
		    clock_us() + link->options->connect_timeout_us;
		set_timer(link, link->greeted_by_us);
		break;
	case LINK_GREETING: /* its calls have the deadline */
	case LINK_UP:
		break;
	}
}

/* Answer all that is in flight with NULL. */
static void
abandon_calls(struct link *link)
{
	struct call *call = link->head;

	link->head = link->tail = NULL;
	while (call) {
		struct call *next = call->next;

		call->done(NULL, call->arg);
		call->next = link->spare;
		link->spare = call;
		call = next;
	}
}

static void
close_all(struct link *link)
{
	dial_cancel(link->dial);
	link->dial = NULL;
	stream_close(&link->stream);
	redisReaderFree(link->reader);
	link->reader = NULL;
}

/* At the start of an outage, and now and then while it lasts.  Short ones that
 * follow each other are as good as one; so are those of several links. */
static void
complain(struct link *link, const char *reason)
{
	char text[200];

	if (!log_is_due(&link->pace))
		return;
	link->complaining = true;
	log_once(LOG_LEVEL_WARNING, "redis %s: %s", link->name,
	    log_escape(text, sizeof(text), reason, strlen(reason)));
}

static void
fail(struct link *link, const char *reason)
{
	complain(link, reason);
	close_all(link);
	set_state(link, LINK_WAITING);
	link->failures++;
	abandon_calls(link);
	link->events->down(link->arg);
}

void
link_drop(struct link *link, const char *reason)
{
	if (link->state == LINK_GREETING || link->state == LINK_UP)
		fail(link, reason);
}

static struct call *
take_call(struct link *link)
{
	struct call *call = link->head;

	link->head = call->next;
	if (!link->head)
		link->tail = NULL;
	return call;
}

/* Whether it is no answer to a call, but was published.  Answers to calls never
 * look so: no command but (P)SUBSCRIBE has such a word at its head. */
static bool
is_message(const struct link *link, const redisReply *reply)
{
	return link->events->message && reply->type == REDIS_REPLY_ARRAY &&
	       reply->elements == 3 &&
	       reply->element[0]->type == REDIS_REPLY_STRING &&
	       strcmp(reply->element[0]->str, "message") == 0;
}

/* Give a reply to the oldest call. */
static void
deliver(struct link *link, const redisReply *reply)
{
	struct call *call;

	if (is_message(link, reply)) {
		link->events->message(reply, link->arg);
		return;
	}
	if (!link->head) {
		fail(link, "sent what nobody asked for");
		return;
	}
	call = take_call(link);
	call->done(reply, call->arg);
	call->next = link->spare;
	link->spare = call;
}

/* Deliver each reply that is complete.  A callback may drop the link: then its
 * reader is gone. */
static void
deliver_replies(struct link *link)
{
	void *reply = NULL;

	while (link->reader &&
	       redisReaderGetReply(link->reader, &reply) == REDIS_OK && reply) {
		deliver(link, reply);
		reply_arena_empty(&link->arena);
	}
	if (link->reader && link->reader->err)
		fail(link, link->reader->errstr);
}

/* Read once.  Return whether there may be more. */
static bool
receive(struct link *link)
{
	char bytes[READ_LEN];
	ssize_t len = stream_read(&link->stream, bytes, sizeof(bytes));

	if (len == -1 && (errno == EAGAIN || errno == EINTR))
		return errno == EINTR;
	if (len == -1)
		fail(link, strerror(errno));
	else if (len == 0)
		fail(link, "closed the connection");
	else if (reply_guard_check(&link->guard, bytes, (size_t)len) == -1)
		fail(link, "sent a reply that is malformed or too large");
	else if (redisReaderFeed(link->reader, bytes, (size_t)len) != REDIS_OK)
		fail(link, link->reader->errstr);
	else
		deliver_replies(link);
	return len == sizeof(bytes) && link->reader;
}

/* All there is, before a timer gets to judge what has not come. */
static void
on_readable(void *arg)
{
	while (receive(arg))
		;
}

static void
on_writable(void *arg)
{
	link_flush(arg);
}

static const struct stream_events stream_events = {on_readable, on_writable};

/* The answer to AUTH or SELECT; the last one makes the link UP. */
static void
on_greeted(const redisReply *reply, void *arg)
{
	struct link *link = arg;

	if (!reply)
		return; /* fail() is at work */
	if (reply->type == REDIS_REPLY_ERROR) {
		fail(link, reply->str);
	} else if (!link->head) {
		set_state(link, LINK_UP);
		link->events->up(link->arg);
	}
}

/* ${words} end with a NULL; empty ones are left out. */
static int
greet_with(struct link *link, const char *const *words)
{
	size_t count = 0;

	for (size_t i = 0; words[i]; i++)
		count += *words[i] != '\0';
	command_start(&link->greeting, count);
	for (size_t i = 0; words[i]; i++)
		if (*words[i])
			command_add_text(&link->greeting, words[i]);
	return link_call(link, &link->greeting, link->greeted_by_us, on_greeted,
	    link);
}

/* SELECT is sent for database 0 as well: its answer shows a server that is
 * loading, or busy, or wants a password. */
static void
greet(struct link *link)
{
	const char *username = link->options->username;
	const char *password = link->options->password;
	char db[24];
	const char *const auth[] = {
	    "AUTH", username ? username : "", password, NULL};
	const char *const select[] = {"SELECT", db, NULL};

	snprintf(db, sizeof(db), "%lld", (long long)link->options->db);
	if ((*password && greet_with(link, auth) == -1) ||
	    greet_with(link, select) == -1)
		fail(link, strerror(ENOMEM));
	else
		link_flush(link);
}

static void
on_dialed(int fd, const char *reason, void *arg)
{
	struct link *link = arg;

	link->dial = NULL;
	if (fd == -1) {
		fail(link, reason);
		return;
	}
	reply_arena_empty(&link->arena);
	link->reader = reply_arena_reader(&link->arena);
	link->guard = (struct reply_guard){
	    .max_bytes = link->options->reply_max_bytes};
	stream_open(&link->stream, link->base, fd, &stream_events, link);
	set_state(link, LINK_GREETING);
	if (link->reader)
		greet(link);
	else
		fail(link, strerror(ENOMEM));
}

static void
start_dialing(struct link *link)
{
	set_state(link, LINK_DIALING);
	link->dial = dial_start(
	    link->dialer, &link->options->endpoint, on_dialed, link);
	if (!link->dial)
		fail(link, strerror(ENOMEM));
}

static int64_t
earliest_deadline(const struct link *link)
{
	int64_t earliest = INT64_MAX;

	for (const struct call *call = link->head; call; call = call->next)
		if (call->deadline_us < earliest)
			earliest = call->deadline_us;
	return earliest;
}

/* A deadline may have been met meanwhile: the timer is set again only now, and
 * not at every answer. */
static void
check_deadlines(struct link *link)
{
	int64_t deadline_us = earliest_deadline(link);

	if (!link->head)
		return;
	if (deadline_us <= clock_us())
		fail(link, "did not answer in time");
	else
		set_timer(link, deadline_us);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct link *link = arg;

	(void)fd;
	(void)what;
	link->timer_us = 0;
	switch (link->state) {
	case LINK_WAITING:
		start_dialing(link);
		break;
	case LINK_DIALING:
		fail(link, "could not be connected to in time");
		break;
	case LINK_GREETING:
	case LINK_UP:
		check_deadlines(link);
		break;
	}
}

struct link *
link_new(struct event_base *base, struct dialer *dialer,
    const struct link_options *options, const struct link_events *events,
    void *arg)
{
	struct link *link = calloc(1, sizeof(*link));

	if (!link)
		return NULL;
	link->base = base;
	link->dialer = dialer;
	link->options = options;
	link->events = events;
	link->arg = arg;
	link->stream.fd = -1;
	endpoint_name(&options->endpoint, link->name);
	evtimer_assign(&link->timer, base, on_timer, link);
	start_dialing(link);
	return link;
}

void
link_free(struct link *link)
{
	if (!link)
		return;
	close_all(link);
	set_state(link, LINK_WAITING); /* no callback can call again */
	abandon_calls(link);
	clear_timer(link);
	while (link->spare) {
		struct call *next = link->spare->next;

		free(link->spare);
		link->spare = next;
	}
	command_free(&link->greeting);
	reply_arena_free(&link->arena);
	free(link);
}

int
link_call(struct link *link, const struct command *command, int64_t deadline_us,
    link_done *done, void *arg)
{
	struct call *call = link->spare;

	if (link->state != LINK_GREETING && link->state != LINK_UP)
		return -1;
	if (call)
		link->spare = call->next;
	else if (!(call = malloc(sizeof(*call))))
		return -1;
	*call = (struct call){NULL, deadline_us, done, arg};
	if (command->failed || buf_add(&link->stream.out,
				   buf_head(&command->bytes),
				   buf_len(&command->bytes)) == -1) {
		call->next = link->spare;
		link->spare = call;
		return -1;
	}
	if (link->tail)
		link->tail->next = call;
	else
		link->head = call;
	link->tail = call;
	if (!link->timer_us || deadline_us < link->timer_us)
		set_timer(link, deadline_us);
	return 0;
}

void
link_flush(struct link *link)
{
	if (link->stream.fd == -1 || buf_len(&link->stream.out) == 0)
		return;
	if (stream_flush(&link->stream) == -1)
		fail(link, strerror(errno));
}

void
link_proven(struct link *link)
{
	if (link->complaining)
		log_once(LOG_LEVEL_INFO, "redis %s: answers again", link->name);
	link->complaining = false;
	link->failures = 0;
}

const char *
link_name(const struct link *link)
{
	return link->name;
}
