/*
 * dripgated: its arguments.
 */
#include "base/log.h"
#include "config.h"
#include "daemon.h"
#include "source.h"

#include <event2/thread.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

struct arguments {
	const char *config_path;
	bool check, dump, distribute_only;
};

static void
usage(FILE *to)
{
	fputs("usage: dripgated [-c FILE] "
	      "[--check | --dump-config | --distribute-only]\n"
	      "  -c, --config FILE      settings (" CONFIG_PATH ")\n"
	      "      --check            check settings and limits, and exit\n"
	      "      --dump-config      print the settings in force, and exit\n"
	      "      --distribute-only  serve nobody, only copy limits from\n"
	      "                         [master] to each [slave:NAME]\n"
	      "  -h, --help             this\n"
	      "  -V, --version          version\n",
	    to);
}

static void
read_arguments(int argc, char **argv, struct arguments *arguments)
{
	static const struct option options[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"check", no_argument, NULL, 'k'},
	    {"dump-config", no_argument, NULL, 'd'},
	    {"distribute-only", no_argument, NULL, 'o'},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "c:hV", options, NULL)) !=
	       -1) {
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
		case 'o':
			arguments->distribute_only = true;
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

static int
check(const struct config *config, const struct rules *rules)
{
	if (!rules)
		printf("%s: fine; %zu servers get limits\n", config->path,
		    config->distributor.slave_count);
	else if (config->limits_source == LIMITS_REDIS)
		printf("%s: fine; limits are in Redis, at %s\n", config->path,
		    config->control.limits_key);
	else
		printf("%s: %zu limits, fine\n", config->limits_file,
		    rules_count(rules));
	return EXIT_SUCCESS;
}

static int
fail(const char *reason)
{
	log_error("%s", reason);
	return EXIT_FAILURE;
}

/* Do what the arguments say.  Takes over the config. */
static int
run(const struct arguments *arguments, struct config *config)
{
	struct rules_error error;
	struct rules *rules = NULL;
	int status = EXIT_SUCCESS;

	if (arguments->dump)
		config_dump(config, stdout);
	else if (arguments->distribute_only &&
		 config->distributor.slave_count == 0)
		status = fail("--distribute-only: there is no [master]");
	else if (!arguments->distribute_only &&
		 !(rules = source_start(config, &error)))
		status = fail(error.reason);
	else if (!arguments->check)
		return daemon_run(config, rules);
	else
		status = check(config, rules);
	rules_unref(rules);
	config_free(config);
	return status;
}

int
main(int argc, char **argv)
{
	struct arguments arguments = {0};
	struct config_error error;
	struct config *config;

	read_arguments(argc, argv, &arguments);
	/* What libevent shares behind the scenes, as evdns does, is locked. */
	evthread_use_pthreads();
	config = config_load(arguments.config_path, &error);
	return config ? run(&arguments, config) : fail(error.reason);
}
