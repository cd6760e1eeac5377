/**
 * limit_set: a set of limits together with its lines, from a file or from the
 * key in Redis.
 *
 * Complains itself of what cannot be read.
 */
#ifndef TOOL_LIMIT_SET_H
#define TOOL_LIMIT_SET_H

#include "base/attr.h"
#include "base/buf.h"
#include "limit/rules_text.h"
#include "tool/redis_client.h"

#include <stddef.h>

struct limit_set {
	const char *name;         /* of the file or key; borrowed */
	struct rules *rules;
	struct rules_line *lines; /* one each, by rules_write_line() */
	struct buf text;          /* what they are lines of */
};

/** Read a file.  Return 0, or -1 with nothing to free. */
int limit_set_read_file(struct limit_set *set, const char *path) MUST_USE;

/** Read the key of limits; of a member that is no limit, ${hint} tells what to
 * do.  Returns as limit_set_read_file(). */
int limit_set_read_key(struct limit_set *set, struct redis_client *client,
    const char *hint) MUST_USE;

/** The same, with a connection of its own. */
int limit_set_fetch(struct limit_set *set, struct tool *tool) MUST_USE;

/** Number of limits. */
size_t limit_set_count(const struct limit_set *set);

/** Free what it holds. */
void limit_set_free(struct limit_set *set);

#endif
