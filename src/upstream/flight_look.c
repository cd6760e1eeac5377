/*
 * Looks for what a flight asks for, before it goes out: in memory again, since
 * it may have come between the client's look and the flight, and in Redis.
 */
#include "upstream/flight_internal.h"

#include "base/clock.h"

/* It is not there. */
static void
flight_miss(struct flight *flight)
{
	const struct ask *ask = flight_first(flight);

	if (ask->is_cached && ask->control.only_if_cached)
		flight_fail(flight, UPSTREAM_FAULT_NOTCACHED, 0);
	else
		flight_queue(flight);
}

static bool
flight_takes(const struct ask *ask, const struct stored_response *response)
{
	return freshness_reuse(&response->freshness, &ask->control,
		   clock_us()) == REUSE_FRESH;
}

/* Give it to those who take it as it is.  Return whether someone is left. */
static bool
flight_hand_out(struct flight *flight, struct stored_response *response,
    enum ask_cache cache)
{
	bool is_left =
	    flight->refresh && !flight_takes(flight->refresh, response);
	struct ask *ask, *next;

	for (ask = TAILQ_FIRST(&flight->riders); ask; ask = next) {
		next = TAILQ_NEXT(ask, ride);
		if (!flight_takes(ask, response)) {
			is_left = true;
			continue;
		}
		TAILQ_REMOVE(&flight->riders, ask, ride);
		ask->flight = NULL;
		ask_give(ask, response, cache);
		if (cache == ASK_HIT)
			cache_count(flight->upstream->cache, CACHE_redis_hits);
	}
	return is_left;
}

static void
flight_on_found(struct cache_lookup *lookup, struct stored_response *response)
{
	struct flight *flight = CONTAINER_OF(lookup, struct flight, lookup);
	struct cache *cache = flight->upstream->cache;

	if (!response || flight->is_outdated) {
		response_unref(response);
		flight_miss(flight);
		return;
	}
	cache_put(cache, flight_target(flight_first(flight)), response);
	response_unref(flight->stored);
	flight->stored = response;
	if (flight_hand_out(flight, response, ASK_HIT))
		flight_miss(flight);
	else
		flight_end(flight);
}

/* Who missed what a flight brought just then gets it as its riders did.  Return
 * whether that was all. */
static bool
flight_came_late(struct flight *flight)
{
	const struct ask *ask = flight_first(flight);
	struct stored_response *response = cache_find(
	    flight->upstream->cache, flight_target(ask), flight_fields(ask));
	bool is_all = response && !flight_hand_out(flight, response, ASK_MISS);

	response_unref(response);
	return is_all;
}

void
flight_look(struct flight *flight)
{
	const struct ask *ask = flight_first(flight);
	const struct upstream *upstream = flight->upstream;

	if (ask->is_cached && flight_came_late(flight)) {
		flight_end(flight);
		return;
	}
	flight->lookup = (struct cache_lookup){
	    .name = upstream->options.name,
	    .target = flight_target(ask),
	    .request = flight_fields(ask),
	    .most = FLIGHT_GATHER_MAX + UPSTREAM_HEAD_MAX,
	    .done = flight_on_found,
	};
	if (!ask->is_cached ||
	    upstream->options.cache != UPSTREAM_CACHE_REDIS ||
	    !flight->flights->redis || flights_are_full(flight->flights, 0) ||
	    cache_redis_find(flight->flights->redis, &flight->lookup) == -1)
		flight_miss(flight);
}
