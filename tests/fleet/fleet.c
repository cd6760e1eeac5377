/*
 * A fleet: COUNT subscribers on one loop, each as a daemon has it, that
 * follow the limits of the server at a Unix socket until standard input ends.
 *
 * Prints "ready" once each has loaded limits.
 */
#include "base/log.h"
#include "control/subscriber.h"
#include "net/io.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

struct node {
	struct fleet_run *run;
	struct subscriber_options options;
	struct subscriber *subscriber;
	char name[32];
	bool loaded;
};

struct fleet_run {
	struct loop *loop;
	struct dialer *dialer;
	struct node *nodes;
	size_t count, loaded;
};

static void
on_rules(struct rules *rules, struct rules_changes *changes, void *arg)
{
	struct node *node = arg;
	struct fleet_run *run = node->run;

	(void)changes;
	rules_unref(rules);
	run->loaded += !node->loaded;
	if (!node->loaded && run->loaded == run->count) {
		puts("ready");
		fflush(stdout);
	}
	node->loaded = true;
}

static void
on_input(void *arg)
{
	struct fleet_run *run = arg;
	char bytes[64];

	if (read(STDIN_FILENO, bytes, sizeof(bytes)) <= 0)
		loop_stop(run->loop);
}

/* As config.c has it by default. */
static int
start_node(struct fleet_run *run, size_t i, const char *path)
{
	struct node *node = &run->nodes[i];

	snprintf(node->name, sizeof(node->name), "node%zu", i);
	node->run = run;
	node->options = (struct subscriber_options){
	    .link = {.endpoint = {.unix_socket_path = path, .host = ""},
		.username = "",
		.password = "",
		.connect_timeout_us = 5000000,
		.socket_timeout_us = 5000000,
		.backoff_max_us = 5000000,
		.reply_max_bytes = INT64_C(5) << 20},
	    .channel = "control",
	    .limits_key = "limits",
	    .node_name = node->name,
	    .node_id = "",
	    .errors_key = "errors",
	    .errors_channel = "errors",
	    .poll_us = 30000000,
	    .state_dir = "",
	};
	node->subscriber = subscriber_new(
	    run->loop, run->dialer, &node->options, on_rules, node);
	return node->subscriber ? 0 : -1;
}

int
main(int argc, char **argv)
{
	static const struct loop_events events = {0};
	static struct fleet_run run;
	struct rlimit files;
	struct io input;

	if (argc != 3) {
		fputs("usage: fleet SOCKET COUNT\n", stderr);
		return 2;
	}
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	log_set_level(LOG_LEVEL_WARNING);
	run.count = (size_t)atoi(argv[2]);
	run.loop = loop_new(&events, NULL);
	run.dialer = run.loop ? dialer_new(run.loop) : NULL;
	run.nodes = calloc(run.count, sizeof(*run.nodes));
	if (!run.dialer || !run.nodes)
		return EXIT_FAILURE;
	for (size_t i = 0; i < run.count; i++)
		if (start_node(&run, i, argv[1]) == -1)
			return EXIT_FAILURE;
	io_init(&input, run.loop, STDIN_FILENO, IO_READ);
	io_start(&input, on_input, &run);
	loop_run(run.loop);
	io_stop(&input);
	for (size_t i = 0; i < run.count; i++)
		subscriber_free(run.nodes[i].subscriber);
	dialer_free(run.dialer);
	loop_free(run.loop);
	free(run.nodes);
	return EXIT_SUCCESS;
}
