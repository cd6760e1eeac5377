/**
 * rules_internal: a set of limits from inside, for rules.c, which finds limits,
 * and rules_override.c, which puts overrides in front of them.
 */
#ifndef LIMIT_RULES_INTERNAL_H
#define LIMIT_RULES_INTERNAL_H

#include "limit/index.h"
#include "limit/rules.h"

#include <stdatomic.h>

struct rules {
	atomic_uint references;
	char digest[RULES_DIGEST_MAX + 1];

	struct limit **limits; /* in their order */
	size_t count;
	size_t cap;

	/* The same limits, to be found by a key. */
	struct hash_index exact;      /* MATCH_EXACT */
	struct prefix_index prefixes; /* MATCH_PREFIX */
	struct prefix_index globs;    /* MATCH_GLOB, by what they start with */
	const struct limit **others;  /* MATCH_REGEX, and globs that start with
				       * anything, in their order */
	size_t others_count;

	struct routes routes;

	/* Of a set with overrides: the set without them, whose all above is,
	 * the overrides, and what each of these makes of each limit, in rows
	 * of all limits; NULL until a key asks for that. */
	struct rules *base, *overrides;
	_Atomic(struct limit *) *scaled;
};

/** Free a set that has a base: all but what is the base's. */
void rules_free_overrides(struct rules *rules);

#endif
