/**
 * server_info: asks a server for INFO, and warns of what is wrong with it: its
 * version and its maxmemory-policy.
 *
 * A field of the user of a link, zeroed at first but for ${link}.
 */
#ifndef REDIS_SERVER_INFO_H
#define REDIS_SERVER_INFO_H

#include "base/log.h"
#include "redis/link.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct server_info {
	struct link *link;
	struct command command;
	struct log_limiter policy_limiter, version_limiter;
	bool is_unwanted; /* the link went down at the last INFO */
};

/** Ask, now that the link is up, with ${timeout_us} for the reply.  Not if the
 * connection ended at the last INFO: a proxy may close it. */
void server_info_ask(struct server_info *info, int64_t timeout_us);

/** Copy the value of ${name}, a line of the reply to INFO, to ${to}, cut to
 * ${size}.  Return false if there is no such line. */
bool server_info_read(
    const char *text, const char *name, char *to, size_t size);

/** Whether that is of a node of a cluster. */
bool server_info_is_of_cluster(const char *text);

/** Free the memory, after the link. */
void server_info_free(struct server_info *info);

#endif
