/**
 * flight_internal: the inside of a flight, for flight.c, which sends it,
 * flight_response.c, which takes what comes back, flight_look.c, which looks in
 * Redis before that, and flights.c, which has all of them.
 */
#ifndef UPSTREAM_FLIGHT_INTERNAL_H
#define UPSTREAM_FLIGHT_INTERNAL_H

#include "net/timer.h"
#include "upstream/cache.h"
#include "upstream/cache_redis.h"
#include "upstream/flight.h"
#include "upstream/flight_hold.h"
#include "upstream/transfer.h"

#include <string.h>

/**
 *  LOOKING --> QUEUED --a place is free--> HOLDING --> CHARGING --> SENT -->
 *                                            ^           |           | (over)
 *                                            |-- PAUSED <------------|
 *
 * X(NAME, TO(a state that may follow) | ...)
 */
#define FLIGHT_STATES(X)                                                       \
	X(LOOKING, TO(QUEUED))   /* in Redis */                                \
	X(QUEUED, TO(HOLDING))   /* max_connections are out */                 \
	X(HOLDING, TO(CHARGING)) /* gets leases, see flight_hold.h */          \
	X(CHARGING, TO(SENT) | TO(PAUSED)) /* asks its other limits */         \
	X(SENT, TO(PAUSED) | TO(HOLDING))  /* a transfer of libcurl */         \
	X(PAUSED, TO(HOLDING))             /* until it is tried again */

enum flight_state {
#define X(name, next) FLIGHT_##name,
	FLIGHT_STATES(X)
#undef X
};

/** The first retry comes after about so long, the next after twice that. */
#define FLIGHT_RETRY_US INT64_C(50000)

/** What a client is told to wait for that finds all places taken: the time
 * until one is free is not known. */
#define FLIGHT_BUSY_US INT64_C(1000000)

/** What becomes of the response. */
enum flight_use {
	FLIGHT_STREAMS, /* it goes to the one client as it comes */
	FLIGHT_GATHERS, /* it may be stored */
	FLIGHT_RENEWS,  /* what is stored is still valid */
	FLIGHT_COVERS,  /* it is an error: what is stored is better */
	FLIGHT_FOLLOWS, /* it leads to another target, which is asked next */
};

struct flight {
	struct flights *flights;
	TAILQ_ENTRY(flight) all;
	TAILQ_ENTRY(flight) queued;
	LIST_ENTRY(flight) chain;
	bool is_open; /* others may join: it is in its chain */

	/* for whom */
	struct upstream *upstream; /* a reference */
	struct ask_list riders;    /* asks; the first says what is sent */
	struct ask *refresh;       /* owned: no one waits for it; or NULL */

	/* on its way */
	enum flight_state state;
	struct cache_lookup lookup; /* while LOOKING */
	bool has_place;             /* counted in upstream->active */
	bool is_probe; /* the breaker waits for what becomes of it */
	int64_t tries;
	int64_t until_us;         /* it waits for its limit no longer */
	int64_t redirects;        /* that it followed */
	struct buf target;        /* where these led; empty: the ask's */
	struct freshness through; /* the least fresh of them */
	bool is_single;           /* one of them was for one client only */
	size_t skipped;           /* bytes of their bodies */
	struct flight_hold *hold; /* of its leases; NULL: it has none */
	unsigned charged;         /* keys that it asks about beside these */
	bool asks_block;          /* about its block_list, and not its limits */
	bool is_charged;          /* for all of them */
	int64_t looked_us;        /* when it asked whether they are blocked */
	struct check check;
	struct timer timer; /* of the state it is in */
	struct transfer transfer;

	/* and back */
	enum flight_use use;
	bool is_paused;   /* the client takes no more just now */
	bool was_paused;  /* the client took less than the upstream had */
	size_t gathered;  /* bytes, in flights->gathered */
	bool is_outdated; /* what comes is not stored */
	bool is_unwanted; /* no one is left who wants it as it comes */
	struct stored_response *stored; /* that may be used again; held */
	struct response_builder builder;
};

/** What it asks for; NULL: no one wants it any more. */
static inline struct ask *
flight_first(const struct flight *flight)
{
	return flight->refresh ? flight->refresh : TAILQ_FIRST(&flight->riders);
}

void flight_set_state(struct flight *flight, enum flight_state state);

static inline struct headers
flight_fields(const struct ask *ask)
{
	return (struct headers){ask_fields(ask), ask->fields_len};
}

static inline struct part
flight_target(const struct ask *ask)
{
	return (struct part){ask_target(ask), ask->target_len};
}

/** The target that it asks for now, with a NUL behind it. */
static inline struct part
flight_asked_target(const struct flight *flight, const struct ask *ask)
{
	return buf_len(&flight->target) > 0
		   ? (struct part){buf_data(&flight->target),
			 buf_len(&flight->target) - 1}
		   : flight_target(ask);
}

/** Whether no ${len} bytes more may be held for clients. */
bool flights_are_full(const struct flights *flights, size_t len);

/** Make one that asks nothing yet; NULL: out of memory. */
struct flight *flight_new(
    struct flights *flights, struct upstream *upstream) MUST_USE;

/** Look in Redis for what it asks for, if it may be there; then as
 * flight_queue(), unless only what is stored is wanted. */
void flight_look(struct flight *flight);

/** Have it go out when there is a place for it. */
void flight_queue(struct flight *flight);

/** No one wants it any more: end it as soon as that can be. */
void flight_abandon(struct flight *flight);

/** Let no more asks join. */
void flight_close(struct flight *flight);

/** What it brings may be as it was before something changed: none of it is
 * stored, and no more asks join. */
void flight_outdate(struct flight *flight);

/** Free it. */
void flight_end(struct flight *flight);

/** Tell a rider that there is no response, or give it what is stored in place
 * of that. */
void flight_excuse(const struct flight *flight, struct ask *ask,
    enum upstream_fault fault, int64_t retry_us);

/** End it without a response; what is stored may take the place of that. */
void flight_fail(
    struct flight *flight, enum upstream_fault fault, int64_t retry_us);

/** Ask its limits, and send it; it has a place among those that are out. */
void flight_charge(struct flight *flight);

/** Ask for the target that a redirect led to, as for a first one. */
void flight_follow(struct flight *flight);

/** It has its leases: charge its other keys. */
void flight_on_held(struct flight *flight);

/** A limit has no leases left, and it waits for them no longer. */
void flight_on_full(struct flight *flight, int64_t retry_us);

/** Its keys are charged, or not. */
void flight_on_check(struct check *check);

/** Nothing holds it back. */
void flight_send(struct flight *flight);

/** The head has come: note that the upstream responds, and when it wants to be
 * asked again. */
void flight_note_head(struct flight *flight);

/** As transfer_events. */
extern const struct transfer_events flight_events;

/** The response is whole. */
void flight_deliver(struct flight *flight);

/** Tell the rider that gets it as it comes that this is all. */
void flight_finish(struct flight *flight, bool is_cut);

/** Give all riders ${whole}. */
void flight_give(
    struct flight *flight, struct stored_response *whole, enum ask_cache cache);

#endif
