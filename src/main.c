/*
 * dripgated: start, signals, drain.
 */
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "config.h"
#include "gate/pool.h"
#include "limit/rules_text.h"
#include "net/doors.h"
#include "net/systemd.h"
#include "net/timer.h"
#include "wire/line.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/thread.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONFIG_PATH "/etc/dripgate/dripgate.ini"
#define SIGNALS 3

/* SIGTERM to exit, at the most. */
#define DRAIN_US INT64_C(10000000)

/* The status line that systemctl status shows. */
#define STATUS_LEN 560

#define TICK_US       1000000
#define START_TICK_US 2000
#define DRAIN_TICK_US 10000

/* Descriptors beside those of clients. */
#define SPARE_FDS 256

struct daemon {
	struct config *config;
	struct event_base *base;
	struct pool *pool;
	struct doors *doors;          /* NULL: not yet open, or closed again */
	struct event signals[SIGNALS];
	struct event tick;
	bool ready;
	bool failed;                  /* to start */
	int64_t draining_since_us;    /* 0: not yet */
	char complaint[420];          /* what the last reload came to, or "" */
};

static const int signal_numbers[SIGNALS] = {SIGTERM, SIGINT, SIGHUP};

static struct rules *
load_rules(const char *path, struct rules_error *error)
{
	size_t len;
	char *text = file_read(path, &len);
	struct rules *rules;

	if (!text) {
		snprintf(error->reason, sizeof(error->reason), "%s: %s", path,
		    strerror(errno));
		return NULL;
	}
	rules = rules_from_ini(path, text, len, error);
	free(text);
	return rules;
}

static void
status(const struct daemon *daemon, char *to, size_t size)
{
	snprintf(to, size, "%zu limits, %zu clients, buckets in %s%s",
	    pool_limits(daemon->pool), pool_clients(daemon->pool),
	    daemon->config->gate.store == STORE_REDIS ? "Redis" : "memory",
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
raise_fd_limit(const struct config *config)
{
	struct rlimit limit;
	rlim_t needed = (rlim_t)config->max_clients + SPARE_FDS;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1 || limit.rlim_cur >= needed)
		return;
	limit.rlim_cur = needed < limit.rlim_max ? needed : limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) == -1 || limit.rlim_cur < needed)
		log_warning("%llu descriptors are too few for %lld clients",
		    (unsigned long long)limit.rlim_cur,
		    (long long)config->max_clients);
}

static void
apply_reloadable(struct daemon *daemon)
{
	pool_set_unmatched(
	    daemon->pool, (enum unmatched)daemon->config->unmatched);
	log_set_level((enum log_level)daemon->config->log_level);
	raise_fd_limit(daemon->config);
}

static void
refuse_reload(struct daemon *daemon, const char *reason)
{
	log_error("not reloaded: %s", reason);
	snprintf(daemon->complaint, sizeof(daemon->complaint),
	    "; not reloaded: %s", reason);
}

