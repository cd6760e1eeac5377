/*
 * Job: a lease of each key, for one flight: taken, renewed, given back.
 * Invariant: it is freed in flight_hold_finish() or flight_hold_end(), and only
 * while the store is not asked; only the first of a line asks again.
 * The heart: flight_hold_run() asks about one key after the other,
 * flight_hold_finish() says what is next.
 */
#include "upstream/flight_hold.h"

#include "base/random.h"
#include "limit/leases.h"
#include "upstream/flight_internal.h"

#include <assert.h>
#include <stdlib.h>

/* The first of a line asks again after about so long, if nothing happens. */
#define POLL_US INT64_C(50000)

/* A daemon that gives back and takes at once would leave nothing to others,
 * which only ask now and then: once in TURN_US it takes nothing for longer than
 * they pause. */
#define TURN_US  INT64_C(2000000)
#define YIELD_US INT64_C(80000)

/* A lease is renewed after a third of it, but not more often than that. */
#define RENEW_MIN_US INT64_C(100000)

/* What Redis could not take back is given back again after about so long. */
#define OWE_US INT64_C(500000)

/**
 *  NEW --> TAKING --all--> HELD <--> RENEWING
 *   |      ^    |           |
 *   |      |    |one is     |its flight is over
 *   v      |    |full       v
 *  LINED --+<---+-- RETURNING, RELEASING <--> OWING
 *
 * X(NAME, what its keys are asked (OP_PEEK: nothing), TO(a state that may
 * follow) | ...)
 */
#define HOLD_STATES(X)                                                         \
	X(NEW, OP_PEEK, TO(TAKING) | TO(LINED))                                \
	X(LINED, OP_PEEK, TO(TAKING) | TO(RELEASING))                          \
	X(TAKING, OP_HOLD, TO(HELD) | TO(RETURNING) | TO(RELEASING))           \
	X(RETURNING, OP_RELEASE, TO(LINED) | TO(RELEASING))                    \
	X(HELD, OP_PEEK, TO(RENEWING) | TO(RELEASING))                         \
	X(RENEWING, OP_HOLD, TO(HELD) | TO(RELEASING))                         \
	X(RELEASING, OP_RELEASE, TO(OWING))                                    \
	X(OWING, OP_PEEK, TO(RELEASING))

enum flight_hold_state {
#define X(name, op, next) HOLD_##name,
	HOLD_STATES(X)
#undef X
};

struct flight_hold {
	struct flights *flights;
	struct upstream *upstream; /* a reference */
	struct flight *flight;     /* NULL: it is over */
	uint64_t name;

	/* its keys, a bit for each */
	unsigned keys;
	unsigned held;
	unsigned owed;         /* Redis has its lease, as far as is known */
	int64_t owed_until_us; /* these are over by then */

	/* on its way */
	enum flight_hold_state state;
	unsigned at;         /* the key that is asked about */
	bool is_full;        /* one of them is, as this round of asking found */
	int64_t retry_us;    /* as the store said then */
	int64_t shortest_us; /* lease of those that it has */
	struct check check;
	struct timer timer; /* LINED: it asks again; HELD: it renews; OWING: it
			     * gives back */

	/* in the line */
	TAILQ_ENTRY(flight_hold) line; /* OWING: in flights->owing */
	bool is_lined;
	bool is_yielding; /* it leaves what is given back to other daemons */
	bool was_woken;   /* something was given back while it asked */
};

static void flight_hold_run(struct flight_hold *hold);

static const enum op flight_hold_ops[] = {
#define X(name, op, next) [HOLD_##name] = op,
    HOLD_STATES(X)
#undef X
};

static void
flight_hold_set_state(struct flight_hold *hold, enum flight_hold_state state)
{
	static const unsigned next[] = {
#define TO(name)          (1u << HOLD_##name)
#define X(name, op, next) [HOLD_##name] = next,
	    HOLD_STATES(X)
#undef X
#undef TO
	};

	assert(next[hold->state] & (1u << state));
	if (hold->state == HOLD_OWING)
		TAILQ_REMOVE(&hold->flights->owing, hold, line);
	hold->state = state;
	hold->at = 0;
	timer_stop(&hold->timer);
}

bool
flight_hold_is_asking(const struct flight_hold *hold)
{
	return flight_hold_ops[hold->state] != OP_PEEK;
}

unsigned
flight_hold_keys(const struct flight_hold *hold)
{
	return hold ? hold->held : 0;
}

unsigned
flight_hold_find_keys(struct gate *gate, const struct upstream *upstream)
{
	unsigned keys = 0;

	for (unsigned i = 0; i < upstream->key_count; i++)
		if (check_key_has_leases(gate, &upstream->key_list[i]))
			keys |= 1u << i;
	return keys;
}

/*
 * The line.
 */

static void
flight_hold_take(struct flight_hold *hold)
{
	flight_hold_set_state(hold, HOLD_TAKING);
	hold->is_full = hold->was_woken = false;
	flight_hold_run(hold);
}

