/**
 * limit_set: a set of limits together with its lines, from a file, from the key
 * in Redis, or from a daemon.
 *
 * It prints errors itself.  A key may hold members that are no limits: they are
 * entries of the set, too, so that they can be shown.
 */
#ifndef CLI_LIMIT_SET_H
#define CLI_LIMIT_SET_H

#include "base/attr.h"
#include "base/buf.h"
#include "limit/rules_text.h"
#include "cli/redis_client.h"

#include <stddef.h>

struct limit_entry {
	const struct limit *limit; /* this, */
	const struct route *route; /* or this; */
	char *reason;              /* or why the member is neither */
	struct rules *rules;       /* whose it is, a reference */
};

struct limit_set {
	const char *name; /* of the file or key; borrowed */
	struct limit_entry *entries;
	struct rules_line *lines; /* one each: by rules_write_line(), or as in
				     Redis if it is not a limit */
	size_t count;             /* of entries */
	size_t wrong;             /* of entries that are not limits */
	struct buf text;          /* holds the bytes of the lines */
};

/** Read a file.  Return 0, or -1 with nothing to free. */
int limit_set_read_file(struct limit_set *set, const char *path) MUST_USE;

/** Make one of rules, a reference that it takes over.  Returns as
 * limit_set_read_file(). */
int limit_set_from_rules(
    struct limit_set *set, const char *name, struct rules *rules) MUST_USE;

/** Read the key of limits.  Returns as limit_set_read_file(). */
int limit_set_read_key(
    struct limit_set *set, struct redis_client *client) MUST_USE;

#define LIMIT_SET_DIGEST_SIZE 41

/** The same, and the digest of the key; a key that is too large for daemons is
 * an error. */
int limit_set_read_with_digest(struct limit_set *set,
    struct redis_client *client, char digest[LIMIT_SET_DIGEST_SIZE]) MUST_USE;

/** Make a set of ${count} lines, which may be no limits; they are copied,
 * ${name} is borrowed.  Returns as limit_set_read_file(). */
int limit_set_from_lines(struct limit_set *set, const char *name,
    const struct rules_line *lines, size_t count) MUST_USE;

/** The same of ${count} replies that are strings. */
int limit_set_from_replies(struct limit_set *set, const char *name,
    redisReply *const *members, size_t count) MUST_USE;

/** Read the key of limits, with a connection of its own. */
int limit_set_fetch(struct limit_set *set, struct tool *tool) MUST_USE;

/** Read those that the daemon has in force, with its socket as the name.
 * Returns as limit_set_read_file(). */
int limit_set_read_daemon(struct limit_set *set, struct tool *tool) MUST_USE;

/** If a member is not a limit, print that, with the first such one and ${hint},
 * what to do.  Return STATUS_FINE, or STATUS_ERROR. */
int limit_set_check(const struct limit_set *set, const char *hint);

/** Free what it holds. */
void limit_set_free(struct limit_set *set);

#endif
