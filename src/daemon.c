#include "daemon.h"

#include "base/clock.h"
#include "base/log.h"
#include "control/control.h"
#include "gate/pool.h"
#include "host.h"
#include "net/doors.h"
#include "net/systemd.h"
#include "net/timer.h"
#include "source.h"
#include "wire/line.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SIGNALS 3

/* SIGTERM to exit, at the most. */
#define DRAIN_US INT64_C(10000000)

/* A start waits so long for limits from Redis, at the most: its timeouts are
 * long, and clients are not to wait for them. */
#define CONTROL_PATIENCE_US INT64_C(1000000)

/* The status line that systemctl status shows. */
#define STATUS_LEN 560

#define TICK_US       1000000
#define START_TICK_US 2000
#define DRAIN_TICK_US 10000

struct daemon {
	struct config *config;
	struct event_base *base;
	struct pool *pool;            /* NULL: limits are only distributed */
	struct doors *doors;          /* NULL: not yet open, or closed again */
	struct subscriber_options subscriber;
	struct control *control;      /* NULL: limits come from a file */
	struct event signals[SIGNALS];
	struct event tick;
	bool ready;
	bool failed;                  /* to start */
	int64_t started_us;           /* when control was */
	int64_t draining_since_us;    /* 0: not yet */
	char complaint[420];          /* what the last reload came to, or "" */
};

static const int signal_numbers[SIGNALS] = {SIGTERM, SIGINT, SIGHUP};

static bool
follows_redis(const struct daemon *daemon)
{
	return daemon->pool && daemon->config->limits_source == LIMITS_REDIS;
}

static const char *
where_from(const struct daemon *daemon)
{
	static const char *const from_redis[] = {
	    [SUBSCRIBER_WAITING] = " (Redis was not read yet)",
	    [SUBSCRIBER_CURRENT] = " from Redis",
	    [SUBSCRIBER_REFUSED] = " (those in Redis now are refused)",
	};

	if (!follows_redis(daemon))
		return "";
	return from_redis[control_state(daemon->control)];
}

static void
status(const struct daemon *daemon, char *to, size_t size)
{
	if (daemon->pool)
		snprintf(to, size, "%zu limits%s, %zu clients, buckets in %s%s",
		    pool_limits(daemon->pool), where_from(daemon),
		    pool_clients(daemon->pool),
		    daemon->config->gate.store == STORE_REDIS ? "Redis"
							      : "memory",
		    daemon->complaint);
	else
		snprintf(to, size, "distributing limits to %zu servers%s",
		    daemon->config->distributor.slave_count,
		    daemon->complaint);
}

static void
say_ready(const struct daemon *daemon)
{
	char text[STATUS_LEN];

	status(daemon, text, sizeof(text));
	systemd_ready(text);
}

static void
refused_setting(const char *section, const char *name)
{
	log_warning("[%s] %s changed: takes effect at the next start", section,
	    name);
}

static void
apply_reloadable(struct daemon *daemon)
{
	log_set_level((enum log_level)daemon->config->log_level);
	if (!daemon->pool)
		return;
	pool_set_unmatched(
	    daemon->pool, (enum unmatched)daemon->config->unmatched);
	host_raise_fd_limit((size_t)daemon->config->max_clients);
}

static void
refuse_reload(struct daemon *daemon, const char *reason)
{
	log_error("not reloaded: %s", reason);
	snprintf(daemon->complaint, sizeof(daemon->complaint),
	    "; not reloaded: %s", reason);
}

static void
take_settings(struct daemon *daemon, const struct config *new)
{
	if (new)
		config_take_reloadable(daemon->config, new, refused_setting);
	apply_reloadable(daemon);
	daemon->complaint[0] = '\0';
}

/* All of it or nothing: what is wrong leaves everything as it was. */
static void
reload_from_file(struct daemon *daemon, const struct config *new)
{
	struct rules_error error;
	struct rules *rules = source_read_file(
	    (new ? new : daemon->config)->limits_file, &error);

	if (!rules) {
		refuse_reload(daemon, error.reason);
		return;
	}
	take_settings(daemon, new);
	log_info("reloaded: %zu limits in force", rules_count(rules));
	pool_set_rules(daemon->pool, rules);
}

