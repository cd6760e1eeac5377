/*
 * Job: what comes back: to one client as it comes, or to the cache and to all.
 * Invariant: a response goes to several clients only if it may be stored; no
 * flight starts, ends or is freed here, within a callback of libcurl.
 * The heart: flight_on_head(), flight_deliver().
 */
#include "upstream/flight_internal.h"

#include "base/clock.h"
#include "upstream/upstream_location.h"

/* A list of headers is not to keep these from the cache. */
#define FLIGHT_CACHE_FIELDS "cache-control date etag expires last-modified vary"

static const char *
flight_list(const struct flight *flight)
{
	return flight->upstream->options.response_headers;
}

/*
 * What to do with it.
 */

static struct received
flight_received(const struct flight *flight, int status, struct headers fields)
{
	return (struct received){.status = status,
	    .fields = fields,
	    .sent_us = flight->transfer.sent_us,
	    .received_us = clock_us(),
	    .shift_us = clock_shift_us()};
}

/* Store it in Redis, too, if that is wanted. */
static void
flight_store_behind(
    struct flight *flight, const struct ask *ask, struct stored_response *new)
{
	const struct upstream_options *options = &flight->upstream->options;

	if (options->cache == UPSTREAM_CACHE_REDIS && flight->flights->redis)
		cache_redis_put(flight->flights->redis, options->name,
		    flight_target(ask), new, options->cache_entries);
}

/* Store it. */
static void
flight_store(
    struct flight *flight, const struct ask *ask, struct stored_response *new)
{
	if (flight->is_outdated)
		return;
	cache_put(flight->upstream->cache, flight_target(ask), new);
	flight_store_behind(flight, ask, new);
}

/* What is stored with the headers that a 304 has left of it; NULL: it is not to
 * be stored, or out of memory. */
static struct stored_response *
flight_update(
    const struct flight *flight, const struct ask *ask, struct headers merged)
{
	const struct stored_response *old = flight->stored;
	const struct received received =
	    flight_received(flight, old->status, merged);
	struct stored_response *new = NULL;
	struct freshness freshness;
	struct buf passing = {0};

	if (freshness_of(&freshness, &flight->upstream->rules, &ask->control,
		&received) &&
	    upstream_headers_filter(&passing, merged, flight_list(flight),
		FLIGHT_CACHE_FIELDS) == 0)
		new = response_updated(old,
		    (struct headers){buf_data(&passing), buf_len(&passing)},
		    &freshness);
	buf_free(&passing);
	return new;
}

/* What is stored is still valid: keep it with what the 304 says. */
static void
flight_renew(struct flight *flight, const struct ask *ask)
{
	struct stored_response *old = flight->stored;
	struct buf fields = {0};
	struct stored_response *new = NULL;

	if (!flights_are_full(flight->flights, old->bytes) &&
	    response_merge(
		&fields, old, upstream_headers_of(&flight->transfer.head)) == 0)
		new = flight_update(flight, ask,
		    (struct headers){buf_data(&fields), buf_len(&fields)});
	buf_free(&fields);
	cache_count(flight->upstream->cache, CACHE_validated);
	if (!new)
		return;
	flight_store(flight, ask, new);
	flight->stored = new;
	response_unref(old);
}

/* Whether the response may be stored: then start to gather it. */
static bool
flight_may_gather(struct flight *flight, const struct ask *ask, int64_t length)
{
	struct upstream *upstream = flight->upstream;
	size_t most = cache_most(upstream->cache);
	struct headers all = upstream_headers_of(&flight->transfer.head);
	struct received received =
	    flight_received(flight, flight->transfer.head.status, all);
	struct freshness freshness;
	struct buf passing = {0};

	if (most > FLIGHT_GATHER_MAX)
		most = FLIGHT_GATHER_MAX;
	if (!part_is((struct part){ask->method, strlen(ask->method)}, "GET") ||
	    flight->is_single || length > (int64_t)most ||
	    !freshness_of(
		&freshness, &upstream->rules, &ask->control, &received))
		return false;
	if (flight->redirects > 0 &&
	    !freshness_bound(&freshness, &flight->through))
		return false;
	if (upstream_headers_filter(
		&passing, all, flight_list(flight), FLIGHT_CACHE_FIELDS) == 0) {
		received.fields =
		    (struct headers){buf_data(&passing), buf_len(&passing)};
		response_begin(&flight->builder, &freshness, &received,
		    flight_fields(ask), most);
	}
	buf_free(&passing);
	return flight->builder.status != 0 && !flight->builder.failed;
}

/* Whether it was asked to compare what is stored: not where a redirect led,
 * where the same tag may be another's. */
static bool
flight_compares(const struct flight *flight)
{
	return flight->stored && flight->stored->freshness.has_validator &&
	       flight->redirects == 0;
}

