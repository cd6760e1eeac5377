/**
 * limit: a named rule, which keys it matches and how much they may do.
 *
 * Knows the words that a limit is written in ("capacity", "recharge", ...), but
 * not where they were read.  A limit is built word by word, checked as a whole,
 * and never changes afterwards.
 */
#ifndef LIMIT_LIMIT_H
#define LIMIT_LIMIT_H

#include "base/attr.h"
#include "base/siphash.h"
#include "limit/calendar.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LIMIT_NAME_MAX     64
#define LIMIT_CAPACITY_MAX INT64_C(1000000000)
#define LIMIT_AMOUNT_MAX   INT64_C(1000000000)
#define LIMIT_BUCKETS_MAX  INT64_C(1000000000)

/** C*R, the block and the window stay below this (2^52 microseconds). */
#define LIMIT_SPAN_MAX (INT64_C(1) << 52)

/** C*R of a limit that came with a request stays within this: 30 days. */
#define LIMIT_INLINE_LIFE_US (INT64_C(30) * 86400 * 1000000)

/** The name of such limits, which no other can have, and the first of their
 * orders. */
#define LIMIT_INLINE_NAME  "CL.THROTTLE"
#define LIMIT_INLINE_ORDER (1U << 30)

struct algorithm;
struct override;

/** What decides when Redis cannot. */
enum on_error { ON_ERROR_MEMORY, ON_ERROR_ALLOW, ON_ERROR_DENY };

/** Of a limit that asks no bucket (limit/action.h). */
enum limit_action { ACTION_NONE, ACTION_ALLOW, ACTION_DENY };

/** How ${match} is to be read: "abc", "abc*", any other glob, "~regex". */
enum match_kind { MATCH_EXACT, MATCH_PREFIX, MATCH_GLOB, MATCH_REGEX };

struct limit {
	char name[LIMIT_NAME_MAX + 1];
	struct hash128 id; /* of algorithm and name: its buckets' */

	char *match; /* the pattern as written */
	enum match_kind kind;
	char *literal; /* what a key starts with; NULL for MATCH_REGEX */
	size_t literal_len;
	const char *rest; /* of ${match}, behind that; NULL as well */
	void *regex;      /* pcre2_code *, MATCH_REGEX only */
	bool anchored;    /* the regex can match at the start only */
	bool segments;    /* match it segment by segment (limit/glob.h) */

	const struct algorithm *algorithm;
	enum limit_action action;
	int64_t capacity;        /* drops, 1..LIMIT_CAPACITY_MAX; 0: denies */
	int64_t debt;            /* drops beyond that which CHARGE may put in */
	int64_t recharge_us;     /* leaky bucket: time for one drop, >= 1 */
	int64_t recharge_ns;     /* to be added to that, 0..999 */
	int64_t block_us;        /* leaky bucket: >= 0 */
	int64_t block_growth;    /* how many times as long the next one is; 0:
				    blocks do not grow */
	int64_t block_max_us;    /* of those that grow */
	int64_t block_memory_us; /* 0: not given */
	int64_t queue_us;        /* leaky bucket: longest time to wait */
	int64_t window_us;       /* of a window, or a lease: >= 1; of the
				    calendar, about that long */
	enum calendar_unit calendar; /* of the window, or CALENDAR_NONE */
	struct zone *zone;           /* of the calendar; NULL: UTC */

	unsigned normalize; /* keys (limit/normalize.h); 0: as they are */
	char *also; /* keys that are charged too (limit/also.h); or NULL */

	int64_t retry_jitter; /* percent that a retry may be longer, 0..100 */
	int64_t id_memory_us; /* for how long an id stands for its request */
	int64_t max_buckets;  /* in memory; 0: as many as there is room for */
	enum on_error on_error;
	bool shadow;
	bool is_inline;  /* came with a request: shares its name and its buckets
			    with others */
	bool deny_cache; /* the daemon may refuse again what Redis refused,
			    without asking Redis */

	struct override *override; /* which it is, see limit/override.h; NULL:
				      it is a limit */
	const struct limit *overridden_by; /* which made it larger; NULL: none
				      did */

	unsigned order; /* place in its set, from 0 */
	unsigned line;  /* where it was written */
	unsigned given; /* the words set so far, a bit each (limit.c) */
};

/** Why a word or a limit was refused: one line, no newline. */
struct limit_error {
	char reason[160];
	bool is_value; /* of limit_set(): the value is to blame, not the word */
	const char *word; /* the word that is missing or one too many, whose
			     value is wrong, or that an unknown one probably
			     means; NULL: none */
};

/** Start a limit.  Return NULL if ${name} is no name for a limit (1 to 64 of
 * A-Z a-z 0-9 _ -) or memory ran out, with ${error} set. */
struct limit *limit_new(const char *name, struct limit_error *error) MUST_USE;

/** Set one word, as in "capacity = 5".  Return 0, or -1 with ${error} set:
 * unknown (with a suggestion), given twice, or a value out of range. */
int limit_set(struct limit *limit, const char *word, const char *value,
    struct limit_error *error) MUST_USE;

/** Check the limit as a whole once all words are set: what is missing, what
 * does not go together (rate and recharge, window and block), C*R.
 * Return 0, or -1 with ${error} set. */
int limit_finish(struct limit *limit, struct limit_error *error) MUST_USE;

/** Count the word as given, since its mistake was reported.  The limit can be
 * checked further, but not used. */
void limit_assume(struct limit *limit, const char *word);

/** The same of a word that limit_finish() has blamed: count it as given if it
 * was missing, and as missing if it was one too many. */
void limit_pass_over(struct limit *limit, const char *word);

/** Call ${visit} for the fewest words that describe a finished limit: "match",
 * "capacity", "recharge" or "window", and those that differ from their default.
 * ${value} is valid during the call. */
typedef void limit_visit_word(const char *word, const char *value, void *arg);
void limit_each_word(
    const struct limit *limit, limit_visit_word *visit, void *arg);

/** Make ${limit} the one that came with a request: a leaky bucket without a
 * block, ${capacity} from 1 to LIMIT_CAPACITY_MAX, C*R within
 * LIMIT_INLINE_LIFE_US.  ${order} distinguishes it from others of its kind.  It
 * owns nothing. */
void limit_init_inline(
    struct limit *limit, int64_t capacity, int64_t recharge_ns, unsigned order);

/** Set the time for one drop to ${ns}, at least 1000: to whole microseconds,
 * rounded up, where that is within a thousandth. */
void limit_set_recharge(struct limit *limit, int64_t ns);

/** Most drops that a bucket holds: the capacity and the debt. */
static inline int64_t
limit_most(const struct limit *limit)
{
	return limit->capacity + limit->debt;
}

/** For how long after a block the next one counts as one more; 0: blocks do not
 * grow. */
static inline int64_t
limit_block_memory_us(const struct limit *limit)
{
	if (limit->block_growth == 0)
		return 0;
	return limit->block_memory_us > 0 ? limit->block_memory_us
					  : 10 * limit->block_us;
}

/** Longest time for which a bucket can matter: C*R + block, or the window; of a
 * limit that came with a request, of any such limit's. */
int64_t limit_life_us(const struct limit *limit);

/** Free a limit, finished or not, or NULL. */
void limit_free(struct limit *limit);

/** "memory", "allow", "deny". */
const char *on_error_name(enum on_error on_error);

#endif