static void
reload(struct daemon *daemon)
{
	struct config_error error;
	struct config *new = NULL;

	if (daemon->config->path) {
		new = config_load(daemon->config->path, &error);
		if (!new) {
			refuse_reload(daemon, error.reason);
			return;
		}
	}
	if (daemon->pool && !follows_redis(daemon)) {
		reload_from_file(daemon, new);
	} else {
		log_info("settings were read again");
		take_settings(daemon, new);
		control_reload(daemon->control);
	}
	config_free(new);
}

static void
drain(struct daemon *daemon)
{
	if (daemon->draining_since_us) {
		log_info("asked again: exit at once");
		event_base_loopbreak(daemon->base);
		return;
	}
	systemd_stopping();
	if (!daemon->pool) {
		event_base_loopbreak(daemon->base);
		return;
	}
	log_info("draining %zu clients", pool_clients(daemon->pool));
	daemon->draining_since_us = clock_us();
	doors_close(daemon->doors);
	daemon->doors = NULL;
	pool_drain(daemon->pool, systemd_keeps_clients());
	timer_set(&daemon->tick, DRAIN_TICK_US);
}

/* systemd is told of a reload only while it takes us for ready. */
static void
reload_as_service(struct daemon *daemon)
{
	bool told = daemon->ready && !daemon->draining_since_us;

	if (told)
		systemd_reloading();
	reload(daemon);
	if (told)
		say_ready(daemon);
}

static void
on_signal(evutil_socket_t number, short what, void *arg)
{
	struct daemon *daemon = arg;

	(void)what;
	switch (number) {
	case SIGHUP:
		reload_as_service(daemon);
		break;
	case SIGTERM:
	case SIGINT:
		drain(daemon);
		break;
	}
}

static void
refuse_client(int fd)
{
	const char *text = line_error_text(LINE_ERR_CLIENTS);
	char request[4096];

	/* Closing over what it sent already would take the answer back. */
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) == -1 ||
	    (recv(fd, request, sizeof(request), 0) == -1 && errno != EAGAIN))
		log_debug("refusing a client: %m");
	close(fd);
}

static void
on_accepted(int fd, void *arg)
{
	struct daemon *daemon = arg;

	if (pool_clients(daemon->pool) >= (size_t)daemon->config->max_clients)
		refuse_client(fd);
	else
		pool_give(daemon->pool, fd);
}

/* One line to try, for whoever started it by hand. */
static void
say_what_to_try(const char *address)
{
	const char *port = strrchr(address, ':');

	if (*address == '/' || !port)
		log_info("try: printf 'consume login:42\\n' | nc -NU %s",
		    address);
	else
		log_info("try: printf 'consume login:42\\n' | nc -N %.*s %s",
		    (int)(port - address), address, port + 1);
}

/* Until the key can be read, there may be no limits at all. */
static void
say_what_is_missing(const struct daemon *daemon)
{
	size_t count = pool_limits(daemon->pool);

	if (!follows_redis(daemon) ||
	    control_state(daemon->control) == SUBSCRIBER_CURRENT)
		return;
	if (count > 0)
		log_warning("no limits from Redis: the %zu of an earlier run "
			    "are in force",
		    count);
	else
		log_error("no limits from Redis, nor from an earlier run: "
			  "[limits] unmatched decides");
}

static bool
open_doors(struct daemon *daemon)
{
	daemon->doors = doors_open(
	    daemon->base, &daemon->config->doors, on_accepted, daemon);
	if (!daemon->doors) {
		daemon->failed = true;
		event_base_loopbreak(daemon->base);
		return false;
	}
	say_what_is_missing(daemon);
	return true;
}

static bool
waits_for_limits(const struct daemon *daemon)
{
	return daemon->control && !control_is_settled(daemon->control) &&
	       clock_us() - daemon->started_us < CONTROL_PATIENCE_US;
}

/* Open the doors once the limits were read and every worker's store is
 * connected, or is known not to be: nobody shall get an answer by fallback only
 * for having come early. */
static void
try_start(struct daemon *daemon)
{
	if (waits_for_limits(daemon))
		return;
	if (daemon->pool &&
	    (!pool_is_settled(daemon->pool) || !open_doors(daemon)))
		return;
	daemon->ready = true;
	say_ready(daemon);
	if (daemon->pool)
		say_what_to_try(doors_address(daemon->doors));
	else
		log_info("distributing to %zu servers",
		    daemon->config->distributor.slave_count);
}

