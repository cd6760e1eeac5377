#include "dripgated/connect_check.h"

#include "base/log.h"
#include "config/rights.h"
#include "net/dial.h"
#include "net/loop.h"
#include "redis/server_check.h"
#include "redis/topology_record.h"

#include <stdio.h>
#include <stdlib.h>

struct connect_check {
	struct loop *loop;
	struct dialer *dialer;
	struct tried *tried;
	struct link_record record; /* of the settings */
	size_t open;               /* of these, not done yet */
	bool is_fine;
};

/* A server, with a user. */
struct tried {
	struct connect_check *check;
	const struct rights_user *user;
	struct server_check_options options;
	struct server_check *server;
};

static void
connect_check_on_done(bool is_fine, const char *found, void *arg)
{
	struct tried *tried = arg;
	struct connect_check *check = tried->check;

	if (is_fine)
		printf("redis %s: %s\n", tried->user->server, found);
	else
		check->is_fine = false;
	if (--check->open == 0)
		loop_stop(check->loop);
}

static int
connect_check_start(struct tried *tried)
{
	const struct rights_user *user = tried->user;
	const struct server_check_options options = {user->link,
	    user->has_buckets, &tried->check->record, rights_eval(user),
	    user->calls, user->call_count};

	tried->options = options;
	tried->server =
	    server_check_new(tried->check->loop, tried->check->dialer,
		&tried->options, connect_check_on_done, tried);
	tried->check->open += tried->server != NULL;
	return tried->server ? 0 : -1;
}

static int
connect_check_start_all(
    struct connect_check *check, const struct rights *rights)
{
	static const struct loop_events no_events;

	check->loop = loop_new(&no_events, NULL);
	check->dialer = check->loop ? dialer_new(check->loop) : NULL;
	check->tried = calloc(rights->count + 1, sizeof(*check->tried));
	if (!check->dialer || !check->tried)
		return -1;
	for (size_t i = 0; i < rights->count; i++) {
		struct tried *tried = &check->tried[i];

		tried->check = check;
		tried->user = &rights->users[i];
		if (!tried->user->is_operator &&
		    connect_check_start(tried) == -1)
			return -1;
	}
	return 0;
}

static void
connect_check_run(struct connect_check *check, const struct rights *rights)
{
	check->is_fine = true;
	if (connect_check_start_all(check, rights) == -1) {
		log_error("cannot connect: %m");
		check->is_fine = false;
	} else if (check->open > 0) {
		loop_run(check->loop);
	} else {
		puts("no server is used");
	}
	for (size_t i = 0; check->tried && i < rights->count; i++)
		server_check_free(check->tried[i].server);
	free(check->tried);
	dialer_free(check->dialer);
	loop_free(check->loop);
}

bool
connect_check(const struct config *config)
{
	const struct topology_follower_options topology =
	    config_topology(config);
	char *text = topology_record_write(&topology.where);
	struct connect_check check = {.record = {topology.key, text}};
	struct rights rights;

	log_set_level(LOG_LEVEL_WARNING);
	if (rights_open(&rights, config) == 0 && text)
		connect_check_run(&check, &rights);
	else
		log_error("out of memory");
	rights_close(&rights);
	free(text);
	return check.is_fine;
}
