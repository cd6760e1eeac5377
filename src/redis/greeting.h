/**
 * greeting: the first commands of a link, and whether the server is the right
 * one.
 *
 * Logs in, selects the database, asks what the server is (HELLO), which also
 * gives the connection its name, and whether it is ready (PING): it is not
 * while it loads its data, or is a replica that lost its master.  A link that
 * is for buckets also reads the topology in Redis, and ends if it is another.
 *
 * A greeting is a field of its link, zeroed at the start of each.
 */
#ifndef REDIS_GREETING_H
#define REDIS_GREETING_H

#include "redis/command.h"
#include "redis/link.h"
#include "redis/reply.h"

#include <stdbool.h>
#include <stddef.h>

#define GREETING_STEPS 5

struct greeting {
	const struct link_options *options;
	bool without_hello; /* a proxy may close the connection at that */
	size_t next;        /* step to be written, if it is needed */
	size_t written[GREETING_STEPS]; /* in order */
	size_t written_count;
	size_t taken; /* number of these to which the server has replied */
	bool is_secret_refused; /* its file may have another by now */
	bool is_elsewhere;      /* another topology stands there */
	char reason[REPLY_EXPLAIN_MAX];
};

/** Write the next command.  Return false if there are no more. */
bool greeting_write(struct greeting *greeting, struct command *command);

/** Take the reply to the first command that has none yet.  Return NULL, or why
 * this server will not do; the text belongs to the greeting. */
const char *greeting_take(struct greeting *greeting, const redisReply *reply);

#endif
