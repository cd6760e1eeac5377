/**
 * rights: the users that the settings need in Redis, what each must be allowed,
 * and no more.
 *
 * Every command that the daemon and the tool send is in its tables, but those
 * of scripts, which it finds in their texts.
 */
#ifndef CONFIG_RIGHTS_H
#define CONFIG_RIGHTS_H

#include "base/attr.h"
#include "config/config.h"
#include "redis/server_check.h"
#include "redis/topology.h"

#include <stdbool.h>
#include <stddef.h>

#define RIGHTS_MAX 80

struct rights_user {
	struct link_options link; /* to its server */
	char server[ENDPOINT_NAME_MAX];
	const char *name;
	bool has_password;
	bool is_operator;
	int64_t replicas; /* that its server must have */
	bool has_buckets;

	/* as ACL SETUSER takes them: "+hset", "~drip:*" */
	char *rights[RIGHTS_MAX];
	size_t count;

	/* the calls that these are for; the words are the rights' own */
	struct server_call calls[RIGHTS_MAX];
	size_t call_count;
	char *words[RIGHTS_MAX];
	size_t word_count;
};

struct rights {
	struct topology topology; /* of the buckets; else all zero */
	struct rights_user *users;
	size_t count;
	bool failed; /* out of memory */
};

/** Find them out.  ${config} is borrowed.  Return 0, or -1 (out of memory);
 * rights_close() is due in either case. */
int rights_open(struct rights *rights, const struct config *config) MUST_USE;

/** Free what it holds; also if all zero. */
void rights_close(struct rights *rights);

/** EVAL or EVAL_RO, what the user may call; NULL: neither. */
const char *rights_eval(const struct rights_user *user);

#endif
