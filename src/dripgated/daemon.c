/*
 * daemon: runs the process: its start, its signals, its end.  It listens when
 * limits and stores are ready, or known to be unavailable.  The heart is the
 * table states[], and the ticks in it.
 */
#include "dripgated/daemon_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/process.h"
#include "net/systemd.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/* The time that clients have after SIGTERM. */
#define DRAIN_US INT64_C(9000000)

/* After which buckets are saved, even if some clients are not done. */
#define SAVE_US INT64_C(8000000)

/* Longest time from SIGTERM to exit, even if something hangs. */
#define EXIT_SECONDS 10

/* The longest wait for limits from Redis at the start.  Its timeouts are
 * longer, and clients must not wait for them. */
#define CONTROL_PATIENCE_US INT64_C(1000000)

/* Files are read faster than this, unless their file system hangs. */
#define READ_PATIENCE_US INT64_C(3000000)

#define TICK_US       1000000
#define START_TICK_US 2000
#define DRAIN_TICK_US 10000

static void daemon_tick_starting(struct daemon *daemon);
static void daemon_tick_serving(struct daemon *daemon);
static void daemon_tick_draining(struct daemon *daemon);

/* The periodic work of each state, and when it is first done. */
static const struct {
	const char *name;
	void (*tick)(struct daemon *daemon);
	int64_t first_us;
} states[] = {
    [DAEMON_STARTING] = {"starting", daemon_tick_starting, 0},
    [DAEMON_SERVING] = {"serving", daemon_tick_serving, START_TICK_US},
    [DAEMON_DRAINING] = {"draining", daemon_tick_draining, DRAIN_TICK_US},
};

static void
daemon_set_state(struct daemon *daemon, enum daemon_state state)
{
	daemon->state = state;
	daemon->since_us = clock_us();
	log_debug("daemon: %s", states[state].name);
	timer_set(&daemon->tick, states[state].first_us);
}

bool
daemon_follows_redis(const struct daemon *daemon)
{
	return daemon->pool && daemon->config->limits_source == LIMITS_REDIS;
}

static void
daemon_on_read(const struct settings_reader_result *result, void *arg)
{
	struct daemon *daemon = arg;

	if (result->config)
		limits_watch_note(daemon->watch, &result->config->limits_stamp);
	daemon_take_reload(daemon, result);
	if (daemon->state == DAEMON_SERVING)
		daemon_say_ready(daemon);
}

static void
daemon_drain(struct daemon *daemon)
{
	size_t clients;

	if (daemon->state == DAEMON_DRAINING) {
		log_info("second signal: exiting immediately");
		loop_stop(daemon->loop);
		return;
	}
	alarm(EXIT_SECONDS);
	systemd_stopping();
	daemon_set_state(daemon, DAEMON_DRAINING);
	if (!daemon->pool) {
		loop_stop(daemon->loop);
		return;
	}
	clients = pool_clients(daemon->pool);
	if (daemon->control)
		control_leave(daemon->control);
	listeners_close(daemon->listeners);
	daemon->listeners = NULL;
	pool_drain(daemon->pool, systemd_keeps_clients());
	/* Whoever reads this finds the listeners closed and the workers told.
	 */
	log_info("draining %zu clients", clients);
}

/* Report a reload to the service manager only after we reported that we are
 * ready. */
static void
daemon_reload(struct daemon *daemon)
{
	if (daemon->state == DAEMON_SERVING)
		systemd_reloading();
	settings_reader_start(daemon->reader);
}

static void
daemon_on_limits_changed(void *arg)
{
	struct daemon *daemon = arg;

	log_info("%s changed: reloading", daemon->config->limits_file);
	daemon_reload(daemon);
}

static void
daemon_on_signal(int number, void *arg)
{
	struct daemon *daemon = arg;

	switch (number) {
	case SIGHUP:
		daemon_reload(daemon);
		break;
	case SIGTERM:
	case SIGINT:
		daemon_drain(daemon);
		break;
	}
}

static void
daemon_on_accepted(int fd, enum listener_kind kind, void *arg)
{
	static const enum offer offers[LISTENER_KINDS] = {
	    [LISTENER_LINE] = OFFER_ANY,
	    [LISTENER_HTTP] = OFFER_HTTP,
	    [LISTENER_ADMIN] = OFFER_ADMIN,
	    [LISTENER_POLICY] = OFFER_POLICY,
	};
	struct daemon *daemon = arg;

	if (pool_clients(daemon->pool) >= daemon->client_max)
		refuser_refuse(daemon->refuser, fd);
	else
		pool_give(daemon->pool, fd, offers[kind]);
}

static bool
daemon_open_listeners(struct daemon *daemon)
{
	if (listeners_open(daemon->listeners, daemon->loop, daemon_on_accepted,
		daemon) == -1) {
		daemon->failed = true;
		loop_stop(daemon->loop);
		return false;
	}
	daemon_say_what_is_missing(daemon);
	daemon_say_who_may_ask(daemon);
	return true;
}

static bool
daemon_waits_for_limits(const struct daemon *daemon)
{
	return daemon->control && !control_is_settled(daemon->control) &&
	       clock_us() - daemon->since_us < CONTROL_PATIENCE_US;
}

