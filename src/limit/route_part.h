/**
 * route_part: texts with parts of a request in them: "user:$header.x-user-id".
 */
#ifndef LIMIT_ROUTE_PART_H
#define LIMIT_ROUTE_PART_H

#include "limit/route_path.h"

/** Most parts of a key. */
#define ROUTE_PARTS_MAX 12

/** Where a value comes from. */
#define ROUTE_SOURCES(X)                                                       \
	X(TEXT, "")                                                            \
	X(CLIENT, "client")                                                    \
	X(CLIENT64, "client64")                                                \
	X(METHOD, "method")                                                    \
	X(HOST, "host")                                                        \
	X(PATH, "path")                                                        \
	X(NAME, "path.")                                                       \
	X(HEADER, "header.")                                                   \
	X(QUERY, "query.")                                                     \
	X(COOKIE, "cookie.")                                                   \
	X(POLICY, "policy.")

enum route_source {
#define X(id, name) ROUTE_##id,
	ROUTE_SOURCES(X)
#undef X
	    ROUTE_SOURCE_COUNT
};

struct route_part {
	enum route_source source;
	struct route_text text; /* itself, or the name behind the dot */
	int number;             /* ROUTE_NAME: of the path's names */
};

struct route_template {
	unsigned count;
	struct route_part parts[ROUTE_PARTS_MAX];
};

/** Which source ${len} bytes name, "header.x-plan" or "client".  Return 0, or
 * -1: none. */
int route_part_read(
    struct route_part *part, const char *bytes, size_t len) MUST_USE;

/** Read ${len} bytes, which it borrows.  Return 0, or -1 with ${error} set. */
int route_template_read(struct route_template *template, const char *bytes,
    size_t len, struct limit_error *error) MUST_USE;

/** Find the names of ${path}.  Return as above. */
int route_template_resolve(struct route_template *template,
    const struct route_path *path, struct limit_error *error) MUST_USE;

/** The value of a part; NULL bytes, or no bytes: there is none. */
struct route_text route_part_value(const struct route_part *part,
    const struct route_request *request, const struct route_names *names,
    char room[KEY_TEXT_MAX + 1]);

/** Write a key.  Return 1, 0: a part is missing, or -1: it is too long. */
int route_template_write(const struct route_template *template,
    const struct route_request *request, const struct route_names *names,
    struct route_key *key);

#endif
