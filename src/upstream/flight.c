/*
 * Job: takes a request from its ask to the upstream, and the response back.
 * Invariant: a flight is freed in flight_end() only, never within a callback of
 * its transfer, and not while its check is with the store.
 * The heart: flight_set_state() and the calls that lead from one state to the
 * next: flight_start(), flight_charge(), which has flight_charge.c to itself,
 * flight_send(), flight_on_transferred().
 */
#include "upstream/flight_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "upstream/block.h"

#include <assert.h>
#include <stdlib.h>

void
flight_set_state(struct flight *flight, enum flight_state state)
{
	static const unsigned next[] = {
#define TO(name)      (1u << FLIGHT_##name)
#define X(name, next) [FLIGHT_##name] = next,
	    FLIGHT_STATES(X)
#undef X
#undef TO
	};

	assert(state == flight->state || next[flight->state] & (1u << state));
	flight->upstream->out += state == FLIGHT_SENT;
	flight->upstream->out -= flight->state == FLIGHT_SENT;
	flight->state = state;
	timer_stop(&flight->timer);
}

/* Take those out of the queue for which there is a place.  One that fails at
 * once calls this again. */
static void
flight_take_next(struct upstream *upstream)
{
	struct flight *next;

	if (upstream->is_taking)
		return;
	upstream_ref(upstream); /* the last flight of a removed one may end */
	upstream->is_taking = true;
	while ((next = TAILQ_FIRST(&upstream->queue)) &&
	       !next->flights->ending &&
	       (int64_t)upstream->active < upstream->options.max_connections) {
		TAILQ_REMOVE(&upstream->queue, next, queued);
		flight_charge(next);
	}
	upstream->is_taking = false;
	upstream_unref(upstream);
}

/* None of its riders is to touch it any more. */
static void
flight_let_go(struct flight *flight)
{
	struct ask *ask;

	while ((ask = TAILQ_FIRST(&flight->riders))) {
		TAILQ_REMOVE(&flight->riders, ask, ride);
		ask->flight = NULL;
	}
	if (flight->refresh)
		ask_free(flight->refresh);
}

void
flight_end(struct flight *flight)
{
	struct upstream *upstream = flight->upstream;
	struct flight_hold *hold = flight->hold;

	flight_close(flight);
	if (flight->is_probe)
		breaker_forget(&upstream->breaker);
	if (flight->state == FLIGHT_QUEUED && !flight->has_place)
		TAILQ_REMOVE(&upstream->queue, flight, queued);
	upstream->active -= flight->has_place;
	upstream->out -= flight->state == FLIGHT_SENT;
	upstream->under_way--;
	timer_stop(&flight->timer);
	cache_lookup_cancel(&flight->lookup);
	transfer_close(&flight->transfer, flight->flights->curl);
	check_end(&flight->check);
	response_abandon(&flight->builder);
	buf_free(&flight->target);
	flight->flights->gathered -= flight->gathered;
	response_unref(flight->stored);
	flight_let_go(flight);
	TAILQ_REMOVE(&flight->flights->all, flight, all);
	free(flight);
	flight_hold_end(hold);
	flight_take_next(upstream);
	upstream_unref(upstream);
}

/* Whether what is stored may take the place of an error, for this rider. */
static bool
flight_covers(const struct flight *flight, const struct ask *ask,
    enum upstream_fault fault)
{
	return flight->stored && fault != UPSTREAM_FAULT_ENDING &&
	       fault != UPSTREAM_FAULT_NOTCACHED &&
	       freshness_covers_error(
		   &flight->stored->freshness, &ask->control, clock_us());
}

void
flight_excuse(const struct flight *flight, struct ask *ask,
    enum upstream_fault fault, int64_t retry_us)
{
	if (!flight_covers(flight, ask, fault)) {
		ask_fail(ask, fault, retry_us);
		return;
	}
	cache_count(flight->upstream->cache, CACHE_stale);
	ask_give(ask, flight->stored, ASK_STALE);
}

void
flight_fail(struct flight *flight, enum upstream_fault fault, int64_t retry_us)
{
	struct ask *ask;

	TAILQ_FOREACH (ask, &flight->riders, ride)
		flight_excuse(flight, ask, fault, retry_us);
	flight_end(flight);
}