/* Open the listeners once the limits were read and the stores of the workers
 * and the upstreams are connected, or known to be unavailable: no client must
 * get a decision by fallback only because it came early. */
static void
daemon_tick_starting(struct daemon *daemon)
{
	timer_set(&daemon->tick, START_TICK_US);
	if (daemon_waits_for_limits(daemon))
		return;
	if (daemon->pool &&
	    (!pool_is_settled(daemon->pool) || !daemon_open_listeners(daemon)))
		return;
	daemon_set_state(daemon, DAEMON_SERVING);
	if (daemon->pool)
		keeper_serve(daemon->keeper);
	daemon_say_ready(daemon);
	if (daemon->pool)
		daemon_say_what_to_try(daemon);
	else
		log_info("distributing to %zu servers",
		    daemon->config->distributor.target_count);
}

/* Notify the watchdog at twice the rate that it requires. */
static int64_t
daemon_serving_tick_us(void)
{
	int64_t watchdog_us = systemd_watchdog_us();

	return watchdog_us && watchdog_us / 2 < TICK_US ? watchdog_us / 2
							: TICK_US;
}

/* Clients do not need the control thread.  Without clients it is the only one
 * that matters. */
static bool
daemon_is_alive(const struct daemon *daemon)
{
	return daemon->pool ? pool_is_alive(daemon->pool)
			    : control_is_alive(daemon->control);
}

static void
daemon_tick_serving(struct daemon *daemon)
{
	if (daemon_is_alive(daemon))
		systemd_watchdog_pat();
	daemon_say_status(daemon);
	passwords_tick(daemon->passwords);
	if (settings_reader_busy_us(daemon->reader) > READ_PATIENCE_US)
		log_limited(&daemon->limiter, LOG_LEVEL_WARNING,
		    "not reloaded yet: reading the files hangs");
	timer_set(&daemon->tick, daemon_serving_tick_us());
}

/* End it, in time. */
static void
daemon_end_drain(struct daemon *daemon, bool is_saved)
{
	if (!is_saved)
		log_warning("buckets not saved: the disk is too slow");
	if (pool_is_drained(daemon->pool))
		/* Then our successor gets the rest. */
		pool_each_handover(daemon->pool, systemd_keep_clients);
	else
		log_warning("closing %zu clients that are not done",
		    pool_clients(daemon->pool));
	loop_stop(daemon->loop);
}

/* The buckets are saved once they do not change any more, or, for the sake of a
 * client that does not read, before the time is over. */
static void
daemon_tick_draining(struct daemon *daemon)
{
	int64_t passed_us = clock_us() - daemon->since_us;
	bool is_drained = pool_is_drained(daemon->pool);
	bool is_saved = (is_drained || passed_us >= SAVE_US) &&
			keeper_finish(daemon->keeper);

	if ((is_drained && is_saved) || passed_us >= DRAIN_US)
		daemon_end_drain(daemon, is_saved);
	timer_set(&daemon->tick, DRAIN_TICK_US);
}

static void
daemon_on_tick(void *arg)
{
	struct daemon *daemon = arg;

	log_say_lost();
	states[daemon->state].tick(daemon);
}

/* A thread or a file system hangs. */
static void
daemon_give_up(int number)
{
	(void)number;
	_exit(EXIT_FAILURE);
}

static int
daemon_open_loop(struct daemon *daemon)
{
	static const struct loop_events events = {.caught = daemon_on_signal};
	static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};

	signal(SIGPIPE, SIG_IGN);
	signal(SIGALRM, daemon_give_up);
	daemon->loop = loop_new(&events, daemon);
	if (!daemon->loop || loop_catch(daemon->loop, numbers,
				 sizeof(numbers) / sizeof(*numbers)) == -1)
		return -1;
	timer_init(&daemon->tick, daemon->loop, daemon_on_tick, daemon);
	return 0;
}

/* On the control thread. */
static void
daemon_on_rules(struct rules *rules, struct rules_changes *changes, void *arg)
{
	struct daemon *daemon = arg;

	if (rules)
		pool_set_rules(daemon->pool, rules, changes);
	else
		pool_note_refused(daemon->pool, changes->text);
}

/* On the control thread. */
static int
daemon_on_topology(const struct topology_options *where, void *arg)
{
	struct daemon *daemon = arg;

	return pool_set_topology(daemon->pool, where);
}

static void
daemon_on_topology_seen(int64_t asked_us, void *arg)
{
	struct daemon *daemon = arg;

	pool_note_topology(daemon->pool, asked_us);
}

/* A worker needs to know which topology stands in Redis. */
static void
daemon_on_topology_wanted(void *arg)
{
	control_read_topology(arg);
}

