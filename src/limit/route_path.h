/**
 * route_path: which paths a route takes: "/v1/users/{id}" or "~regex".
 *
 * {name} is a segment, a * at the end the rest, if any.
 */
#ifndef LIMIT_ROUTE_PATH_H
#define LIMIT_ROUTE_PATH_H

#include "limit/route.h"

/** A piece of a pattern: a text, or a name in braces. */
struct route_piece {
	bool is_name;
	struct route_text text; /* of the pattern */
};

/** Zeroed, it matches any path. */
struct route_path {
	char *pattern;
	char *literal; /* what it starts with; NULL: anything */
	void *regex;   /* pcre2_code * */
	bool anchored;
	bool takes_rest; /* * at the end */
	unsigned count;  /* of pieces */
	struct route_piece pieces[2 * ROUTE_NAMES_MAX + 1];
};

/** Read a pattern.  Return 0, or -1 with ${error} set. */
int route_path_set(struct route_path *path, const char *value,
    struct limit_error *error) MUST_USE;

void route_path_free(struct route_path *path);

/** The number of the name or group, below ROUTE_NAMES_MAX + 1; -1: there is
 * none. */
int route_path_find_name(
    const struct route_path *path, const struct route_text *name);

bool route_path_matches(const struct route_path *path,
    const struct route_text *text, struct rules_scratch *scratch,
    struct route_names *names);

/** Whether it matches all that ${other} does, as far as is easily seen. */
bool route_path_covers(
    const struct route_path *path, const struct route_path *other);

#endif
