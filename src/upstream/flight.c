/*
 * Job: takes a request from its ask to the upstream, and the response back.
 * Invariant: a flight is freed in flight_end() only, never within a callback of
 * its transfer, and not while its check is with the store.
 * The heart: flight_set_state() and the calls that lead from one state to the
 * next: flight_start(), flight_charge(), flight_send(),
 * flight_on_transferred().
 */
#include "upstream/flight.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "net/timer.h"
#include "upstream/transfer.h"

#include <assert.h>
#include <stdlib.h>

/* The first retry comes after about so long, the next after twice that. */
#define RETRY_US INT64_C(50000)

/**
 *   QUEUED --a place is free--> CHARGING --allowed--> SENT --> (over)
 *                                  ^                   |
 *                                  |---- PAUSED <------|
 *
 * X(NAME, TO(a state that may follow) | ...)
 */
#define FLIGHT_STATES(X)                                                       \
	X(QUEUED, TO(CHARGING))            /* max_connections are out */       \
	X(CHARGING, TO(SENT))              /* asks its limits */               \
	X(SENT, TO(PAUSED))                /* a transfer of libcurl */         \
	X(PAUSED, TO(CHARGING) | TO(SENT)) /* until it is tried again */

enum flight_state {
#define X(name, next) FLIGHT_##name,
	FLIGHT_STATES(X)
#undef X
};

struct flight {
	struct flights *flights;
	TAILQ_ENTRY(flight) all;
	TAILQ_ENTRY(flight) queued;
	struct upstream *upstream; /* a reference */
	struct ask *ask;           /* NULL: its client is gone */
	enum flight_state state;
	bool has_place; /* counted in upstream->active */
	bool is_probe;  /* the breaker waits for what becomes of it */
	bool is_paused; /* the client takes no more just now */
	int64_t tries;
	int64_t until_us; /* it must have gone out by then */
	struct check check;
	struct timer timer; /* of the state it is in */
	struct transfer transfer;
};

static void flight_charge(struct flight *flight);
static void flight_send(struct flight *flight);
static void flight_on_timer(void *arg);

static void
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
	upstream->is_taking = true;
	while ((next = TAILQ_FIRST(&upstream->queue)) &&
	       (int64_t)upstream->active < upstream->options.max_connections) {
		TAILQ_REMOVE(&upstream->queue, next, queued);
		flight_charge(next);
	}
	upstream->is_taking = false;
}

/* Free it. */
static void
flight_end(struct flight *flight)
{
	struct upstream *upstream = flight->upstream;

	if (flight->ask)
		flight->ask->flight = NULL;
	if (flight->is_probe)
		breaker_forget(&upstream->breaker);
	if (flight->state == FLIGHT_QUEUED && !flight->has_place)
		TAILQ_REMOVE(&upstream->queue, flight, queued);
	upstream->active -= flight->has_place;
	timer_stop(&flight->timer);
	transfer_close(&flight->transfer, flight->flights->curl);
	check_end(&flight->check);
	TAILQ_REMOVE(&flight->flights->all, flight, all);
	free(flight);
	flight_take_next(upstream);
	upstream_unref(upstream);
}

static void
flight_fail(struct flight *flight, enum upstream_fault fault, int64_t retry_us)
{
	if (flight->ask)
		ask_fail(flight->ask, fault, retry_us);
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
	if (was_closed && upstream->breaker.open_until_us != 0)
		log_warning("upstream %s failed %lld times in a row: nothing "
			    "but a probe goes there for the next %lld s",
		    upstream->options.name,
		    (long long)upstream->breaker.failures,
		    (long long)(upstream->options.pause_us / 1000000));
	if (!was_closed && upstream->breaker.open_until_us == 0)
		log_info("upstream %s responds again", upstream->options.name);
}

/*
 * Its limits.
 */

static void
flight_on_decided(struct flight *flight)
{
	const struct check *check = &flight->check;

	if (flight->flights->ending)
		flight_fail(flight, UPSTREAM_FAULT_ENDING, 0);
	else if (!flight->ask)
		flight_end(flight);
	else if (check->outcome != OUTCOME_DECISION)
		flight_fail(flight,
		    check->outcome == OUTCOME_NOLIMIT ? UPSTREAM_FAULT_UNMATCHED
						      : UPSTREAM_FAULT_MEMORY,
		    0);
	else if (!check->decision.allowed) {
		UPSTREAM_COUNT(flight->upstream, refused);
		flight_fail(
		    flight, UPSTREAM_FAULT_LIMITED, check->decision.retry_us);
	} else {
		check_end(&flight->check);
		flight_send(flight);
	}
}

static void
flight_on_check(struct check *check)
{
	flight_on_decided(CONTAINER_OF(check, struct flight, check));
}