/* Have the first ask, and the next, until one has to pause. */
static void
flight_hold_advance(struct upstream *upstream)
{
	struct flight_hold *first;

	if (upstream->line_moves)
		return;
	upstream_ref(upstream); /* the last of a removed one may end */
	upstream->line_moves = true;
	while ((first = TAILQ_FIRST(&upstream->line)) &&
	       first->state == HOLD_LINED && !timer_is_set(&first->timer) &&
	       !first->flights->ending)
		flight_hold_take(first);
	upstream->line_moves = false;
	upstream_unref(upstream);
}

static void
flight_hold_line_up(struct flight_hold *hold)
{
	struct upstream *upstream = hold->upstream;

	if (hold->is_lined)
		return;
	if (TAILQ_EMPTY(&upstream->line))
		upstream->line_since_us = gate_now(hold->flights->gate);
	TAILQ_INSERT_TAIL(&upstream->line, hold, line);
	hold->is_lined = true;
}

static void
flight_hold_leave_line(struct flight_hold *hold)
{
	if (!hold->is_lined)
		return;
	TAILQ_REMOVE(&hold->upstream->line, hold, line);
	hold->is_lined = false;
	flight_hold_advance(hold->upstream);
}

/* Something was given back: the first may have it, unless it is the turn of
 * other daemons. */
static void
flight_hold_wake(struct upstream *upstream)
{
	struct flight_hold *first = TAILQ_FIRST(&upstream->line);
	int64_t now_us = first ? gate_now(first->flights->gate) : 0;

	if (!first || first->is_yielding)
		return;
	first->was_woken = true;
	if (first->state != HOLD_LINED)
		return;
	first->is_yielding = now_us - upstream->line_since_us >= TURN_US;
	if (first->is_yielding) {
		upstream->line_since_us = now_us;
		timer_set(&first->timer, YIELD_US);
		return;
	}
	timer_stop(&first->timer);
	flight_hold_advance(upstream);
}

/* It was full. */
static void
flight_hold_pause(struct flight_hold *hold)
{
	int64_t left_us =
	    hold->flight->until_us - gate_now(hold->flights->gate);

	flight_hold_set_state(hold, HOLD_LINED);
	if (hold->retry_us == RETRY_NEVER || left_us <= 0) {
		flight_on_full(hold->flight, hold->retry_us);
		return;
	}
	flight_hold_line_up(hold);
	if (TAILQ_FIRST(&hold->upstream->line) == hold)
		timer_set(
		    &hold->timer, hold->was_woken ? 0 : random_near(POLL_US));
}

/*
 * Asking.
 */

/* Its flight goes on, and it renews its leases now and then.  One that ended by
 * time while the store was away is asked for again each time. */
static void
flight_hold_rest(struct flight_hold *hold)
{
	int64_t pause_us = hold->shortest_us / 3;

	flight_hold_set_state(hold, HOLD_HELD);
	if (hold->held)
		timer_set(&hold->timer,
		    pause_us > RENEW_MIN_US ? pause_us : RENEW_MIN_US);
}

/* The keys that are to be given back. */
static unsigned
flight_hold_due_keys(const struct flight_hold *hold)
{
	bool is_over = gate_now(hold->flights->gate) >= hold->owed_until_us;

	return hold->held | (is_over ? 0 : hold->owed);
}

/* The keys that are asked about in this state. */
static unsigned
flight_hold_asked_keys(const struct flight_hold *hold)
{
	if (hold->flights->ending)
		return 0;
	if (flight_hold_ops[hold->state] == OP_RELEASE)
		return flight_hold_due_keys(hold);
	if (!hold->flight || hold->is_full)
		return 0;
	return hold->state == HOLD_TAKING ? hold->keys & ~hold->held
					  : hold->held;
}

/* Ask about the next key.  Return whether there is one. */
static bool
flight_hold_find(struct flight_hold *hold)
{
	unsigned keys = flight_hold_asked_keys(hold);

	while (hold->at < CHECK_KEYS_MAX && !(keys & 1u << hold->at))
		hold->at++;
	return hold->at < CHECK_KEYS_MAX;
}

/* Return whether it is decided already. */
static bool
flight_hold_ask(struct flight_hold *hold)
{
	const struct check_key *key = &hold->upstream->key_list[hold->at];

	check_add(&hold->check, flight_hold_ops[hold->state], key->bytes,
	    key->len, key->amount);
	check_name_lease(&hold->check, hold->name);
	return check_start(&hold->check);
}

static void
flight_hold_note_taken(struct flight_hold *hold, unsigned key)
{
	const struct check *check = &hold->check;

	if (check->outcome != OUTCOME_DECISION) {
		/* Its limit has changed, and has no leases any more. */
		hold->keys &= ~key;
	} else if (check->decision.allowed) {
		hold->held |= key;
		if (check->limit && check->limit->window_us < hold->shortest_us)
			hold->shortest_us = check->limit->window_us;
	} else {
		hold->is_full = true;
		hold->retry_us = check->decision.retry_us;
	}
}

