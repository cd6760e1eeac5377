/**
 * freshness: which responses may be stored, for how long they are used, and
 * when the upstream is asked again: RFC 9111, for the cache of a fleet, with
 * stale-while-revalidate and stale-if-error (RFC 5861).  Pure.
 *
 * All times are microseconds of clock_us(), which the wall clock is ahead of by
 * shift_us.
 *
 * What is stored: responses to GET.  With s-maxage, max-age or Expires those of
 * any final status but 206 and 304; without, those of the statuses that RFC
 * 9110 calls heuristically cacheable (200, 203, 204, 300, 301, 308, 404, 405,
 * 410, 414, 501), for a tenth of the time since Last-Modified, or for
 * default_us.  All of it within most_us.
 *
 * What is not:
 *   - no-store (unless must-understand, and the status is known);
 *   - private, unless keeps_private: where the upstream knows no user but us;
 *   - what has Set-Cookie, as nginx does: it is meant for one client;
 *   - Vary: *, or with what is no name;
 *   - responses to a client's Authorization, unless public, must-revalidate or
 *     s-maxage says that they may be; what we add ourselves is not a client's;
 *   - responses to requests with Range, If-Range, If-Match or
 *     If-Unmodified-Since, which pass by the cache: bypasses.
 *
 * What no directive names may not be stored with it: the fields that
 * no-cache="..." and private="..." list are left out (header_may_be_stored()).
 */
#ifndef UPSTREAM_FRESHNESS_H
#define UPSTREAM_FRESHNESS_H

#include "upstream/headers.h"

#include <stdbool.h>
#include <stdint.h>

/** Of one upstream; times in microseconds. */
struct freshness_rules {
	int64_t most_us;    /* nothing is fresh for longer (cache_ttl) */
	int64_t default_us; /* for which a response that does not say how long
			     * is fresh; 0: it is stored only if
			     * Last-Modified tells (cache_default) */
	int64_t stale_if_error_us; /* where the response does not say */
	int64_t stale_while_revalidate_us;
	bool keeps_private; /* store what is private (cache_private) */
	bool obeys_clients; /* no-store, no-cache, Pragma, max-age and
			     * min-fresh of requests (cache_client_control) */
};

/** What a request says to caches, read once. */
struct request_control {
	bool bypasses; /* neither look it up nor store it: X-Cache: bypass */
	bool only_if_cached; /* without a stored response it is 504 */
	bool no_cache;       /* ask the upstream first */
	bool has_authorization;
	int64_t max_age_us;   /* -1: none */
	int64_t min_fresh_us; /* 0: none */
	int64_t max_stale_us; /* 0: none; INT64_MAX: of any age */
};

/** Read it from the fields of a client's GET or HEAD. */
void request_control_read(struct request_control *control,
    const struct freshness_rules *rules, struct headers request);

/** When a response that is stored may be used; worked out once. */
struct freshness {
	int64_t received_us; /* when it came, or was validated */
	int64_t age_us;      /* at that time */
	int64_t fresh_until_us;
	int64_t stale_until_us; /* stale-while-revalidate */
	int64_t error_until_us; /* stale-if-error */
	int64_t kept_until_us;  /* of no use after that */
	bool must_validate; /* max-stale does not count (must-revalidate...) */
	bool has_validator;
};

/** A response that came. */
struct received {
	int status;
	struct headers fields; /* all of them, Connection and Set-Cookie too */
	int64_t sent_us;       /* when its request went out */
	int64_t received_us;   /* when its head was there */
	int64_t shift_us;      /* clock_shift_us() */
};

/** Whether it may be stored, the response to a GET with ${control}; if so,
 * ${freshness} is set.  For a 304, pass the status and the fields of the
 * response that response_updated() makes, which has those of both. */
bool freshness_of(struct freshness *freshness,
    const struct freshness_rules *rules, const struct request_control *control,
    const struct received *received);

/** Have ${freshness} end no later than ${by}: the response came by way of that
 * one.  It cannot be compared, as that may lead elsewhere by then.  Return
 * whether it may still be stored. */
bool freshness_bound(struct freshness *freshness, const struct freshness *by);

/** Whether a field may be stored, and sent again from the cache: not those of a
 * connection, those that Connection or no-cache="..." lists, Age. */
bool header_may_be_stored(struct headers headers, struct part name);

/** What to do with a stored response. */
enum reuse {
	REUSE_FRESH,    /* send it */
	REUSE_STALE,    /* send it, and validate it behind the client's back */
	REUSE_VALIDATE, /* ask the upstream; a 304 makes it fresh again; on an
			 * error freshness_covers_error() says */
	REUSE_NOT,      /* as if there were none */
};

enum reuse freshness_reuse(const struct freshness *freshness,
    const struct request_control *control, int64_t now_us);

/** The upstream failed: it does not respond, or with 500, 502, 503 or 504.
 * Whether to send the stored response in place of the error. */
bool freshness_covers_error(const struct freshness *freshness,
    const struct request_control *control, int64_t now_us);

/** Whether a response of that status is such a failure. */
bool status_is_error(int status);

/** Whether a response of that status has a Location to be asked in place of it,
 * by GET and HEAD alike. */
bool status_is_redirect(int status);

/** Seconds to send as Age. */
int64_t freshness_age_s(const struct freshness *freshness, int64_t now_us);

/** Append the fields that ask whether ${stored} is still valid, If-None-Match
 * and If-Modified-Since, if it has validators: they take the place of the
 * client's own.  Return 0, or -1 (out of memory). */
int validators_add(struct buf *to, struct headers stored) MUST_USE;

/** Whether a client that sent ${request} has the stored response already
 * (If-None-Match, or else If-Modified-Since): it gets 304 without a body.
 * ${wall_us} is now by the wall clock. */
bool client_has_it(
    struct headers request, struct headers stored, int status, int64_t wall_us);

/** Append what of ${request} selects a response with ${response}: the fields
 * that Vary names, in its order, names in lower case, values normalised.  Of
 * the same text, the response is the right one.  Return 0, or -1: out of
 * memory, Vary is *, or it is longer than VARY_MAX (EINVAL). */
#define VARY_MAX 4096
int vary_select(
    struct buf *to, struct headers response, struct headers request) MUST_USE;

/** Append the names in that text, "NAME" LF each.  Return 0, or -1 (out of
 * memory). */
int vary_names(struct buf *to, struct part selecting) MUST_USE;

/** Append what of ${request} selects a response, by the ${names} that
 * vary_names() wrote.  Return as vary_select(). */
int vary_select_names(
    struct buf *to, struct part names, struct headers request) MUST_USE;

/** Whether ${request} would select the response that was stored with the text
 * ${selecting}. */
bool vary_matches(struct part selecting, struct headers request);

/** Whether a response to a request of another method, which may change
 * something, makes what is stored under its target invalid. */
bool method_invalidates(const char *method, size_t len, int status);

#endif
