/**
 * import_text: the descriptors on a path as the pattern of a limit, as its
 * name, and as a key that the limit charges too.
 */
#ifndef CLI_IMPORT_TEXT_H
#define CLI_IMPORT_TEXT_H

#include "base/buf.h"
#include "cli/envoy_config.h"
#include "limit/index.h"
#include "limit/limit.h"

/** A domain, and descriptors in descriptors. */
struct import_path {
	const struct envoy_node *nodes[ENVOY_DEPTH_MAX + 1];
	unsigned len;
};

/** A pattern on the way. */
struct import_pattern {
	struct buf text;    /* with a NUL behind it */
	unsigned stars;     /* that are no text */
	size_t least;       /* bytes that a key has at least */
	bool has_separator; /* a comma, which cannot be in a list */
};

/** Write the pattern of the keys of a path, with ${more} entries of any kind
 * behind it.  With ${as_shared}, a * of a descriptor that shares its threshold
 * is a character.  Return 0, or -1 (out of memory). */
int import_text_pattern(struct import_pattern *to,
    const struct import_path *path, unsigned more, bool as_shared) MUST_USE;

/** Write the key that such keys share, for ${also}: what is not shared is $1,
 * $2 and so on.  Return as above. */
int import_text_shared_key(
    struct import_pattern *to, const struct import_path *path) MUST_USE;

void import_pattern_free(struct import_pattern *pattern);

/** Make the name of a limit of the path, which no other of ${names} has, and
 * which is there from now on: ${pattern} makes it so, if need be.  Return as
 * above. */
int import_text_name(char name[LIMIT_NAME_MAX + 1],
    const struct import_path *path, const char *suffix, const char *pattern,
    struct hash_index *names) MUST_USE;

#endif
