/**
 * route: a rule that turns an HTTP request, or one of Postfix, into keys and
 * amounts.
 *
 * Like a limit it is built word by word, checked as a whole, and never changes
 * afterwards.  Knows no protocol: a request is given to it in parts.
 */
#ifndef LIMIT_ROUTE_H
#define LIMIT_ROUTE_H

#include "base/attr.h"
#include "base/buf.h"
#include "limit/key.h"
#include "limit/limit.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What a route's section or member starts with: "[route:api]". */
#define ROUTE_SIGN "route:"

/** Most keys of a route, and of a request. */
#define ROUTE_KEYS_MAX 16

/** Most {names} of a path, and numbered groups of a regular expression. */
#define ROUTE_NAMES_MAX 15

/** Longest path that is looked at. */
#define ROUTE_PATH_MAX 8192

/** What a denied mail gets from Postfix. */
enum route_denied {
	ROUTE_DEFER_IF_PERMIT, /* unless another rule rejects it */
	ROUTE_DEFER,
	ROUTE_REJECT,
	ROUTE_HOLD,
	ROUTE_DISCARD,
};

struct rules_scratch;
struct route;

/** Some text, borrowed. */
struct route_text {
	const char *bytes; /* NULL: there is none */
	size_t len;
};

/** A request as routes see it. */
struct route_request {
	struct route_text method; /* in upper case */
	struct route_text host;   /* without the port */
	struct route_text path;   /* as route_clean_path() leaves it */
	struct route_text client, client64; /* its address */

	/** The value of the header, the query's parameter or the cookie
	 * ${name}, written to ${room} if it must be decoded: at most
	 * KEY_TEXT_MAX + 1 bytes, too long a value is cut; and of Postfix's
	 * attribute.  NULL: requests of this kind have none. */
	struct route_text (*header)(
	    const struct route_request *request, const struct route_text *name);
	struct route_text (*query)(const struct route_request *request,
	    const struct route_text *name, char room[KEY_TEXT_MAX + 1]);
	struct route_text (*cookie)(
	    const struct route_request *request, const struct route_text *name);
	struct route_text (*policy)(
	    const struct route_request *request, const struct route_text *name);
	const void *arg; /* theirs */
};

/** A key that a request is charged under. */
struct route_key {
	int64_t amount;
	size_t len;
	char bytes[KEY_TEXT_MAX];
};

/** What the {names} or groups of a path matched. */
struct route_names {
	struct route_text values[ROUTE_NAMES_MAX + 1];
};

/** Start a route with the ${name} of a limit.  Return NULL with ${error} set as
 * limit_new() does. */
struct route *route_new(const char *name, struct limit_error *error) MUST_USE;

/** Set the word ${name}.  Return 0, or -1 with ${error} set, as limit_set(). */
int route_set(struct route *route, const char *name, const char *value,
    struct limit_error *error) MUST_USE;

/** All words are set: check the route as a whole.  Return as above. */
int route_finish(struct route *route, struct limit_error *error) MUST_USE;

/** Free a route, finished or not; NULL: no-op. */
void route_free(struct route *route);

/** Its name, without the sign. */
const char *route_name(const struct route *route);

/** Where it was written: set by its reader. */
unsigned route_line(const struct route *route);
void route_set_line(struct route *route, unsigned line);

/** How many keys it has, and whether later routes are tried as well. */
unsigned route_keys_count(const struct route *route);
bool route_continues(const struct route *route);

/** Whether it denies a request that gets no key of it. */
bool route_is_required(const struct route *route);

/** What becomes of mail that is denied. */
enum route_denied route_denied(const struct route *route);

/** What each path that it matches starts with: "" if that may be any. */
const char *route_literal(const struct route *route);

/** Whether it matches all requests that ${other} matches, as far as is easily
 * seen. */
bool route_covers(const struct route *route, const struct route *other);

/** Whether it matches the request; ${names} is set if so. */
bool route_matches(const struct route *route,
    const struct route_request *request, struct rules_scratch *scratch,
    struct route_names *names);

/** Write the keys of a request that it matches to ${keys}, at most ${room}; a
 * key of which a part is missing is left out.  Return how many; ${room} + 1:
 * there may be more; or -1: one is longer than KEY_TEXT_MAX. */
int route_write_keys(const struct route *route,
    const struct route_request *request, const struct route_names *names,
    struct route_key *keys, unsigned room);

/** Whether a word has a blank in it, so that no line can have the route. */
bool route_has_blank(const struct route *route);

/** Append the fewest words that describe it, as " word=value" each, or as
 * "word = value" and a line's end.  Return 0, or -1 (out of memory). */
int route_write_line(struct buf *out, const struct route *route) MUST_USE;
int route_write_section(struct buf *out, const struct route *route) MUST_USE;

/** Decode the path of a target once, and take dots and doubled slashes out of
 * it, as servers do before they look up what it names: "/a//b/../%63" is
 * "/a/c".  Return the length of what was written to ${to}, at most ${len}. */
size_t route_clean_path(char *to, const char *path, size_t len);

#endif