/* What became of a request that went out. */
static void
flight_note(struct flight *flight, bool failed)
{
	struct upstream *upstream = flight->upstream;
	bool was_closed = upstream->breaker.open_until_us == 0;

	flight->is_probe = false;
	if (failed)
		UPSTREAM_COUNT(upstream, failed);
	breaker_note(&upstream->breaker, failed, upstream->options.failures,
	    upstream->options.pause_us, gate_now(flight->flights->gate));
	upstream->failing_until_us = upstream->breaker.open_until_us;
	upstream->is_failing = upstream->breaker.open_until_us != 0;
	if (was_closed && upstream->breaker.open_until_us != 0)
		log_warning("upstream %s failed %lld times in a row: nothing "
			    "but a probe goes there for the next %lld s",
		    upstream->options.name,
		    (long long)upstream->breaker.failures,
		    (long long)(upstream->options.pause_us / 1000000));
	if (!was_closed && upstream->breaker.open_until_us == 0)
		log_info("upstream %s responds again", upstream->options.name);
}

/* How long it wants to be left alone. */
static int64_t
flight_block_us(const struct upstream_head *head)
{
	if (head->status == 429 || head->status == 503)
		return head->retry_us > 0 ? head->retry_us : head->reset_us;
	return head->is_used_up ? head->reset_us : 0;
}

static void
flight_note_block(struct flight *flight)
{
	struct upstream *upstream = flight->upstream;
	int64_t block_us = flight_block_us(&flight->transfer.head);
	int64_t now_us = gate_now(flight->flights->gate);
	bool was_blocked = now_us < upstream->blocked_until_us;

	if (now_us + block_us <= upstream->blocked_until_us || block_us == 0)
		return;
	upstream->blocked_until_us = now_us + block_us;
	block_start(flight->flights, upstream, block_us);
	if (!was_blocked)
		log_info("upstream %s wants nothing for the next %lld s: "
			 "requests are refused until then",
		    upstream->options.name, (long long)(block_us / 1000000));
}

void
flight_note_head(struct flight *flight)
{
	/* What follows takes as long as its client does to read it. */
	if (flight->is_probe && flight->transfer.head.status < 500)
		flight_note(flight, false);
	flight_note_block(flight);
}

/* Whether the response shows that the upstream fails. */
static bool
flight_has_failed(const struct flight *flight, enum transfer_end end)
{
	const struct upstream_head *head = &flight->transfer.head;

	/* A client that is slow makes it slow. */
	if (flight->is_unwanted || flight->use == FLIGHT_FOLLOWS ||
	    (end == TRANSFER_CUT && flight->was_paused))
		return false;
	return end != TRANSFER_FINE ||
	       (head->status >= 500 && flight_block_us(head) == 0);
}

/*
 * The transfer.
 */

void
flight_send(struct flight *flight)
{
	const struct ask *ask = flight_first(flight);
	const struct transfer_order order = {.ask = ask,
	    .target = flight_asked_target(flight, ask).bytes,
	    .stored = flight->redirects == 0 ? flight->stored : NULL,
	    .events = &flight_events,
	    .arg = flight};

	flight_set_state(flight, FLIGHT_SENT);
	flight->tries++;
	if (transfer_open(&flight->transfer, flight->flights->curl, &order) ==
	    -1) {
		flight_fail(flight, UPSTREAM_FAULT_MEMORY, 0);
		return;
	}
	UPSTREAM_COUNT(flight->upstream, sent);
	timer_set(&flight->timer, flight->upstream->options.timeout_us);
}

void
flight_follow(struct flight *flight)
{
	if (!flight_first(flight)) {
		flight_end(flight);
		return;
	}
	flight->use = FLIGHT_STREAMS;
	flight->tries = 0;
	flight->until_us = gate_now(flight->flights->gate) +
			   flight->upstream->options.max_wait_us;
	flight_charge(flight);
}

/* Whether it may be sent once more: nothing of the response has come, and the
 * server may be asked twice. */
static bool
flight_may_retry(const struct flight *flight)
{
	return flight_first(flight) && ask_is_safe(flight_first(flight)) &&
	       flight->tries <= flight->upstream->options.retries &&
	       !flight->flights->ending;
}

