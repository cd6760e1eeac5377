/*
 * main: carries out the arguments of dripgated.  Settings and limits are read
 * before anything starts, and all their mistakes printed.  The heart is
 * main_run().
 */
#include "base/log.h"
#include "config/config.h"
#include "dripgated/connect_check.h"
#include "dripgated/daemon.h"
#include "dripgated/limits_source.h"
#include "protocol/users.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct arguments {
	const char *config_path;
	struct config_set set;
	bool check, connect, dump, distribute_only;
};

static void
main_usage(FILE *to)
{
	fputs(
	    "usage: dripgated [-c FILE] [-s SECTION.NAME=VALUE ...]\n"
	    "                 [--check [--connect] | --dump-config | "
	    "--distribute-only]\n"
	    "  -c, --config FILE      settings (" CONFIG_PATH ")\n"
	    "  -s, --set SECTION.NAME=VALUE\n"
	    "                         one setting; it counts more than the\n"
	    "                         environment's DRIPGATE_SECTION_NAME, "
	    "and\n"
	    "                         that more than the file\n"
	    "      --check            check settings and limits, and exit\n"
	    "      --connect          with --check: try out Redis as well\n"
	    "      --dump-config      print the settings in force and where\n"
	    "                         they are from, and exit\n"
	    "      --distribute-only  serve no clients, only copy limits from\n"
	    "                         [master] to each [slave:NAME]\n"
	    "  -h, --help             this\n"
	    "  -V, --version          version\n",
	    to);
}

static void
main_add_set(struct config_set *set, const char *text)
{
	if (set->count == SETTINGS_MAX) {
		log_error("--set: given more than %d times", SETTINGS_MAX);
		exit(2);
	}
	set->items[set->count++] = text;
}

static void
main_read_arguments(int argc, char **argv, struct arguments *arguments)
{
	static const struct option options[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"set", required_argument, NULL, 's'},
	    {"check", no_argument, NULL, 'k'},
	    {"connect", no_argument, NULL, 'n'},
	    {"dump-config", no_argument, NULL, 'd'},
	    {"distribute-only", no_argument, NULL, 'o'},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {NULL, 0, NULL, 0},
	};
	int option;

	while (
	    (option = getopt_long(argc, argv, "c:s:hV", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			arguments->config_path = optarg;
			break;
		case 's':
			main_add_set(&arguments->set, optarg);
			break;
		case 'k':
			arguments->check = true;
			break;
		case 'n':
			arguments->connect = true;
			break;
		case 'd':
			arguments->dump = true;
			break;
		case 'o':
			arguments->distribute_only = true;
			break;
		case 'h':
			main_usage(stdout);
			exit(EXIT_SUCCESS);
		case 'V':
			puts("dripgated " VERSION "\nbuilt with " BUILT_WITH);
			exit(EXIT_SUCCESS);
		default:
			main_usage(stderr);
			exit(2);
		}
	}
	if (optind < argc || (arguments->connect && !arguments->check)) {
		main_usage(stderr);
		exit(2);
	}
}

static void
main_say_fine(const char *path, const struct rules *rules)
{
	size_t routes = rules_routes(rules)->count;

	if (routes > 0)
		printf("%s: %zu limits, %zu routes, fine\n", path,
		    rules_count(rules), routes);
	else
		printf("%s: %zu limits, fine\n", path, rules_count(rules));
}

static int
main_check(const struct config *config, const struct rules *rules)
{
	const char *path = config->path ? config->path : "no file";
	char reason[LISTENERS_REASON_MAX];

	if (rules && !listeners_check(&config->listeners, reason)) {
		log_error("%s: %s", path, reason);
		return EXIT_FAILURE;
	}
	if (!rules)
		printf("%s: fine; %zu servers get limits\n", path,
		    config->distributor.target_count);
	else if (config->limits_source == LIMITS_REDIS)
		printf("%s: fine; limits are in Redis, at %s\n", path,
		    config->control.limits_key);
	else
		main_say_fine(config->limits_file, rules);
	return EXIT_SUCCESS;
}

static int
main_fail(const char *reason)
{
	log_error("%s", reason);
	return EXIT_FAILURE;
}

static void
main_log_reason(const char *reason, void *arg)
{
	(void)arg;
	log_error("%s", reason);
}

static int
main_fail_all(const struct reasons *reasons)
{
	reasons_each(reasons, main_log_reason, NULL);
	return EXIT_FAILURE;
}

static int
main_dump(const struct config *config)
{
	struct buf text = {0};
	int result = config_dump(config, true, &text);

	if (result == 0)
		fwrite(buf_data(&text), 1, buf_len(&text), stdout);
	buf_free(&text);
	return result == 0 ? EXIT_SUCCESS : main_fail("out of memory");
}

/* Do what the arguments say.  Takes over the config. */
static int
main_run(const struct arguments *arguments, struct config *config)
{
	struct reasons reasons;
	struct rules *rules = NULL;
	struct users *users = NULL;
	struct keeper *keeper = NULL;
	int status;

	reasons_clear(&reasons);
	if (arguments->dump)
		status = main_dump(config);
	else if (arguments->distribute_only &&
		 config->distributor.target_count == 0)
		status = main_fail("--distribute-only: there is no [master]");
	else if (!arguments->check && !arguments->distribute_only &&
		 !(keeper = keeper_new(
		       config_buckets_dir(config), config->snapshot_us)))
		status = main_fail("out of memory");
	else if ((!arguments->distribute_only &&
		     !(rules = limits_source_start(config, &reasons))) ||
		 (*config->users_file &&
		     !(users = users_read_file(config->users_file, &reasons))))
		status = main_fail_all(&reasons);
	else {
		reasons_log_warnings(&reasons);
		if (!arguments->check)
			return daemon_run(config, rules, users, keeper);
		status = main_check(config, rules);
		if (arguments->connect && !connect_check(config))
			status = EXIT_FAILURE;
	}
	keeper_free(keeper);
	rules_unref(rules);
	users_unref(users);
	config_free(config);
	return status;
}

/* If a standard stream is closed, the next descriptor to be opened gets its
 * number, and the log could go to a client. */
static void
main_open_standard_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd != -1 && fd <= STDERR_FILENO);
	if (fd != -1)
		close(fd);
}

/* SIGHUP would end a process that is not yet ready for it: it waits until the
 * daemon's loop catches it.  So do the others in the first process of a
 * container, where the kernel drops signals that are not caught. */
static void
main_hold_signals(void)
{
	sigset_t held;

	sigemptyset(&held);
	sigaddset(&held, SIGHUP);
	if (getpid() == 1) {
		sigaddset(&held, SIGTERM);
		sigaddset(&held, SIGINT);
	}
	sigprocmask(SIG_BLOCK, &held, NULL);
}

int
main(int argc, char **argv)
{
	struct arguments arguments = {0};
	struct reasons reasons;
	struct config *config;

	main_open_standard_streams();
	main_hold_signals();
	main_read_arguments(argc, argv, &arguments);
	config = config_load(arguments.config_path, &arguments.set, &reasons);
	if (!config || config_open_tls(config, &reasons) == -1 ||
	    config_open_secrets(config, &reasons) == -1 ||
	    config_open_upstreams(config, &reasons) == -1) {
		config_free(config);
		return main_fail_all(&reasons);
	}
	reasons_log_warnings(&config->warnings);
	return main_run(&arguments, config);
}
