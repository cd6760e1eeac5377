/**
 * gateway: what the workers of the process have in common: the limits in force,
 * the stores, the counters.
 *
 * Each worker has a gate to it (gate/gate.h).  The pool makes the gateway
 * before the first worker starts; it outlives the last.
 */
#ifndef GATE_GATEWAY_H
#define GATE_GATEWAY_H

#include "base/attr.h"
#include "gate/outage_cost.h"
#include "gate/placing.h"
#include "limit/rules.h"
#include "limit/rules_changes.h"
#include "stats/counters.h"
#include "stats/fleet_board.h"
#include "stats/limit_stats.h"
#include "stats/recent.h"
#include "stats/servers.h"
#include "stats/top.h"
#include "store/deny_cache.h"
#include "store/memory.h"
#include "store/redis/shard.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum store_type { STORE_MEMORY, STORE_REDIS };

/** What becomes of a request whose key no limit matches. */
enum unmatched { UNMATCHED_ALLOW, UNMATCHED_DENY, UNMATCHED_ERROR };

/** Which headers a decision has in HTTP; bits. */
enum http_headers {
	HTTP_HEADERS_NONE = 0,
	HTTP_HEADERS_STANDARD = 1, /* RateLimit, RateLimit-Policy */
	HTTP_HEADERS_LEGACY = 2,   /* X-RateLimit-... */
	HTTP_HEADERS_ALL = 3,
};

struct tls_context;

/** Settings. */
struct gateway_options {
	/* clients */
	int64_t idle_timeout_us; /* one that says nothing; 0: never */
	int64_t line_timeout_us; /* one whose request does not end */
	bool inline_limits;      /* a request may bring its limit along */
	const char *http_hosts;  /* names that HTTP clients may call us */
	enum http_headers http_headers;
	enum http_headers grpc_headers; /* of a decision for Envoy */
	bool grpc_charge_all;           /* of a call's descriptors, each */
	const char *grpc_denied_body;   /* for Envoy; "": its own */
	const char *client_header;      /* a client's address behind a proxy */
	const char *trusted_proxies;    /* networks (base/network.h) */
	bool ready_on_fallback;         /* READY is fine without Redis */
	struct tls_context *tls[4]; /* of TCP clients, by what they are offered
				     * (protocol.h); NULL: without */

	/* buckets */
	enum store_type store;
	struct memory_options memory; /* of the store, and of the fallback */
	struct shard_options redis;
};

struct gateway {
	const struct gateway_options *options;
	int64_t started_us;

	/* of the workers; the control thread writes to the last */
	size_t workers;
	size_t gates; /* of the workers, and one for the upstream thread */
	struct counters *counters; /* one set a gate */
	struct top **tops;         /* one a gate */
	struct recent *recent;
	struct fleet_board *fleet;

	/* where buckets are */
	struct memory *memory;         /* the memory store, and the fallback */
	struct deny_marks *deny_marks; /* Redis store */
	struct servers *servers;
	_Atomic(struct placing *) placing;      /* Redis store; else NULL */
	struct topology_reader topology_reader; /* of its record */

	/* the limits in force */
	_Atomic int unmatched; /* enum unmatched */
	pthread_mutex_t lock;  /* of the next eight */
	struct rules *rules;
	struct limit_stats *limit_stats; /* NULL: there was no memory */
	_Atomic int64_t loaded_us;       /* when they came into force */
	struct rules_changes changes; /* against those before; "": the first */
	struct rules_changes
	    refused; /* why the last reload was; "": it was not */
	int64_t refused_us;
	struct outage_cost outage_cost;
	size_t adopters;             /* workers that have this set already */
	_Atomic unsigned generation; /* counts the sets that were in force */

	/* what became of reloads */
	_Atomic uint64_t reloads;       /* sets that every worker has taken */
	_Atomic uint64_t reload_errors; /* those that were refused */
};

/** Make one for ${workers} workers, with ${rules} in force, whose reference it
 * takes over, also on failure.  ${options} are borrowed.  Return 0, or -1 with
 * errno; gateway_clear() is due in either case. */
int gateway_init(struct gateway *gateway, const struct gateway_options *options,
    size_t workers, struct rules *rules) MUST_USE;

/** Free what it holds.  No worker may be left. */
void gateway_clear(struct gateway *gateway);

/** Put ${rules}, whose reference it takes over, in force.  ${changes}, or NULL,
 * is set to what changes by that.  Any thread. */
void gateway_set_rules(struct gateway *gateway, struct rules *rules,
    struct rules_changes *changes);

/** Have the buckets in Redis be at ${where}, which is borrowed, from the next
 * turn of each worker on.  One thread.  Return 0, or -1 with errno. */
int gateway_set_topology(
    struct gateway *gateway, const struct topology_options *where) MUST_USE;

/** What gateway_set_topology() was last told, or the settings say, stood in
 * Redis when it was asked for, at ${asked_us}.  Its thread. */
void gateway_note_topology(struct gateway *gateway, int64_t asked_us);

/** Count a reload that was refused, and remember why; or, with "", that the
 * last one was not.  Any thread. */
void gateway_note_refused(struct gateway *gateway, const char *reason);

/** The set in force and its limit_stats; a reference to each is the caller's.
 * Gate ${number} calls once for each set.  ${generation} is set to the number
 * of the set. */
struct rules *gateway_get_rules(struct gateway *gateway, size_t number,
    struct limit_stats **limit_stats, unsigned *generation);

#endif