static void
flight_pause(struct flight *flight)
{
	int64_t most_us = FLIGHT_RETRY_US << flight->tries;

	flight_set_state(flight, FLIGHT_PAUSED);
	timer_set(&flight->timer, most_us / 2 + random_below(most_us / 2));
}

void
flight_on_transferred(void *arg, CURLcode result, void *unused)
{
	struct flight *flight = arg;
	struct transfer *transfer = &flight->transfer;
	enum transfer_end end = transfer_end(transfer, result);

	(void)unused;
	if (!flight->is_unwanted)
		transfer_say(transfer, flight->upstream, result);
	flight_note(flight, flight_has_failed(flight, end));
	if (flight->is_unwanted) {
		flight_fail(flight, UPSTREAM_FAULT_MEMORY, 0);
		return;
	}
	if (end == TRANSFER_LOST && flight_may_retry(flight)) {
		flight_pause(flight);
		return;
	}
	if (end == TRANSFER_FINE || flight->use == FLIGHT_FOLLOWS) {
		flight_deliver(flight);
		return;
	}
	if (end == TRANSFER_CUT && flight->use == FLIGHT_STREAMS) {
		flight_finish(flight, true);
		flight_end(flight);
		return;
	}
	flight_fail(flight,
	    end == TRANSFER_BAD || end == TRANSFER_CUT ? UPSTREAM_FAULT_BAD
	    : end == TRANSFER_LATE                     ? UPSTREAM_FAULT_TIMEOUT
						       : UPSTREAM_FAULT_CONNECT,
	    0);
}

/*
 * Time.
 */

static void
flight_on_timer(void *arg)
{
	struct flight *flight = arg;

	switch (flight->state) {
	case FLIGHT_QUEUED:
		UPSTREAM_COUNT(flight->upstream, refused);
		flight_fail(flight, UPSTREAM_FAULT_BUSY, FLIGHT_BUSY_US);
		break;
	case FLIGHT_SENT:
		flight_note(flight, true);
		flight_fail(flight, UPSTREAM_FAULT_TIMEOUT, 0);
		break;
	case FLIGHT_PAUSED:
		/* What was not delivered for sure was charged for nothing. */
		flight_charge(flight);
		break;
	case FLIGHT_HOLDING:
		/* What is being asked decides. */
		if (!flight_hold_is_asking(flight->hold))
			flight_on_full(flight, FLIGHT_BUSY_US);
		break;
	case FLIGHT_LOOKING:
	case FLIGHT_CHARGING:
		break;
	}
}

struct flight *
flight_new(struct flights *flights, struct upstream *upstream)
{
	struct flight *flight = calloc(1, sizeof(*flight));

	if (!flight)
		return NULL;
	flight->flights = flights;
	flight->upstream = upstream_ref(upstream);
	upstream->under_way++;
	TAILQ_INIT(&flight->riders);
	TAILQ_INSERT_TAIL(&flights->all, flight, all);
	check_init(&flight->check, flights->gate, flight_on_check);
	timer_init(&flight->timer, flights->loop, flight_on_timer, flight);
	return flight;
}

void
flight_queue(struct flight *flight)
{
	struct upstream *upstream = flight->upstream;

	flight_set_state(flight, FLIGHT_QUEUED);
	TAILQ_INSERT_TAIL(&upstream->queue, flight, queued);
	flight->until_us =
	    gate_now(flight->flights->gate) + upstream->options.max_wait_us;
	timer_set(&flight->timer, upstream->options.max_wait_us);
	flight_take_next(upstream);
}

void
flight_go_on(struct ask *ask)
{
	struct flight *flight = ask->flight;

	if (flight && flight->is_paused && flight->state == FLIGHT_SENT) {
		flight->is_paused = false;
		transfer_go_on(&flight->transfer);
	}
}

void
flight_abandon(struct flight *flight)
{
	if (flight->state != FLIGHT_CHARGING) {
		flight_end(flight);
		return;
	}
	/* It is not its own yet: it ends once that is decided. */
	flight_close(flight);
	check_stop_waiting(&flight->check);
}
