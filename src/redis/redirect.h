/**
 * redirect: where a node of a cluster says that a slot is, in an error.  Such a
 * reply proves that the command did not run.  Pure.
 *
 * "MOVED 3999 HOST:PORT": there from now on.  "ASK 3999 HOST:PORT": on its way
 * there; this one command goes there, behind ASKING.
 */
#ifndef REDIS_REDIRECT_H
#define REDIS_REDIRECT_H

#include "redis/cluster_map.h"

#include <hiredis/hiredis.h>

enum redirect {
	REDIRECT_NONE, /* it says nothing of the kind */
	REDIRECT_MOVED,
	REDIRECT_ASK,
};

/** Read a reply of a server at ${asked}, which is meant where it names no
 * host.  ${to} is written if it is one. */
enum redirect redirect_read(const redisReply *reply, const char *asked,
    struct cluster_server *to) MUST_USE;

#endif
