/**
 * upstream: another API, to which dripgated passes requests.
 *
 * Owns: its settings, copied, with the secrets in them; what it counts.
 *
 * Upstreams and sets of them are counted: any thread may use one that it holds.
 * They do not change, but for what is said to be the upstream thread's.
 */
#ifndef UPSTREAM_UPSTREAM_H
#define UPSTREAM_UPSTREAM_H

#include "base/attr.h"
#include "base/list.h"
#include "base/reasons.h"
#include "gate/check.h"
#include "upstream/breaker.h"
#include "upstream/cache.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Longest name, URL and list of methods. */
#define UPSTREAM_NAME_MAX    64
#define UPSTREAM_URL_MAX     2048
#define UPSTREAM_METHODS_MAX 90

/** Most bytes of a body that is passed on: what HTTP takes. */
#define UPSTREAM_BODY_MAX 65536

enum upstream_cache {
	UPSTREAM_CACHE_OFF,
	UPSTREAM_CACHE_MEMORY,
	UPSTREAM_CACHE_REDIS, /* behind memory; with the Redis store only */
};

/** Settings of one; the strings are borrowed. */
struct upstream_options {
	const char *name;
	const char *url;
	const char *ca_file; /* certificates to trust; "": the system's */

	/* what passes */
	const char *methods;          /* blanks between */
	int64_t max_body;             /* of a request */
	const char *request_headers;  /* names, blanks between */
	const char *response_headers; /* the same; "*": all */
	const char *fields;           /* "NAME: VALUE" lines to be added */
	const char *credentials;      /* the folder of those that they name;
				       * "": systemd's */

	/* how much of it */
	const char *limit_key; /* keys to charge, blanks between; "": none */
	int64_t max_wait_us;   /* for these, and for a connection */
	int64_t max_connections;

	/* how long */
	int64_t timeout_us;  /* until its response begins, or goes on */
	int64_t max_time_us; /* until its response ends */
	int64_t retries;     /* of a GET whose connection failed */

	/* what is stored */
	enum upstream_cache cache;
	int64_t cache_entries, cache_bytes;
	int64_t cache_ttl_us;
	int64_t cache_default_us;
	int64_t stale_if_error_us, stale_while_revalidate_us;
	bool cache_private, cache_client_control;

	int64_t redirects; /* that are followed for one GET or HEAD */

	/* when it fails */
	int64_t failures; /* in a row, until it is left alone; 0: never */
	int64_t pause_us; /* for so long */
};

/** What is counted of one, by any thread. */
#define UPSTREAM_COUNTS(X)                                                     \
	X(requests, "requests of clients")                                     \
	X(sent, "requests that went out")                                      \
	X(failed, "of those, how many failed")                                 \
	X(refused, "requests that its limits, or its failures, held back")

struct upstream_counts {
#define X(name, help) _Atomic uint64_t name;
	UPSTREAM_COUNTS(X)
#undef X
};

struct flight;
TAILQ_HEAD(flight_list, flight);

struct flight_hold;
TAILQ_HEAD(flight_hold_list, flight_hold);

struct upstream {
	_Atomic unsigned refs;
	struct upstream_options options; /* with strings of its own */
	char *text;      /* of all of them: two of the same text are the same */
	bool is_literal; /* the URL has an address in place of a name */
	char *fields;    /* to be added, with their secrets */
	char *keys;      /* copied, to which the next refer */
	unsigned key_count;
	struct check_key key_list[CHECK_KEYS_MAX];
	char *block_keys;                            /* the same for the next */
	struct check_key block_list[CHECK_KEYS_MAX]; /* block.h */
	struct upstream_counts counts;
	struct freshness_rules rules;
	struct cache *cache; /* NULL: nothing is stored */

	/* set by the upstream thread */
	_Atomic int64_t blocked_until_us; /* as it told us itself */
	_Atomic bool is_failing;          /* the breaker is open */
	_Atomic int64_t failing_until_us; /* then a probe goes out; or 0 */
	_Atomic unsigned under_way;       /* flights */
	_Atomic unsigned out;             /* of these, that are sent */

	/* the upstream thread's */
	struct breaker breaker;
	size_t active;                /* flights that are not in the queue */
	struct flight_list queue;     /* that wait to be */
	bool is_taking;               /* from that queue */
	struct flight_hold_list line; /* of flights, for leases */
	int64_t line_since_us; /* it has not been empty, nor other daemons'
				* turn */
	bool line_moves;
};

/** Those of one configuration. */
struct upstream_set {
	_Atomic unsigned refs;
	size_t count;
	struct upstream *items[];
};

/** Make a set of ${count}, and read the credentials that their headers name.
 * NULL with ${reasons} added. */
struct upstream_set *upstream_set_new(const struct upstream_options *options,
    size_t count, struct reasons *reasons) MUST_USE;

/** Take from ${old}, or NULL, those that are as they were, and for the others
 * what was counted.  One thread, before ${set} is used. */
void upstream_set_adopt(
    struct upstream_set *set, const struct upstream_set *old);

struct upstream_set *upstream_set_ref(struct upstream_set *set);

/** Release it; NULL: no-op. */
void upstream_set_unref(struct upstream_set *set);

/** The upstream that ${len} bytes name, or NULL; ${set} may be NULL. */
struct upstream *upstream_set_find(
    const struct upstream_set *set, const char *name, size_t len);

struct upstream *upstream_ref(struct upstream *upstream);

/** Release it; NULL: no-op. */
void upstream_unref(struct upstream *upstream);

/** "ready", "failing" or "blocked", as this daemon knows it. */
const char *upstream_state_name(
    const struct upstream *upstream, int64_t now_us);

/** How long it is in that state at least; 0: it is ready, or is being tried. */
int64_t upstream_again_us(const struct upstream *upstream, int64_t now_us);

/** The upstream thread's: it wants nothing until ${until_us}. */
static inline void
upstream_note_block(struct upstream *upstream, int64_t until_us)
{
	if (upstream->blocked_until_us < until_us)
		upstream->blocked_until_us = until_us;
}

/** Whether a blank-separated ${list} has ${len} bytes, in any case. */
bool upstream_list_has(const char *list, const char *word, size_t len);

/** Count one more. */
#define UPSTREAM_COUNT(upstream, name)                                         \
	atomic_fetch_add_explicit(                                             \
	    &(upstream)->counts.name, 1, memory_order_relaxed)

#endif
