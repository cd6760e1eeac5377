/*
 * Looks in Redis for what a flight asks for, before it goes out.
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

/* Use what was found, if it is of use. */
static void
flight_on_found(struct cache_lookup *lookup, struct stored_response *response)
{
	struct flight *flight = CONTAINER_OF(lookup, struct flight, lookup);
	const struct ask *ask = flight_first(flight);
	struct cache *cache = flight->upstream->cache;

	if (!response || flight->is_outdated) {
		response_unref(response);
		flight_miss(flight);
		return;
	}
	cache_put(cache, flight_target(ask), response);
	response_unref(flight->stored);
	flight->stored = response;
	if (freshness_reuse(&response->freshness, &ask->control, clock_us()) !=
	    REUSE_FRESH) {
		flight_miss(flight);
		return;
	}
	cache_count(cache, CACHE_redis_hits);
	flight_give(flight, response, ASK_HIT);
	flight_end(flight);
}

void
flight_look(struct flight *flight)
{
	const struct ask *ask = flight_first(flight);
	const struct upstream *upstream = flight->upstream;

	flight->lookup = (struct cache_lookup){
	    .name = upstream->options.name,
	    .target = flight_target(ask),
	    .request = flight_fields(ask),
	    .most = FLIGHT_GATHER_MAX + UPSTREAM_HEAD_MAX,
	    .done = flight_on_found,
	};
	if (!ask->is_cached ||
	    upstream->options.cache != UPSTREAM_CACHE_REDIS ||
	    !flight->flights->redis ||
	    cache_redis_find(flight->flights->redis, &flight->lookup) == -1)
		flight_miss(flight);
}