static void
tick_starting(struct daemon *daemon)
{
	try_start(daemon);
	timer_set(&daemon->tick, START_TICK_US);
}

/* The watchdog wants to be patted at twice the rate that it barks at. */
static int64_t
serving_tick_us(void)
{
	int64_t watchdog_us = systemd_watchdog_us();

	return watchdog_us && watchdog_us / 2 < TICK_US ? watchdog_us / 2
							: TICK_US;
}

/* Clients do not need the control thread; without them it is all there is. */
static bool
is_alive(const struct daemon *daemon)
{
	return daemon->pool ? pool_is_alive(daemon->pool)
			    : control_is_alive(daemon->control);
}

static void
tick_serving(struct daemon *daemon)
{
	char text[STATUS_LEN];

	if (is_alive(daemon))
		systemd_watchdog_pat();
	status(daemon, text, sizeof(text));
	systemd_status(text);
	timer_set(&daemon->tick, serving_tick_us());
}

static void
tick_draining(struct daemon *daemon)
{
	if (pool_is_drained(daemon->pool)) {
		/* Our successor will not know the difference. */
		pool_each_kept(daemon->pool, systemd_keep_clients);
		event_base_loopbreak(daemon->base);
	} else if (clock_us() - daemon->draining_since_us >= DRAIN_US) {
		log_warning(
		    "%zu clients are cut off", pool_clients(daemon->pool));
		event_base_loopbreak(daemon->base);
	}
	timer_set(&daemon->tick, DRAIN_TICK_US);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *daemon = arg;

	(void)fd;
	(void)what;
	if (daemon->draining_since_us)
		tick_draining(daemon);
	else if (daemon->ready)
		tick_serving(daemon);
	else
		tick_starting(daemon);
}

static void
add_events(struct daemon *daemon)
{
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < SIGNALS; i++) {
		evsignal_assign(&daemon->signals[i], daemon->base,
		    signal_numbers[i], on_signal, daemon);
		evsignal_add(&daemon->signals[i], NULL);
	}
	evtimer_assign(&daemon->tick, daemon->base, on_tick, daemon);
	timer_set(&daemon->tick, 0);
}

/* On the control thread. */
static void
on_rules(struct rules *rules, void *arg)
{
	struct daemon *daemon = arg;

	pool_set_rules(daemon->pool, rules);
}

static int
start_control(struct daemon *daemon)
{
	const struct config *config = daemon->config;
	struct control_options options = {0};

	if (follows_redis(daemon)) {
		daemon->subscriber = config_subscriber(config);
		daemon->subscriber.start_count = pool_limits(daemon->pool);
		options.subscriber = &daemon->subscriber;
	}
	if (config->distributor.slave_count > 0)
		options.distributor = &config->distributor;
	if (!options.subscriber && !options.distributor)
		return 0;
	daemon->started_us = clock_us();
	daemon->control = control_start(&options, on_rules, daemon);
	return daemon->control ? 0 : -1;
}

/* Takes over the rules.  Return 0, or -1 with errno. */
static int
start(struct daemon *daemon, struct rules *rules)
{
	const struct config *config = daemon->config;

	if (rules) {
		daemon->pool = pool_start(&config->gate,
		    config->workers ? (size_t)config->workers : host_cores(),
		    rules);
		if (!daemon->pool)
			return -1;
	}
	daemon->base = event_base_new();
	if (!daemon->base)
		return -1;
	apply_reloadable(daemon);
	add_events(daemon);
	return start_control(daemon);
}

static void
stop(struct daemon *daemon)
{
	doors_close(daemon->doors);
	control_stop(daemon->control);
	pool_stop(daemon->pool);
	if (daemon->base) {
		for (size_t i = 0; i < SIGNALS; i++)
			event_del(&daemon->signals[i]);
		event_del(&daemon->tick);
		event_base_free(daemon->base);
	}
	config_free(daemon->config);
}

int
daemon_run(struct config *config, struct rules *rules)
{
	struct daemon daemon = {.config = config};
	bool failed = true;

	if (start(&daemon, rules) == -1) {
		log_error("cannot start: %m");
	} else {
		event_base_dispatch(daemon.base);
		failed = daemon.failed;
	}
	stop(&daemon);
	if (!failed)
		log_info("stopped");
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
