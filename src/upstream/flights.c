/*
 * Job: all flights: who joins which, who comes and who goes.
 * Invariant: an ask rides on one flight, waits in ${again}, or is over; no two
 * flights that are open ask for the same.
 * The heart: flight_start(), flight_leave().
 */
#include "upstream/flight_internal.h"

#include "limit/glob.h"
#include "limit/key.h"

#include <stdlib.h>

void
flights_init(struct flights *flights, struct loop *loop, struct gate *gate)
{
	*flights = (struct flights){.loop = loop, .gate = gate};
	TAILQ_INIT(&flights->all);
	TAILQ_INIT(&flights->again);
	TAILQ_INIT(&flights->owing);
}

bool
flights_are_full(const struct flights *flights, size_t len)
{
	return (int64_t)(flights->gathered + len) + responses_loose() >
	       FLIGHTS_GATHER_MAX;
}

/* Whether others may join it, and it others: what goes out is the same then. */
static bool
flights_may_join(const struct ask *ask)
{
	return ask->is_cached && !ask->is_alone && !ask->control.only_if_cached;
}

static struct flight_chain *
flights_chain(struct flights *flights, const struct ask *ask)
{
	const struct siphash_seed seed = key_seed();
	struct hash128 hash = siphash128(
	    &seed, ask->bytes.bytes, ask->target_len + 1 + ask->fields_len);

	return &flights->chains[hash.lo % FLIGHT_CHAINS];
}

static bool
flights_is_same(const struct ask *a, const struct ask *b)
{
	return a->upstream == b->upstream && a->target_len == b->target_len &&
	       a->fields_len == b->fields_len &&
	       strcmp(a->method, b->method) == 0 &&
	       memcmp(ask_target(a), ask_target(b),
		   a->target_len + 1 + a->fields_len) == 0;
}

/* The flight that asks for the same, or NULL. */
static struct flight *
flights_find(struct flight_chain *chain, const struct ask *ask)
{
	struct flight *flight;

	LIST_FOREACH (flight, chain, chain)
		if (flight_first(flight) &&
		    flights_is_same(flight_first(flight), ask))
			return flight;
	return NULL;
}

void
flight_close(struct flight *flight)
{
	if (flight->is_open)
		LIST_REMOVE(flight, chain);
	flight->is_open = false;
}

void
flight_outdate(struct flight *flight)
{
	flight_close(flight);
	flight->is_outdated = true;
}

void
flights_outdate(struct flights *flights, const char *name, const char *glob)
{
	struct flight *flight;

	TAILQ_FOREACH (flight, &flights->all, all) {
		const struct ask *ask = flight_first(flight);

		if (ask && strcmp(ask->upstream->options.name, name) == 0 &&
		    glob_matches(glob, ask_target(ask), ask->target_len))
			flight_outdate(flight);
	}
}

/* Have it ride on the flight. */
static void
flights_join(struct flight *flight, struct ask *ask)
{
	if (ask->is_refresh) {
		/* Someone is bringing it already. */
		ask_free(ask);
		return;
	}
	ask->flight = flight;
	TAILQ_INSERT_TAIL(&flight->riders, ask, ride);
}

/* At the end, asks are over: there is no one to tell. */
static void
flights_refuse(const struct flights *flights, struct ask *ask)
{
	if (ask->is_refresh)
		ask_free(ask);
	else if (!flights->ending)
		ask_fail(ask, UPSTREAM_FAULT_MEMORY, 0);
}

void
flight_start(struct flights *flights, struct ask *ask)
{
	struct flight_chain *chain =
	    flights_may_join(ask) ? flights_chain(flights, ask) : NULL;
	struct flight *flight = chain ? flights_find(chain, ask) : NULL;

	if (!ask->is_refresh && !ask->is_alone)
		UPSTREAM_COUNT(ask->upstream, requests);
	if (flight) {
		flights_join(flight, ask);
		return;
	}
	flight = flights->ending ? NULL : flight_new(flights, ask->upstream);
	if (!flight) {
		flights_refuse(flights, ask);
		return;
	}
	if (ask->is_refresh)
		flight->refresh = ask;
	else
		flights_join(flight, ask);
	flight->stored = ask->stored ? response_ref(ask->stored) : NULL;
	if (chain)
		LIST_INSERT_HEAD(chain, flight, chain);
	flight->is_open = chain != NULL;
	flight_look(flight);
}

void
flights_start_again(struct flights *flights)
{
	struct ask *ask;

	while ((ask = TAILQ_FIRST(&flights->again))) {
		TAILQ_REMOVE(&flights->again, ask, ride);
		flight_start(flights, ask);
	}
}

void
flight_leave(struct flights *flights, struct ask *ask)
{
	struct flight *flight = ask->flight;

	if (!flight) {
		/* It may wait for one. */
		flights_start_again(flights);
		flight = ask->flight;
	}
	if (!flight)
		return;
	ask->flight = NULL;
	TAILQ_REMOVE(&flight->riders, ask, ride);
	if (!flight_first(flight))
		flight_abandon(flight);
}

void
flights_clear(struct flights *flights)
{
	struct flight *flight;

	flights->ending = true;
	flights_start_again(flights);
	while ((flight = TAILQ_FIRST(&flights->all)))
		flight_fail(flight, UPSTREAM_FAULT_ENDING, 0);
	flight_hold_clear(flights);
}