/* What on_error decides while Redis is away changes nothing there. */
static void
flight_hold_note_owed(struct flight_hold *hold, unsigned key)
{
	const struct check *check = &hold->check;
	int64_t until_us;

	if (check->decided_by != DECIDED_BY_REDIS)
		return;
	hold->owed &= ~key;
	if (flight_hold_ops[hold->state] != OP_HOLD || !check->limit ||
	    !check->decision.allowed)
		return;
	hold->owed |= key;
	until_us = gate_now(hold->flights->gate) + check->limit->window_us;
	if (until_us > hold->owed_until_us)
		hold->owed_until_us = until_us;
}

/* One is decided. */
static void
flight_hold_note(struct flight_hold *hold)
{
	unsigned key = 1u << hold->at++;

	flight_hold_note_owed(hold, key);
	if (hold->state == HOLD_TAKING)
		flight_hold_note_taken(hold, key);
	else if (flight_hold_ops[hold->state] == OP_RELEASE)
		hold->held &= ~key;
	check_end(&hold->check);
}

static void
flight_hold_free(struct flight_hold *hold)
{
	timer_stop(&hold->timer);
	upstream_unref(hold->upstream);
	free(hold);
}

/* Redis is away: its leases would else last until their time is up, be that
 * hours.  It had given all of them, so these are few. */
static void
flight_hold_owe(struct flight_hold *hold)
{
	flight_hold_set_state(hold, HOLD_OWING);
	TAILQ_INSERT_TAIL(&hold->flights->owing, hold, line);
	timer_set(&hold->timer, random_near(OWE_US));
}

/* Its flight is over, and the store is not asked. */
static void
flight_hold_give_back(struct flight_hold *hold)
{
	const bool was_released = hold->state == HOLD_RELEASING;
	const bool ending = hold->flights->ending;

	if (was_released && !ending)
		flight_hold_wake(hold->upstream);
	if (ending || !flight_hold_due_keys(hold)) {
		flight_hold_free(hold);
	} else if (was_released) {
		flight_hold_owe(hold);
	} else {
		flight_hold_set_state(hold, HOLD_RELEASING);
		flight_hold_run(hold);
	}
}

static void
flight_hold_on_taken(struct flight_hold *hold)
{
	if (hold->is_full) {
		flight_hold_set_state(hold, HOLD_RETURNING);
		flight_hold_run(hold);
		return;
	}
	flight_hold_rest(hold);
	flight_hold_leave_line(hold);
	flight_on_held(hold->flight);
}

/* All are asked. */
static void
flight_hold_finish(struct flight_hold *hold)
{
	if (!hold->flight)
		flight_hold_give_back(hold);
	else if (hold->state == HOLD_TAKING)
		flight_hold_on_taken(hold);
	else if (hold->state == HOLD_RETURNING)
		flight_hold_pause(hold);
	else if (hold->state == HOLD_RENEWING)
		flight_hold_rest(hold);
}

static void
flight_hold_run(struct flight_hold *hold)
{
	while (flight_hold_find(hold)) {
		if (!flight_hold_ask(hold))
			return; /* it is called again */
		flight_hold_note(hold);
	}
	flight_hold_finish(hold);
}

static void
flight_hold_on_check(struct check *check)
{
	struct flight_hold *hold =
	    CONTAINER_OF(check, struct flight_hold, check);

	flight_hold_note(hold);
	flight_hold_run(hold);
}

static void
flight_hold_on_timer(void *arg)
{
	struct flight_hold *hold = arg;

	hold->is_yielding = false;
	if (hold->state == HOLD_LINED) {
		flight_hold_advance(hold->upstream);
		return;
	}
	flight_hold_set_state(
	    hold, hold->flight ? HOLD_RENEWING : HOLD_RELEASING);
	flight_hold_run(hold);
}

/*
 * The calls of the header.
 */

int
flight_hold_start(struct flight *flight, unsigned keys)
{
	struct flights *flights = flight->flights;
	struct flight_hold *hold = calloc(1, sizeof(*hold));
	char id[16];

	if (!hold)
		return -1;
	random_fill(id, sizeof(id));
	hold->flights = flights;
	hold->upstream = upstream_ref(flight->upstream);
	hold->flight = flight;
	hold->name = lease_name(id, sizeof(id));
	hold->keys = keys;
	hold->shortest_us = INT64_MAX;
	check_init(&hold->check, flights->gate, flight_hold_on_check);
	timer_init(&hold->timer, flights->loop, flight_hold_on_timer, hold);
	flight->hold = hold;
	if (TAILQ_EMPTY(&hold->upstream->line)) {
		flight_hold_take(hold);
		return 0;
	}
	flight_hold_set_state(hold, HOLD_LINED);
	flight_hold_line_up(hold);
	return 0;
}

void
flight_hold_end(struct flight_hold *hold)
{
	if (!hold)
		return;
	hold->flight = NULL;
	flight_hold_leave_line(hold);
	if (!flight_hold_is_asking(hold))
		flight_hold_give_back(hold);
}

void
flight_hold_clear(struct flights *flights)
{
	struct flight_hold *hold;

	while ((hold = TAILQ_FIRST(&flights->owing))) {
		TAILQ_REMOVE(&flights->owing, hold, line);
		flight_hold_free(hold);
	}
}
