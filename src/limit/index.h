/**
 * index: finds the patterns that match a key, without trying each.
 *
 * A pattern is named by its order, its place in a set of limits; where several
 * match, the index finds the smallest order.  Zeroed structs are empty indexes.
 */
#ifndef LIMIT_INDEX_H
#define LIMIT_INDEX_H

#include "base/attr.h"
#include "base/siphash.h"

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

/** No pattern applies: later in order than any. */
#define INDEX_NONE UINT_MAX

/**
 * Whole texts, by their keyed hash.  The hash alone identifies the text: two
 * texts with the same 128 bits are not to be expected.
 */
struct hash_slot {
	struct hash128 hash;
	unsigned order; /* INDEX_NONE: free */
};

struct hash_index {
	struct hash_slot *slots;
	size_t cap; /* 0 or a power of two, at least twice ${count} */
	size_t count;
};

/** Add a text.  If it is there already, the earlier ${order} stays.  Return 0,
 * or -1 (out of memory). */
int hash_index_add(struct hash_index *index, const struct hash128 *hash,
    unsigned order) MUST_USE;

/** The order of the text with ${hash}, or INDEX_NONE. */
unsigned hash_index_find(
    const struct hash_index *index, const struct hash128 *hash);

void hash_index_free(struct hash_index *index);

/** What a key may start with.  The bytes are borrowed, and hold no NUL. */
struct prefix {
	const char *bytes;
	size_t len;
	unsigned order;
};

/**
 * Prefixes sorted by their bytes: all prefixes of a key come before the key,
 * the longest last, and among equal ones the one with the smallest order last.
 * ${parent} links each to the next shorter or equal one with which it starts.
 */
struct prefix_entry {
	struct prefix prefix;
	unsigned first;  /* the smallest order, its parents' included */
	unsigned parent; /* index of the next, or INDEX_NONE */
};

struct prefix_index {
	uint64_t *heads; /* of each entry: its first bytes as a number */
	struct prefix_entry *entries;
	size_t count;
	unsigned below[257]; /* entries whose first byte is below this one */
};

/** Build an empty index from ${count} ${prefixes}, which are left sorted.
 * Return 0, or -1 (out of memory). */
int prefix_index_build(
    struct prefix_index *index, struct prefix *prefixes, size_t count) MUST_USE;

/** The entry of the longest prefix with which ${len} bytes start, or
 * INDEX_NONE: its parents are the others. */
unsigned prefix_index_longest(
    const struct prefix_index *index, const char *bytes, size_t len);

/** The smallest order of the prefixes with which ${len} bytes start, or
 * INDEX_NONE. */
unsigned prefix_index_find(
    const struct prefix_index *index, const char *bytes, size_t len);

void prefix_index_free(struct prefix_index *index);

#endif
