/**
 * limits_key: reads the key of limits by the script that daemons use, which
 * says its digest, and its number in the history, too.
 */
#ifndef CLI_LIMITS_KEY_H
#define CLI_LIMITS_KEY_H

#include "base/attr.h"
#include "cli/redis_client.h"

#include <stddef.h>
#include <stdint.h>

struct limits_key {
	redisReply *reply;
	const char *digest;
	int64_t number; /* in the history; 0: not known */
	redisReply *const *members;
	size_t count; /* of members; none if the digest is the known one */
};

/** Read it; without its members if its digest is ${known} (not "").  Return 0,
 * and limits_key_free() is due; or -1: the error was printed. */
int limits_key_read(struct limits_key *key, struct redis_client *client,
    const char *known) MUST_USE;

void limits_key_free(struct limits_key *key);

#endif
