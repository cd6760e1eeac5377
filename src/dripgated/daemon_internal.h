/**
 * daemon_internal: what the files of the daemon share.  For them only.
 */
#ifndef DRIPGATED_DAEMON_INTERNAL_H
#define DRIPGATED_DAEMON_INTERNAL_H

#include "control/control.h"
#include "control/node_id.h"
#include "dripgated/daemon.h"
#include "dripgated/limits_watch.h"
#include "dripgated/passwords.h"
#include "dripgated/settings_reader.h"
#include "net/listeners.h"
#include "net/loop.h"
#include "net/timer.h"
#include "server/pool.h"
#include "server/refuser.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 *   STARTING --> SERVING --> DRAINING --> the end
 *       |                       ^
 *       +-----------------------+
 */
#define DAEMON_STATES(X)                                                       \
	X(STARTING) /* waits for limits and stores */                          \
	X(SERVING)  /* clients are accepted, or limits distributed */          \
	X(DRAINING) /* SIGTERM came: clients get their last responses */

enum daemon_state {
#define X(name) DAEMON_##name,
	DAEMON_STATES(X)
#undef X
};

struct daemon {
	struct config *config;
	struct loop *loop;
	struct timer tick;
	enum daemon_state state;
	int64_t since_us; /* when it came into this state */
	bool failed;      /* to start */

	/* clients */
	struct pool *pool;           /* NULL: limits are only distributed */
	struct listeners *listeners; /* NULL: closed again, or no pool */
	struct users *users;         /* at the start; NULL: none */
	struct refuser *refuser;     /* for clients above the maximum */
	struct keeper *keeper;       /* of buckets in memory; NULL: no pool */
	size_t workers;
	size_t client_max; /* max_clients, or what fits */

	char node[NODE_NAME_MAX + 1]; /* its name, in those of its links */

	/* limits in Redis */
	struct subscriber_options subscriber;
	char node_id[NODE_ID_LEN + 1];
	struct topology_follower_options topology;
	struct control *control; /* NULL: nothing is followed in Redis */

	/* reloads */
	struct settings_reader *reader;
	struct limits_watch *watch; /* NULL: reloads are asked for */
	struct passwords *passwords;
	struct log_limiter limiter; /* of warnings about those that hang */
	char reload_error[420];     /* why the last one failed, or "" */
};

/** Whether its limits are those of the key in Redis. */
bool daemon_follows_redis(const struct daemon *daemon);

/*
 * daemon_reload.c
 */

/** Apply the settings that can change while it runs. */
void daemon_apply_settings(struct daemon *daemon);

/** Apply what was read for a reload: all of it or, if anything is wrong,
 * nothing. */
void daemon_take_reload(
    struct daemon *daemon, const struct settings_reader_result *result);

/*
 * daemon_status.c
 */

/** Tell the service manager that it is ready, and what it does. */
void daemon_say_ready(const struct daemon *daemon);

/** Tell the service manager what it does now. */
void daemon_say_status(const struct daemon *daemon);

/** Log a request to try, for a person who started it by hand. */
void daemon_say_what_to_try(const struct daemon *daemon);

/** Warn of listeners at which anyone in a network may ask. */
void daemon_say_who_may_ask(const struct daemon *daemon);

/** Log which limits are in force until the key in Redis can be read. */
void daemon_say_what_is_missing(const struct daemon *daemon);

#endif
