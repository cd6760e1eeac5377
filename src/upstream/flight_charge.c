/*
 * Job: asks the limits of a request before it goes out: leases first, which
 * cost nothing if they are given back, then what is used up for good.
 * Invariant: what is not sent was not charged, unless its client left, or a
 * block came, while it waited.
 * The heart: flight_charge(), flight_on_held(), flight_on_decided().
 */
#include "upstream/flight_internal.h"

#include "base/random.h"

/* It goes out by an answer about blocks that is no older than this, and the
 * time that the answer took. */
#define LOOK_US INT64_C(10000)

static void flight_ask_limits(struct flight *flight);
static void flight_on_decided(struct flight *flight);

/* Hold it back, and end it. */
static void
flight_refuse(
    struct flight *flight, enum upstream_fault fault, int64_t retry_us)
{
	UPSTREAM_COUNT(flight->upstream, refused);
	flight_fail(flight, fault, retry_us);
}

/* Whether the upstream, or how it fails, holds it back: it is over then. */
static bool
flight_is_stopped(struct flight *flight)
{
	struct upstream *upstream = flight->upstream;
	int64_t now_us = gate_now(flight->flights->gate);
	int64_t retry_us = 0;

	if (now_us < upstream->blocked_until_us) {
		flight_refuse(flight, UPSTREAM_FAULT_BLOCKED,
		    upstream->blocked_until_us - now_us);
		return true;
	}
	if (!flight->is_probe &&
	    !breaker_allows(&upstream->breaker, now_us, &retry_us)) {
		flight_refuse(flight, UPSTREAM_FAULT_OPEN, retry_us);
		return true;
	}
	flight->is_probe = upstream->breaker.probing;
	return false;
}

/* Several keys have no queue: they are asked again once they may have room.
 * Return whether there is time for that. */
static bool
flight_ask_later(struct flight *flight, int64_t retry_us)
{
	int64_t left_us = flight->until_us - gate_now(flight->flights->gate);

	if (flight->charged < 2 || retry_us <= 0 || retry_us > left_us)
		return false;
	check_end(&flight->check);
	flight_set_state(flight, FLIGHT_PAUSED);
	timer_set(&flight->timer, retry_us + random_below(FLIGHT_RETRY_US));
	return true;
}

/* Ask whether its keys are blocked: what another daemon was told counts. */
static void
flight_ask_block(struct flight *flight)
{
	const struct upstream *upstream = flight->upstream;

	flight->asks_block = true;
	flight->looked_us = gate_now(flight->flights->gate);
	check_add_keys(
	    &flight->check, OP_PEEK, upstream->block_list, upstream->key_count);
	if (check_start(&flight->check))
		flight_on_decided(flight);
}

static void
flight_on_looked(struct flight *flight)
{
	struct upstream *upstream = flight->upstream;
	const struct check *check = &flight->check;
	int64_t retry_us = check->decision.retry_us;

	if (!check->decision.allowed &&
	    check->decided_by != DECIDED_BY_FALLBACK) {
		upstream_note_block(
		    upstream, gate_now(flight->flights->gate) + retry_us);
		flight_refuse(flight, UPSTREAM_FAULT_BLOCKED, retry_us);
		return;
	}
	check_end(&flight->check);
	if (flight->is_charged)
		flight_send(flight);
	else
		flight_ask_limits(flight);
}

static void
flight_on_charged(struct flight *flight)
{
	int64_t now_us = gate_now(flight->flights->gate);

	flight->is_charged = true;
	if (now_us - flight->looked_us > LOOK_US)
		flight_ask_block(flight);
	else
		flight_send(flight);
}

static void
flight_on_decided(struct flight *flight)
{
	const struct check *check = &flight->check;

	if (flight->flights->ending)
		flight_fail(flight, UPSTREAM_FAULT_ENDING, 0);
	else if (!flight_first(flight))
		flight_end(flight);
	else if (check->outcome != OUTCOME_DECISION)
		flight_fail(flight,
		    check->outcome == OUTCOME_NOLIMIT ? UPSTREAM_FAULT_UNMATCHED
						      : UPSTREAM_FAULT_MEMORY,
		    0);
	else if (flight->asks_block)
		flight_on_looked(flight);
	else if (check->decision.allowed) {
		check_end(&flight->check);
		flight_on_charged(flight);
	} else if (!flight_ask_later(flight, check->decision.retry_us))
		flight_refuse(
		    flight, UPSTREAM_FAULT_LIMITED, check->decision.retry_us);
}

void
flight_on_check(struct check *check)
{
	flight_on_decided(CONTAINER_OF(check, struct flight, check));
}

/* One key is waited for; several have room now, or not. */
static void
flight_add_keys(struct flight *flight)
{
	const struct upstream *upstream = flight->upstream;
	int64_t wait_us = flight->until_us - gate_now(flight->flights->gate);
	struct check_key keys[CHECK_KEYS_MAX];
	unsigned held = flight_hold_keys(flight->hold), count = 0;

	for (unsigned i = 0; i < upstream->key_count; i++)
		if (!(held & 1u << i))
			keys[count++] = upstream->key_list[i];
	flight->charged = count;
	if (count == 1)
		check_add_wait(&flight->check, keys->bytes, keys->len, 1,
		    wait_us > 0 ? wait_us : 0);
	else if (count > 1)
		check_add_keys(&flight->check, OP_CONSUME, keys, count);
}

static void
flight_ask_limits(struct flight *flight)
{
	flight->asks_block = false;
	flight_add_keys(flight);
	if (flight->charged == 0)
		flight_on_charged(flight);
	else if (check_start(&flight->check))
		flight_on_decided(flight);
}

void
flight_on_held(struct flight *flight)
{
	if (flight->flights->ending) {
		flight_fail(flight, UPSTREAM_FAULT_ENDING, 0);
		return;
	}
	if (flight_is_stopped(flight)) /* while it waited */
		return;
	flight_set_state(flight, FLIGHT_CHARGING);
	flight->is_charged = false;
	if (flight->upstream->key_count == 0)
		flight_send(flight);
	else
		flight_ask_block(flight);
}

void
flight_on_full(struct flight *flight, int64_t retry_us)
{
	/* Leases are mostly given back long before they end. */
	flight_refuse(flight, UPSTREAM_FAULT_LIMITED,
	    retry_us < FLIGHT_BUSY_US ? retry_us : FLIGHT_BUSY_US);
}

void
flight_charge(struct flight *flight)
{
	struct upstream *upstream = flight->upstream;
	struct gate *gate = flight->flights->gate;
	unsigned keys =
	    flight->hold ? 0 : flight_hold_find_keys(gate, upstream);

	upstream->active += !flight->has_place;
	flight->has_place = true;
	flight_set_state(flight, FLIGHT_HOLDING);
	if (keys == 0) {
		flight_on_held(flight);
		return;
	}
	if (flight_is_stopped(flight))
		return;
	timer_set(&flight->timer, flight->until_us - gate_now(gate));
	if (flight_hold_start(flight, keys) == -1)
		flight_fail(flight, UPSTREAM_FAULT_MEMORY, 0);
}
