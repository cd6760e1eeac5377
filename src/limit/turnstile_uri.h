/**
 * turnstile_uri: the paths of a limit of Turnstile, in the syntax of Python's
 * Routes, as the path of a route: "/v1/users/{id:[0-9]+}".
 */
#ifndef LIMIT_TURNSTILE_URI_H
#define LIMIT_TURNSTILE_URI_H

#include "base/buf.h"
#include "limit/route.h"

/** Most pieces of a uri: names, and texts between them. */
#define TURNSTILE_PIECES_MAX 64

enum turnstile_piece_kind {
	TURNSTILE_PIECE_TEXT,
	TURNSTILE_PIECE_SEGMENT,   /* {name}, :name, :(name) */
	TURNSTILE_PIECE_EXTENSION, /* {.name}, which need not be there */
	TURNSTILE_PIECE_REST,      /* *name, *(name): may have slashes */
};

struct turnstile_piece {
	enum turnstile_piece_kind kind;
	struct route_text text;  /* or the name */
	struct route_text regex; /* what it may be; NULL: anything */
	bool is_inline;          /* the regex is in the uri, which escapes it */
};

/** A uri that was read; its texts are borrowed. */
struct turnstile_uri {
	unsigned count;
	struct turnstile_piece pieces[TURNSTILE_PIECES_MAX];
};

/** Read a uri.  Return 0, or -1 with ${error} set. */
int turnstile_uri_read(struct turnstile_uri *uri, const struct route_text *text,
    struct limit_error *error) MUST_USE;

/** The piece of that name, or NULL. */
struct turnstile_piece *turnstile_uri_find(
    struct turnstile_uri *uri, const struct route_text *name);

/** Append it as the value of a route's path, without blanks.  Return 0, or -1
 * (out of memory). */
int turnstile_uri_write(
    struct buf *out, const struct turnstile_uri *uri) MUST_USE;

#endif
