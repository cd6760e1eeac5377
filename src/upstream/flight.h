/**
 * flight: one request on its way to an upstream and back.
 *
 * Owns: its transfer, its check, its timer; what is gathered of a response that
 * may be stored.  Lives on the upstream thread.
 *
 * Asks for the same that may be stored ride on one flight: the first is sent,
 * and all get the response.  If that turns out to be for one client only, the
 * first gets it as it comes, and the others get flights of their own.
 */
#ifndef UPSTREAM_FLIGHT_H
#define UPSTREAM_FLIGHT_H

#include "base/attr.h"
#include "base/list.h"
#include "gate/gate.h"
#include "upstream/ask.h"
#include "upstream/curl_loop.h"

/** Most bytes of a response that is gathered: one that may be stored.  A longer
 * one goes to its client as it comes. */
#define FLIGHT_GATHER_MAX (INT64_C(1) << 20)

/** Most bytes that all have gathered together, until their clients have taken
 * them, without those that a cache counts: what comes then is not stored. */
#define FLIGHTS_GATHER_MAX (INT64_C(64) << 20)

/** Chains of the table of flights. */
#define FLIGHT_CHAINS 1024

struct cache_redis;

LIST_HEAD(flight_chain, flight);

/** What all flights share. */
struct flights {
	struct loop *loop;
	struct gate *gate;
	struct curl_loop *curl;
	struct cache_redis *redis; /* NULL: not with this store */
	struct flight_list all;
	struct flight_chain chains[FLIGHT_CHAINS]; /* that others may join */
	struct ask_list again; /* asks that need flights of their own */
	struct flight_hold_list
	    owing;       /* they give back to a Redis that is away */
	size_t gathered; /* bytes, by all and by asks that take them */
	bool ending;     /* no more may start */
};

void flights_init(
    struct flights *flights, struct loop *loop, struct gate *gate);

/** Start one for ${ask}, or have it ride on another; it may fail at once. */
void flight_start(struct flights *flights, struct ask *ask);

/** Start those that libcurl's callbacks left behind. */
void flights_start_again(struct flights *flights);

/** Store nothing of what is under way of the targets of upstream ${name} that
 * match ${glob}. */
void flights_outdate(
    struct flights *flights, const char *name, const char *glob);

/** There is room for the ask again. */
void flight_go_on(struct ask *ask);

/** Its client is gone. */
void flight_leave(struct flights *flights, struct ask *ask);

/** As curl_loop_done. */
void flight_on_transferred(void *arg, CURLcode result, void *unused);

/** End all: none may start any more, and the store has decided all checks. */
void flights_clear(struct flights *flights);

#endif
