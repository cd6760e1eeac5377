/**
 * check: one request on its way, from a session to its decision.
 *
 * A check has a query for each bucket that it asks about.  Each goes to the
 * deny cache, then to the store, and where the store cannot decide, on_error
 * does (gate/fallback.h).  A check with several is joint: all its buckets are
 * charged, or none (gate/joint.h).  Knows no protocol, no verbs and no sockets.
 */
#ifndef GATE_CHECK_H
#define GATE_CHECK_H

#include "base/attr.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gate;
struct joint;
struct rules_snapshot;
struct sample;

/** Most keys of one check. */
#define CHECK_KEYS_MAX MATES_MAX

/**
 *   ENDED --add--> OPEN --prepare--> READY --start--> ASKED --> DECIDED
 *     ^                                 |                         ^ |
 *     |                                 |____decided at once______| |
 *     |_______________________________________________end___________|
 *
 * A check is WAITING while its drops are in the bucket, but have no room yet
 * (gate/wait.h); if it gives up its turn, it is ASKED once more.
 *
 * X(NAME, TO(a state that may follow) | ...)
 */
#define CHECK_STATES(X)                                                        \
	X(ENDED, TO(OPEN))               /* holds nothing */                   \
	X(OPEN, TO(READY) | TO(DECIDED)) /* its queries are added */           \
	X(READY, TO(ASKED) | TO(WAITING) | TO(DECIDED)) /* limits are found */ \
	X(ASKED, TO(WAITING) | TO(DECIDED)) /* the store has its queries */    \
	X(WAITING, TO(ASKED) | TO(DECIDED)) /* for its drops to have room */   \
	X(DECIDED, TO(ENDED))               /* its outcome is known */

enum check_state {
#define X(name, next) CHECK_##name,
	CHECK_STATES(X)
#undef X
};

/** How a check ended. */
enum check_outcome {
	OUTCOME_DECISION,    /* ALLOW or DENY */
	OUTCOME_RESET,       /* the bucket was reset */
	OUTCOME_NOLIMIT,     /* no limit matches, and that is an error */
	OUTCOME_UNAVAILABLE, /* the store could not reset the bucket */
	OUTCOME_NOMEMORY,    /* for the limit or the keys that came along */
	OUTCOME_TOOMANY,     /* keys, with those of also */
	OUTCOME_LONGKEY,     /* one of those is longer than KEY_MAX */
	OUTCOME_TAKEALSO,    /* TAKE or a lease of a limit with also */
	OUTCOME_NOLEASE,     /* the limit has none */
	OUTCOME_NOTHELD,     /* what was to be released is not held */
	OUTCOME_UNRELEASED,  /* the store could not release it */
	OUTCOME_OTHERID,     /* its id came with another question before */
	OUTCOME_SPREADID,    /* it has an id, and its keys several places */
	OUTCOME_NOIDS,       /* it has an id, and a bucket has a log */
};

/** Its caller owns it, and must not move it before check_end(). */
struct check {
	/* where it came from */
	struct gate *gate;
	void (*done)(struct check *);
	struct rules_snapshot *snapshot; /* the limits in force then; held */

	/* what it asks */
	struct query query;  /* if there is one only */
	struct joint *joint; /* else; or NULL */
	struct wait *wait;   /* of OP_WAIT, once it is asked; else NULL */
	enum check_state state;
	bool is_alone;         /* without what its limit has in also */
	bool charges_each;     /* of several queries, whatever the others get */
	bool shows_each;       /* as check_show_each() says */
	bool shadow_denied;    /* it is allowed, but only as its limit is in
				* shadow; once DECIDED */
	struct sample *sample; /* its key, if it is looked at; or NULL */

	/* for the client, once DECIDED */
	enum check_outcome outcome;
	enum decided_by decided_by;
	const struct limit *limit; /* NULL: no limit matched */
	struct decision decision;
};

/** Prepare an ENDED check, or one never used.  ${done} is called when it is
 * decided, unless check_start() says so. */
static inline void
check_init(struct check *check, struct gate *gate, void (*done)(struct check *))
{
	check->gate = gate;
	check->done = done;
	check->joint = NULL;
	check->wait = NULL;
	check->state = CHECK_ENDED;
	check->sample = NULL;
}

/** Open the check with its query: ${op} of ${amount} drops on the bucket of a
 * valid key, which is borrowed until check_start() returns. */
void check_add(struct check *check, enum op op, const char *key, size_t key_len,
    int64_t amount);

/** The same: put in ${amount} >= 0 drops that will have room within ${wait_us},
 * or within the time that the limit has as its queue, if that is less; it is
 * decided once they have, or at once, if they will not.  Where there is no
 * time, of a limit in shadow, and where on_error decides, it is OP_CONSUME. */
void check_add_wait(struct check *check, const char *key, size_t key_len,
    int64_t amount, int64_t wait_us);

/** The same of a check with check_add_keys() and OP_CONSUME, before it is
 * prepared: each of its drops will have room within ${wait_us}, or what the
 * limit of its key has as its queue, or at once, if that has none.  If one will
 * not, none goes in.  It is decided once all have. */