/* Whether the response leads to another target, to be asked next. */
static bool
flight_is_led(struct flight *flight, const struct ask *ask)
{
	const struct upstream_options *options = &flight->upstream->options;
	const struct headers all = upstream_headers_of(&flight->transfer.head);
	struct buf target = {0};
	struct part location;

	if (flight->redirects >= options->redirects || !ask_is_safe(ask) ||
	    !status_is_redirect(flight->transfer.head.status) ||
	    !headers_find(all, "location", &location))
		return false;
	if (!upstream_location_read(&target, options->url,
		flight_asked_target(flight, ask), location)) {
		buf_free(&target);
		return false;
	}
	buf_free(&flight->target);
	flight->target = target;
	return true;
}

/* What is stored of a response is used no longer than each redirect on the way
 * to it would be.  One that varies is not worth more than that it works. */
static void
flight_pass_through(struct flight *flight, const struct ask *ask)
{
	const struct received received =
	    flight_received(flight, flight->transfer.head.status,
		upstream_headers_of(&flight->transfer.head));
	struct freshness freshness = {0};
	struct part vary;

	flight->is_single |= !freshness_of(&freshness, &flight->upstream->rules,
				 &ask->control, &received) ||
			     headers_find(received.fields, "vary", &vary);
	if (flight->redirects++ == 0)
		flight->through = freshness;
	else
		flight->is_single |=
		    !freshness_bound(&flight->through, &freshness);
}

static enum flight_use
flight_choose(struct flight *flight, const struct ask *ask, int64_t length)
{
	int status = flight->transfer.head.status;

	if (flight_is_led(flight, ask))
		return FLIGHT_FOLLOWS;
	if (!ask->is_cached)
		return FLIGHT_STREAMS;
	if (flight_compares(flight) && status == 304)
		return FLIGHT_RENEWS;
	if (flight->stored && (status_is_error(status) || status == 429) &&
	    freshness_covers_error(
		&flight->stored->freshness, &ask->control, clock_us()))
		return FLIGHT_COVERS;
	return flight_may_gather(flight, ask, length) ? FLIGHT_GATHERS
						      : FLIGHT_STREAMS;
}

/* What the other clients are told where only the first one gets the response.
 * UPSTREAM_FINE: each may ask for its own.  An upstream that fails would hardly
 * recover if all of them did. */
static enum upstream_fault
flight_fault_of(int status)
{
	if (status == 429)
		return UPSTREAM_FAULT_BLOCKED;
	return status >= 500 ? UPSTREAM_FAULT_SHARED : UPSTREAM_FINE;
}

/* Tell the others, or give them what is stored. */
static void
flight_refuse_other(struct flight *flight, struct ask *other)
{
	int64_t left_us = flight->upstream->blocked_until_us -
			  gate_now(flight->flights->gate);

	flight_excuse(flight, other,
	    flight_fault_of(flight->transfer.head.status),
	    left_us > 0 ? left_us : 0);
}

/* All but ${first} do without this response. */
static void
flight_part(struct flight *flight, struct ask *first)
{
	bool fails =
	    flight_fault_of(flight->transfer.head.status) != UPSTREAM_FINE;
	struct ask *other;

	while ((other = TAILQ_NEXT(first, ride))) {
		TAILQ_REMOVE(&flight->riders, other, ride);
		other->flight = NULL;
		if (fails) {
			flight_refuse_other(flight, other);
			continue;
		}
		other->is_alone = true;
		TAILQ_INSERT_TAIL(&flight->flights->again, other, ride);
	}
}

/* The first rider gets the response as it comes; the others ask again, or are
 * told that the upstream fails. */
static int
flight_stream(struct flight *flight, int64_t length)
{
	struct ask *first = TAILQ_FIRST(&flight->riders);
	struct buf head = {0};

	flight_close(flight);
	flight->is_unwanted = !first;
	if (!first)
		return -1;
	flight_part(flight, first);
	if (upstream_headers_filter(&head,
		upstream_headers_of(&flight->transfer.head),
		flight_list(flight), "") == -1) {
		buf_free(&head);
		return -1;
	}
	ask_begin(first, flight->transfer.head.status, &head, length);
	return 0;
}

static bool
flight_has_target(const struct flight *flight, struct part target)
{
	const struct ask *ask = flight_first(flight);

	return ask && ask->target_len == target.len &&
	       memcmp(ask_target(ask), target.bytes, target.len) == 0;
}

/* What is stored of it, and what is under way, which may be as it was before.
 */
static void
flight_forget(struct flight *flight, struct part target)
{
	const struct upstream_options *options = &flight->upstream->options;
	struct flight *other;

	TAILQ_FOREACH (other, &flight->flights->all, all) {
		if (other->upstream == flight->upstream &&
		    flight_has_target(other, target))
			flight_outdate(other);
	}
	cache_remove(flight->upstream->cache, target);
	if (options->cache == UPSTREAM_CACHE_REDIS && flight->flights->redis)
		cache_redis_remove(
		    flight->flights->redis, options->name, target);
}

/* What of the upstream a header of the response names, if it does. */
static void
flight_forget_named(
    struct flight *flight, const struct ask *ask, const char *name)
{
	struct buf target = {0};
	struct part value;

	if (headers_find(
		upstream_headers_of(&flight->transfer.head), name, &value) &&
	    upstream_location_read(&target, flight->upstream->options.url,
		flight_target(ask), value))
		flight_forget(flight,
		    (struct part){buf_data(&target), buf_len(&target) - 1});
	buf_free(&target);
}