static int
daemon_start_control(struct daemon *daemon)
{
	const struct config *config = daemon->config;
	static const struct topology_follower_events topology_events = {
	    daemon_on_topology, daemon_on_topology_seen};
	struct control_options options = {0};
	const char *const addresses[] = {
	    config->listeners.line, config->listeners.unix_path};

	if (daemon_follows_redis(daemon)) {
		daemon->subscriber = config_subscriber(config);
		daemon->subscriber.start_count = pool_limits(daemon->pool);
		daemon->subscriber.board = pool_fleet_board(daemon->pool);
		node_id_make(daemon->node_id, addresses, COUNT(addresses));
		daemon->subscriber.node_id = daemon->node_id;
		options.subscriber = &daemon->subscriber;
	}
	if (config->distributor.target_count > 0)
		options.distributor = &config->distributor;
	if (daemon->pool && config->gate.store == STORE_REDIS) {
		daemon->topology = config_topology(config);
		options.topology = &daemon->topology;
		options.topology_events = &topology_events;
	}
	if (!options.subscriber && !options.distributor && !options.topology)
		return 0;
	daemon->control = control_start(&options, daemon_on_rules, daemon);
	if (daemon->control && options.topology)
		pool_set_topology_reader(
		    daemon->pool, daemon_on_topology_wanted, daemon->control);
	return daemon->control ? 0 : -1;
}

/* What reads files while it runs.  Return 0, or -1 with errno. */
static int
daemon_open_readers(struct daemon *daemon)
{
	const struct config *config = daemon->config;
	bool limits = daemon->pool && !daemon_follows_redis(daemon);

	daemon->reader = settings_reader_new(
	    daemon->loop, config, limits, daemon_on_read, daemon);
	daemon->passwords = passwords_new(daemon->loop, config);
	if (!daemon->reader || !daemon->passwords)
		return -1;
	if (!limits || !config->limits_watch)
		return 0;
	daemon->watch = limits_watch_new(
	    daemon->loop, config, daemon_on_limits_changed, daemon);
	return daemon->watch ? 0 : -1;
}

/* Servers have a name for each link, which says whose it is. */
static void
daemon_name_links(struct daemon *daemon)
{
	struct config *config = daemon->config;
	struct distributor_options *distributor = &config->distributor;

	node_name_make(daemon->node, config->control.node_name);
	if (!*daemon->node)
		return;
	config->gate.redis.link.node = daemon->node;
	distributor->master.node = daemon->node;
	distributor->master.role = "distributor";
	for (size_t i = 0; i < distributor->target_count; i++) {
		distributor->targets[i].link.node = daemon->node;
		distributor->targets[i].link.role = "distributor";
	}
}

/* Takes over the rules.  Return 0, or -1 with errno. */
static int
daemon_start(struct daemon *daemon, struct rules *rules)
{
	const struct config *config = daemon->config;

	daemon_name_links(daemon);
	if (rules) {
		daemon->listeners = listeners_new(&config->listeners);
		if (!daemon->listeners) {
			rules_unref(rules);
			return -1;
		}
		daemon->workers =
		    config->workers ? (size_t)config->workers : process_cores();
		daemon->pool =
		    pool_start(&config->gate, daemon->workers, rules);
		if (!daemon->pool)
			return -1;
		if (daemon->users)
			pool_set_users(daemon->pool, users_ref(daemon->users));
		if (pool_set_upstreams(daemon->pool,
			upstream_set_ref(config->upstream_set)) == -1)
			return -1;
	}
	if (daemon_open_loop(daemon) == -1)
		return -1;
	if (daemon->pool && keeper_start(daemon->keeper, daemon->loop,
				pool_memory(daemon->pool)) == -1)
		return -1;
	daemon->refuser = refuser_new(daemon->loop);
	if (!daemon->refuser || daemon_open_readers(daemon) == -1)
		return -1;
	daemon_apply_settings(daemon);
	daemon_set_state(daemon, DAEMON_STARTING);
	return daemon_start_control(daemon);
}

/* Return whether a thread still hangs in a file system, and keeps running.
 */
static bool
daemon_stop(struct daemon *daemon)
{
	bool hangs;

	listeners_close(daemon->listeners);
	if (daemon->pool)
		pool_set_topology_reader(daemon->pool, NULL, NULL);
	control_stop(daemon->control);
	if (!keeper_free(daemon->keeper))
		return true; /* its thread still reads the buckets */
	pool_stop(daemon->pool);
	timer_stop(&daemon->tick);
	refuser_free(daemon->refuser);
	hangs = !limits_watch_free(daemon->watch);
	hangs = !settings_reader_free(daemon->reader) || hangs;
	hangs = !passwords_free(daemon->passwords) || hangs;
	users_unref(daemon->users);
	if (!hangs)
		config_free(daemon->config);
	loop_free(daemon->loop);
	return hangs;
}

int
daemon_run(struct config *config, struct rules *rules, struct users *users,
    struct keeper *keeper)
{
	struct daemon daemon = {
	    .config = config, .users = users, .keeper = keeper};
	bool failed = true, hangs;
	int status;

	if (daemon_start(&daemon, rules) == -1) {
		log_error("cannot start: %m");
	} else {
		loop_run(daemon.loop);
		failed = daemon.failed;
	}
	hangs = daemon_stop(&daemon);
	if (!failed)
		log_info("stopped");
	status = failed ? EXIT_FAILURE : EXIT_SUCCESS;
	if (hangs)
		_exit(status); /* what exit(3) does could wait for the thread */
	return status;
}
