/**
 * route_internal: the inside of a route, for route.c, which reads it, and for
 * route_take.c, which tries it.
 */
#ifndef LIMIT_ROUTE_INTERNAL_H
#define LIMIT_ROUTE_INTERNAL_H

#include "limit/route.h"
#include "limit/route_part.h"
#include "limit/route_path.h"

#define ROUTE_CONDITIONS_MAX 16

/* A word as it was given. */
struct route_word {
	size_t rank; /* of its row */
	bool is_condition;
	char *name, *value;
};

/* "header.x-plan = free" */
struct route_condition {
	struct route_part part;
	const char *pattern;
};

struct route {
	char name[LIMIT_NAME_MAX + 1];
	unsigned line;

	struct route_word *words;
	size_t words_count;

	/* which requests take it */
	const char *host;    /* a glob in lower case; NULL: any */
	const char *methods; /* with commas; NULL: any */
	struct route_path path;
	unsigned conditions_count;
	struct route_condition conditions[ROUTE_CONDITIONS_MAX];

	/* what comes of it */
	unsigned keys_count;
	struct route_template keys[ROUTE_KEYS_MAX];
	int64_t amount; /* if it is no part of the request */
	struct route_part amount_part;
	int64_t amount_max; /* 0: not given */
	bool is_required, continues;
	enum route_denied denied;
};

/** The word of that name, or NULL: it was not given. */
const struct route_word *route_given(
    const struct route *route, const char *name);

/** Take the next of a list with commas; false: there is none. */
bool route_next_of(const char **list, struct route_text *item);

#endif