/* All of it or nothing: what is wrong leaves everything as it was. */
static void
reload(struct daemon *daemon)
{
	struct config_error config_error;
	struct rules_error rules_error;
	struct config *new = NULL;
	struct rules *rules;

	if (daemon->config->path) {
		new = config_load(daemon->config->path, &config_error);
		if (!new) {
			refuse_reload(daemon, config_error.reason);
			return;
		}
	}
	rules = load_rules((new ? new : daemon->config)->limits_file,
	    &rules_error);
	if (!rules) {
		refuse_reload(daemon, rules_error.reason);
	} else {
		if (new)
			config_take_reloadable(
			    daemon->config, new, refused_setting);
		apply_reloadable(daemon);
		daemon->complaint[0] = '\0';
		log_info("reloaded: %zu limits in force", rules_count(rules));
		pool_set_rules(daemon->pool, rules);
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
	log_info("draining %zu clients", pool_clients(daemon->pool));
	systemd_stopping();
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

/* Open the doors once every worker's store is connected, or is known not to
 * be: nobody shall get an answer by fallback only for having come early. */
static void
try_start(struct daemon *daemon)
{
	if (!pool_is_settled(daemon->pool))
		return;
	daemon->doors = doors_open(
	    daemon->base, &daemon->config->doors, on_accepted, daemon);
	if (!daemon->doors) {
		daemon->failed = true;
		event_base_loopbreak(daemon->base);
		return;
	}
	daemon->ready = true;
	say_ready(daemon);
	say_what_to_try(doors_address(daemon->doors));
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

static void
tick_serving(struct daemon *daemon)
{
	char text[STATUS_LEN];

	if (pool_is_alive(daemon->pool))
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

static size_t
worker_count(const struct config *config)
{
	cpu_set_t cores;

	if (config->workers > 0)
		return (size_t)config->workers;
	if (sched_getaffinity(0, sizeof(cores), &cores) == -1)
		return 1;
	return (size_t)CPU_COUNT(&cores);
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

/* Takes over the rules.  Return 0, or -1 with errno. */
static int
start(struct daemon *daemon, struct rules *rules)
{
	const struct config *config = daemon->config;

	daemon->pool = pool_start(&config->gate, worker_count(config), rules);
	daemon->base = daemon->pool ? event_base_new() : NULL;
	if (!daemon->base)
		return -1;
	apply_reloadable(daemon);
	add_events(daemon);
	return 0;
}

static void
stop(struct daemon *daemon)
{
	doors_close(daemon->doors);
	pool_stop(daemon->pool);
	if (daemon->base) {
		for (size_t i = 0; i < SIGNALS; i++)
			event_del(&daemon->signals[i]);
		event_del(&daemon->tick);
		event_base_free(daemon->base);
	}
	config_free(daemon->config);
}

/* Serve until told to stop.  Takes over both.  Return the exit status. */
static int
serve(struct config *config, struct rules *rules)
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

struct arguments {
	const char *config_path;
	bool check, dump;
};

static void
usage(FILE *to)
{
	fputs("usage: dripgated [-c FILE] [--check | --dump-config]\n"
	      "  -c, --config FILE  settings (" CONFIG_PATH ")\n"
	      "      --check        check settings and limits, and exit\n"
	      "      --dump-config  print the settings in force, and exit\n"
	      "  -h, --help         this\n"
	      "  -V, --version      version\n",
	    to);
}

static void
read_arguments(int argc, char **argv, struct arguments *arguments)
{
	static const struct option options[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"check", no_argument, NULL, 'k'},
	    {"dump-config", no_argument, NULL, 'd'},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "c:hV", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			arguments->config_path = optarg;
			break;
		case 'k':
			arguments->check = true;
			break;
		case 'd':
			arguments->dump = true;
			break;
		case 'h':
			usage(stdout);
			exit(EXIT_SUCCESS);
		case 'V':
			puts("dripgated " VERSION);
			exit(EXIT_SUCCESS);
		default:
			usage(stderr);
			exit(2);
		}
	}
	if (optind < argc) {
		usage(stderr);
		exit(2);
	}
}

/* Without -c, a file that is not there means the defaults. */
static struct config *
load_config(const struct arguments *arguments, struct config_error *error)
{
	if (arguments->config_path)
		return config_load(arguments->config_path, error);
	if (access(CONFIG_PATH, F_OK) == 0)
		return config_load(CONFIG_PATH, error);
	snprintf(error->reason, sizeof(error->reason), "out of memory");
	return config_new();
}

int
main(int argc, char **argv)
{
	struct arguments arguments = {0};
	struct config_error config_error;
	struct rules_error rules_error;
	struct config *config;
	struct rules *rules;

	read_arguments(argc, argv, &arguments);
	/* What libevent shares behind the scenes, as evdns does, is locked. */
	evthread_use_pthreads();
	config = load_config(&arguments, &config_error);
	if (!config) {
		log_error("%s", config_error.reason);
		return EXIT_FAILURE;
	}
	if (arguments.dump) {
		config_dump(config, stdout);
		config_free(config);
		return EXIT_SUCCESS;
	}
	rules = load_rules(config->limits_file, &rules_error);
	if (!rules)
		log_error("%s", rules_error.reason);
	if (!rules || arguments.check) {
		if (rules)
			printf("%s: %zu limits, fine\n", config->limits_file,
			    rules_count(rules));
		rules_unref(rules);
		config_free(config);
		return rules ? EXIT_SUCCESS : EXIT_FAILURE;
	}
	return serve(config, rules);
}
