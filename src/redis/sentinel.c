/*
 * Asks sentinels for the address of the master.
 * At most one call is under way; a poll is one that nothing waits for.
 * The heart is sentinel_take().
 */
#include "redis/sentinel.h"

#include "base/clock.h"
#include "base/host_port.h"
#include "base/random.h"
#include "net/timer.h"

#include <stdlib.h>
#include <string.h>

/* From one poll to the next, +-20 %. */
#define POLL_US INT64_C(1000000)

struct sentinel {
	const struct link_options *options;
	const struct sentinel_events *events;
	void *arg;
	struct link_options link_options; /* to the sentinel in use */
	struct host_port at;              /* where it is */
	const char *next;                 /* of the list: those after it */
	struct link *link;
	struct command command; /* reused, for its memory */
	struct timer timer;     /* the next poll */

	bool is_asked; /* sentinel_ask() has had no event yet */
	bool is_out;   /* a call is under way */

	char host[sizeof(((struct host_port *)0)->host)]; /* of the master */
	struct endpoint master; /* without a port: none was found */
};

/* Have the link connect to the next sentinel of the list, or to its first. */
static void
sentinel_choose(struct sentinel *sentinel)
{
	struct host_port *at = &sentinel->at;

	if (!host_port_read_next(at, &sentinel->next)) {
		sentinel->next = sentinel->options->sentinel.hosts;
		if (!host_port_read_next(at, &sentinel->next))
			return; /* the config has checked it */
	}
	sentinel->link_options.endpoint =
	    (struct endpoint){"", at->host, strtol(at->port, NULL, 10)};
}

static bool
sentinel_is_same(const struct sentinel *sentinel, const struct endpoint *master)
{
	return sentinel->master.port == master->port &&
	       strcmp(sentinel->host, master->host) == 0;
}

static void
sentinel_keep(struct sentinel *sentinel, const struct endpoint *master)
{
	snprintf(sentinel->host, sizeof(sentinel->host), "%s", master->host);
	sentinel->master = (struct endpoint){"", sentinel->host, master->port};
}

/* Report the master to the owner that waits for it, or, if it is another one
 * than before, to one that does not wait. */
static void
sentinel_take(struct sentinel *sentinel, const struct endpoint *master)
{
	bool is_same = sentinel_is_same(sentinel, master);
	bool was_found = sentinel->master.port != 0;

	if (!is_same)
		sentinel_keep(sentinel, master);
	if (sentinel->is_asked) {
		sentinel->is_asked = false;
		sentinel->events->found(&sentinel->master, sentinel->arg);
	} else if (!is_same && was_found) {
		sentinel->events->moved(&sentinel->master, sentinel->arg);
	}
}

/* Another sentinel may know better: the link, once it is down, connects to the
 * next one. */
static void
sentinel_fail(struct sentinel *sentinel, const char *reason)
{
	bool is_asked = sentinel->is_asked;

	sentinel->is_asked = false;
	if (is_asked)
		sentinel->events->unknown(reason, sentinel->arg);
	link_drop(sentinel->link, reason);
}

static bool
sentinel_is_address(const redisReply *reply)
{
	return reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
	       reply->element[0]->type == REDIS_REPLY_STRING &&
	       reply->element[1]->type == REDIS_REPLY_STRING &&
	       *reply->element[0]->str;
}

static void
sentinel_on_reply(const redisReply *reply, void *arg)
{
	struct sentinel *sentinel = arg;

	sentinel->is_out = false;
	if (!reply)
		return; /* sentinel_on_down() follows */
	timer_set(
	    &sentinel->timer, POLL_US * 4 / 5 + random_below(POLL_US * 2 / 5));
	if (sentinel_is_address(reply)) {
		const struct endpoint master = {"", reply->element[0]->str,
		    strtol(reply->element[1]->str, NULL, 10)};

		link_proven(sentinel->link);
		sentinel_take(sentinel, &master);
	} else {
		sentinel_fail(sentinel, reply->type == REDIS_REPLY_ERROR
					    ? reply->str
					    : "does not know this master_name");
	}
}

static void
sentinel_send(struct sentinel *sentinel)
{
	struct command *command = &sentinel->command;
	int64_t deadline_us =
	    clock_us() + sentinel->options->connect_timeout_us;

	if (sentinel->is_out || !link_is_up(sentinel->link))
		return;
	command_start(command, 3);
	command_add_text(command, "SENTINEL");
	command_add_text(command, "GET-MASTER-ADDR-BY-NAME");
	command_add_text(command, sentinel->options->sentinel.master_name);
	if (link_call(sentinel->link, command, deadline_us, sentinel_on_reply,
		sentinel) == -1)
		return;
	sentinel->is_out = true;
	link_flush(sentinel->link);
}

static void
sentinel_on_up(void *arg)
{
	sentinel_send(arg);
}

static void
sentinel_on_down(void *arg)
{
	struct sentinel *sentinel = arg;

	timer_stop(&sentinel->timer);
	sentinel_choose(sentinel);
}

static void
sentinel_on_timer(void *arg)
{
	sentinel_send(arg);
}

struct sentinel *
sentinel_new(struct loop *loop, struct dialer *dialer,
    const struct link_options *options, const struct sentinel_events *events,
    void *arg)
{
	static const struct link_events link_events = {
	    .up = sentinel_on_up, .down = sentinel_on_down};
	const struct sentinel_options *own = &options->sentinel;
	struct sentinel *sentinel = calloc(1, sizeof(*sentinel));

	if (!sentinel)
		return NULL;
	sentinel->options = options;
	sentinel->events = events;
	sentinel->arg = arg;
	sentinel->link_options =
	    (struct link_options){.username = own->username,
		.password = own->password,
		.connect_timeout_us = options->connect_timeout_us,
		.socket_timeout_us = options->socket_timeout_us,
		.tls_context = own->tls ? options->tls_context : NULL,
		.kind = LINK_TO_SENTINEL};
	sentinel->next = own->hosts;
	timer_init(&sentinel->timer, loop, sentinel_on_timer, sentinel);
	sentinel_choose(sentinel);
	sentinel->link = link_new(
	    loop, dialer, &sentinel->link_options, &link_events, sentinel);
	if (sentinel->link)
		return sentinel;
	sentinel_free(sentinel);
	return NULL;
}

void
sentinel_free(struct sentinel *sentinel)
{
	if (!sentinel)
		return;
	timer_stop(&sentinel->timer);
	link_free(sentinel->link);
	command_free(&sentinel->command);
	free(sentinel);
}

void
sentinel_ask(struct sentinel *sentinel)
{
	sentinel->is_asked = true;
	sentinel_send(sentinel);
}

void
sentinel_distrust(struct sentinel *sentinel)
{
	link_drop(sentinel->link, "named a server that is no master");
}