void check_set_wait(struct check *check, int64_t wait_us);

/** Its client waits no more: unless its time has come, the check is denied
 * soon, by a call of done, never from within.  It gives its turn back if none
 * came behind it; else the turn is lost.  No-op if it does not wait, and will
 * not. */
void check_stop_waiting(struct check *check);

/** Its query, OP_HOLD or OP_RELEASE, is about the lease of this lease_name().
 */
static inline void
check_name_lease(struct check *check, uint64_t name)
{
	check->query.lease = name;
}

/** Leave out the keys that its limit charges too. */
static inline void
check_keep_alone(struct check *check)
{
	check->is_alone = true;
}

/** Charge each of its queries by itself, where another one denies as well.  The
 * check is allowed if all are. */
static inline void
check_charge_each(struct check *check)
{
	check->charges_each = true;
}

/** Have each of the queries of a peek asked, also where another one decides.  A
 * key of also without a limit has none, whatever [limits] unmatched says; where
 * the keys of also cannot be made, the query stays alone. */
static inline void
check_show_each(struct check *check)
{
	check->charges_each = true;
	check->shows_each = true;
}

/** Have the check, to which its keys were added, and which puts drops in, take
 * place once, however often it comes with this valid id: it gets what it got,
 * within the id_memory of the limit of its first key.  What on_error decides is
 * not remembered.  Without memory for it the check is DECIDED. */
void check_set_id(struct check *check, const char *id, size_t len);

/** A key, valid and borrowed, and what is to be put in its bucket. */
struct check_key {
	const char *bytes;
	size_t len;
	int64_t amount;

	/* the limit that came with it, as limit_init_inline() takes it;
	 * capacity 0: none did, and the key determines it */
	int64_t capacity;
	int64_t recharge_ns;
};

/** Whether OP_HOLD of ${given}, by the limits in force, is about a lease: its
 * limit has leases, and charges no other keys. */
bool check_key_has_leases(struct gate *gate, const struct check_key *given);

/** Open the check with ${count} keys, 1..CHECK_KEYS_MAX, all of which are
 * charged, or none.  Keys may be equal, and amounts add up.  ${op} is
 * OP_CONSUME or OP_PEEK.  Without memory for them the check is DECIDED. */
void check_add_keys(struct check *check, enum op op,
    const struct check_key *keys, unsigned count);

/** Whether a check that was started, and will not wait, asks more than one
 * place: its changes may come one after the other. */
bool check_is_spread(const struct check *check);

/** Whether that may be so, once its limits are found. */
bool check_may_be_spread(const struct check *check);

/** How many queries it has then. */
unsigned check_query_count(const struct check *check);

/** Memory that it holds beside itself, once its limits are found. */
size_t check_bytes(const struct check *check);

/** Whether it holds any. */
static inline bool
check_has_bytes(const struct check *check)
{
	return check->joint || check->query.op == OP_WAIT;
}

/** Decide an ENDED check without a query: allow it, or not. */
void check_settle(struct check *check, bool allowed);

/** The same, as [limits] unmatched says. */
void check_settle_unmatched(struct check *check);

/** Decide its one query by a limit that came along with it (see
 * limit_init_inline()), not by the one that its key has. */
void check_use_inline_limit(
    struct check *check, int64_t capacity, int64_t recharge_ns);

/** Find the limits of its queries.  Optional. */
void check_prepare(struct check *check);

/** Have the processor fetch where the buckets of a prepared check are.  Other
 * work before check_start() hides how long that takes.  Optional. */
void check_prefetch(const struct check *check);

/** Send it on its way.  True: it is decided, done will not be called.  False:
 * done is called once, later. */
bool check_start(struct check *check) MUST_USE;

/** Free what a decided check holds; its limit may be gone then.  ENDED: no-op.
 */
void check_end(struct check *check);

/** How many keys a decided check was given, without those of also; and the
 * query of number ${i} of them, or, behind them, of also.  The bytes of its key
 * may be gone, if it has none beside it.  One that need not be asked, as
 * another one denied before, has DECIDED_BY_NONE.  NULL: the key has no limit.
 */
unsigned check_key_count(const struct check *check);
const struct query *check_query_of(const struct check *check, unsigned i);

/** The query that decided, of a decided check: of several, the denied one with
 * the longest retry, or the one with the least room left. */
const struct query *check_joint_decider(const struct check *check);

/** The key of that query, if there were others; else NULL. */
const struct key *check_joint_told_key(const struct check *check);

static inline const struct query *
check_decider(const struct check *check)
{
	return check->joint ? check_joint_decider(check) : &check->query;
}

/** The key of that query, if there were others; else NULL. */
static inline const struct key *
check_told_key(const struct check *check)
{
	return check->joint ? check_joint_told_key(check) : NULL;
}

/** Whether it asks for as many drops as fit: decision.taken says how many. */
static inline bool
check_is_take(const struct check *check)
{
	return check_decider(check)->op == OP_TAKE;
}

/** Name of what a decision rests on: "redis". */
const char *decided_by_name(enum decided_by decided_by);

#endif