/* It has a place among those that are out: charge it. */
static void
flight_charge(struct flight *flight)
{
	struct upstream *upstream = flight->upstream;
	int64_t retry_us = 0;

	upstream->active += !flight->has_place;
	flight->has_place = true;
	flight_set_state(flight, FLIGHT_CHARGING);
	if (!flight->is_probe &&
	    !breaker_allows(&upstream->breaker, gate_now(flight->flights->gate),
		&retry_us)) {
		UPSTREAM_COUNT(upstream, refused);
		flight_fail(flight, UPSTREAM_FAULT_OPEN, retry_us);
		return;
	}
	flight->is_probe = upstream->breaker.probing;
	if (upstream->key_count == 0) {
		flight_send(flight);
		return;
	}
	check_add_keys(&flight->check, OP_CONSUME, upstream->key_list,
	    upstream->key_count);
	if (check_start(&flight->check))
		flight_on_decided(flight);
}

/*
 * The transfer.
 */

/* The head has come: the client gets it, and the body as it comes. */
static void
flight_on_head(void *arg, struct upstream_head *head, int64_t length)
{
	struct flight *flight = arg;

	timer_stop(&flight->timer);
	if (flight->ask)
		ask_begin(flight->ask, head->status, &head->lines, length);
}

static int
flight_on_body(void *arg, const char *bytes, size_t len)
{
	struct flight *flight = arg;
	int result = flight->ask ? ask_add(flight->ask, bytes, len) : -1;

	flight->is_paused = result == 0;
	return result;
}

static void
flight_send(struct flight *flight)
{
	static const struct transfer_events events = {
	    flight_on_head, flight_on_body};

	flight_set_state(flight, FLIGHT_SENT);
	flight->tries++;
	if (transfer_open(&flight->transfer, flight->flights->curl, flight->ask,
		&events, flight) == -1) {
		flight_fail(flight, UPSTREAM_FAULT_MEMORY, 0);
		return;
	}
	UPSTREAM_COUNT(flight->upstream, sent);
	timer_set(&flight->timer, flight->upstream->options.timeout_us);
}

/* Whether it may be sent once more: nothing of the response has come, and the
 * server may be asked twice. */
static bool
flight_may_retry(const struct flight *flight)
{
	return flight->ask && ask_is_safe(flight->ask) &&
	       flight->tries <= flight->upstream->options.retries &&
	       !flight->flights->ending;
}

static void
flight_pause(struct flight *flight)
{
	int64_t most_us = RETRY_US << flight->tries;

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
	transfer_say(transfer, flight->upstream, result);
	flight_note(
	    flight, end != TRANSFER_FINE || transfer->head.status >= 500);
	if (end == TRANSFER_LOST && flight_may_retry(flight)) {
		flight_pause(flight);
		return;
	}
	if (end == TRANSFER_FINE || end == TRANSFER_CUT) {
		if (flight->ask)
			ask_finish(flight->ask, end == TRANSFER_CUT);
		flight_end(flight);
		return;
	}
	flight_fail(flight,
	    end == TRANSFER_BAD    ? UPSTREAM_FAULT_BAD
	    : end == TRANSFER_LATE ? UPSTREAM_FAULT_TIMEOUT
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
		flight_fail(flight, UPSTREAM_FAULT_BUSY, 1000000);
		break;
	case FLIGHT_SENT:
		flight_note(flight, true);
		flight_fail(flight, UPSTREAM_FAULT_TIMEOUT, 0);
		break;
	case FLIGHT_PAUSED:
		/* What was not delivered for sure was charged for nothing. */
		flight_charge(flight);
		break;
	case FLIGHT_CHARGING:
		break;
	}
}

void
flight_start(struct flights *flights, struct ask *ask)
{
	struct upstream *upstream = ask->upstream;
	struct flight *flight = calloc(1, sizeof(*flight));

	if (!flight || flights->ending) {
		free(flight);
		ask_fail(ask,
		    flight ? UPSTREAM_FAULT_ENDING : UPSTREAM_FAULT_MEMORY, 0);
		return;
	}
	flight->flights = flights;
	flight->upstream = upstream_ref(upstream);
	flight->ask = ask;
	ask->flight = flight;
	TAILQ_INSERT_TAIL(&flights->all, flight, all);
	check_init(&flight->check, flights->gate, flight_on_check);
	timer_init(&flight->timer, flights->loop, flight_on_timer, flight);
	UPSTREAM_COUNT(upstream, requests);
	TAILQ_INSERT_TAIL(&upstream->queue, flight, queued);
	timer_set(&flight->timer, upstream->options.max_wait_us);
	flight_take_next(upstream);
}

void
flight_go_on(struct flight *flight)
{
	if (flight->is_paused && flight->state == FLIGHT_SENT) {
		flight->is_paused = false;
		transfer_go_on(&flight->transfer);
	}
}

void
flight_leave(struct flight *flight)
{
	flight->ask->flight = NULL;
	flight->ask = NULL;
	if (flight->state != FLIGHT_CHARGING)
		flight_end(flight);
}

void
flights_clear(struct flights *flights)
{
	struct flight *flight;

	flights->ending = true;
	while ((flight = TAILQ_FIRST(&flights->all)))
		flight_fail(flight, UPSTREAM_FAULT_ENDING, 0);
}