/* The response may change what is stored: forget that before anyone hears of
 * it. */
static void
flight_invalidate(struct flight *flight, const struct ask *ask)
{
	if (!flight->upstream->cache ||
	    !method_invalidates(
		ask->method, strlen(ask->method), flight->transfer.head.status))
		return;
	flight_forget(flight, flight_target(ask));
	flight_forget_named(flight, ask, "location");
	flight_forget_named(flight, ask, "content-location");
}

static int
flight_on_head(void *arg, int64_t length)
{
	struct flight *flight = arg;
	struct ask *ask = flight_first(flight);

	timer_stop(&flight->timer);
	flight_note_head(flight);
	flight->is_unwanted = !ask;
	if (!ask)
		return -1;
	flight_invalidate(flight, ask);
	flight->use = flight_choose(flight, ask, length);
	switch (flight->use) {
	case FLIGHT_STREAMS:
		return flight_stream(flight, length);
	case FLIGHT_RENEWS:
		flight_renew(flight, ask);
		break;
	case FLIGHT_FOLLOWS:
		flight_pass_through(flight, ask);
		break;
	case FLIGHT_GATHERS:
	case FLIGHT_COVERS:
		break;
	}
	return 0;
}

/*
 * The body.
 */

/* It is longer than what is stored: its client gets what there is, and the rest
 * as it comes. */
static int
flight_overflow(struct flight *flight)
{
	struct buf body = flight->builder.body;

	flight->builder.body = (struct buf){0};
	response_abandon(&flight->builder);
	flight->use = FLIGHT_STREAMS;
	if (flight_stream(flight, -1) == -1) {
		buf_free(&body);
		return -1;
	}
	TAILQ_FIRST(&flight->riders)->gathered = flight->gathered;
	flight->gathered = 0;
	ask_put(TAILQ_FIRST(&flight->riders), &body);
	return 0;
}

static int
flight_gather(struct flight *flight, const char *bytes, size_t len)
{
	struct response_builder *builder = &flight->builder;

	if (sizeof(struct stored_response) + buf_len(&builder->head) +
		    buf_len(&builder->selecting) + buf_len(&builder->body) +
		    len >
		builder->most ||
	    flights_are_full(flight->flights, len))
		return flight_overflow(flight);
	flight->gathered += len;
	flight->flights->gathered += len;
	response_add(builder, bytes, len);
	return builder->failed ? -1 : 1;
}

static int
flight_on_body(void *arg, const char *bytes, size_t len)
{
	struct flight *flight = arg;
	int result;

	if (flight->use == FLIGHT_RENEWS || flight->use == FLIGHT_COVERS)
		return 1;
	if (flight->use == FLIGHT_FOLLOWS) {
		/* A short one leaves the connection for what comes next. */
		flight->skipped += len;
		return flight->skipped > ASK_ROOM ? -1 : 1;
	}
	if (flight->use == FLIGHT_GATHERS) {
		result = flight_gather(flight, bytes, len);
		if (result != 0)
			return result;
	}
	if (TAILQ_EMPTY(&flight->riders))
		return -1;
	result = ask_add(TAILQ_FIRST(&flight->riders), bytes, len);
	flight->is_paused = result == 0;
	flight->was_paused |= flight->is_paused;
	return result;
}

const struct transfer_events flight_events = {flight_on_head, flight_on_body};

/*
 * The end.
 */

void
flight_give(
    struct flight *flight, struct stored_response *whole, enum ask_cache cache)
{
	struct ask *ask;

	TAILQ_FOREACH (ask, &flight->riders, ride)
		ask_give(ask, whole, cache);
}

static void
flight_deliver_gathered(struct flight *flight)
{
	const struct ask *ask = flight_first(flight);
	struct stored_response *whole = response_finish(&flight->builder);

	if (!whole) {
		flight_fail(flight, UPSTREAM_FAULT_MEMORY, 0);
		return;
	}
	if (ask)
		flight_store(flight, ask, whole);
	flight_give(flight, whole, ASK_MISS);
	response_unref(whole);
	flight_end(flight);
}

/* Who gets it as it comes may ride on one that was to refresh. */
void
flight_finish(struct flight *flight, bool is_cut)
{
	struct ask *first = TAILQ_FIRST(&flight->riders);

	if (first)
		ask_finish(first, is_cut);
}

void
flight_deliver(struct flight *flight)
{
	struct ask *ask;

	switch (flight->use) {
	case FLIGHT_GATHERS:
		flight_deliver_gathered(flight);
		return;
	case FLIGHT_RENEWS:
		flight_give(flight, flight->stored, ASK_HIT);
		break;
	case FLIGHT_COVERS:
		TAILQ_FOREACH (ask, &flight->riders, ride)
			flight_refuse_other(flight, ask);
		break;
	case FLIGHT_FOLLOWS:
		flight_follow(flight);
		return;
	case FLIGHT_STREAMS:
		flight_finish(flight, false);
		break;
	}
	flight_end(flight);
}
