/*
 * Leases: each drop counts until its own end.
 *
 * With capacity C and span S, the window or the lease, an amount of n passes at
 * time t if the drops that end after t, and n more, are at most C; those then
 * end at t + S.  A drop keeps its end when the limit changes.  What is given
 * back, by an amount below zero, is what ends last of what has no name.
 *
 * A bucket is its log, the drops without a name that were cut from its end, and
 * the fresh ones that are to be added: all at one time.  leases_settle() has
 * the log say the same.
 *
 * lua/algorithm/leases.lua is the same arithmetic, and a test holds the two
 * equal.  The heart is leases_decide().
 */
#include "limit/leases.h"

#include <assert.h>
#include <string.h>

/* A bucket at a time. */
struct leases_view {
	const struct lease *leases; /* those that are not over */
	uint32_t count;
	uint32_t cut_at; /* those without a name from here on are cut */
	int32_t cut;     /* drops of the one before that, cut as well */
	int64_t fresh_us;
	int32_t fresh;
	int64_t level;
};

int
leases_check(const struct limit *limit, struct limit_error *error)
{
	if (limit_most(limit) > LEASES_MAX)
		return word_fail(error,
		    "capacity and debt must be at most %d together with "
		    "algorithm = %s",
		    LEASES_MAX, limit->algorithm->name);
	return 0;
}

int64_t
leases_life_us(const struct limit *limit)
{
	return limit->window_us;
}

/*
 * The view.
 */

/* Find where the cut, of the drops that end last, begins. */
static void
leases_find_cut(struct leases_view *view, int32_t cut)
{
	view->cut_at = view->count;
	view->cut = 0;
	for (uint32_t i = view->count; cut > 0 && i > 0; i--) {
		const struct lease *lease = &view->leases[i - 1];

		if (lease->name != 0)
			continue;
		view->cut_at = i - (lease->drops <= cut);
		view->cut = lease->drops <= cut ? 0 : cut;
		cut -= lease->drops <= cut ? lease->drops : cut;
	}
}

/* The drops of lease ${i} that are not cut. */
static int32_t
leases_drops(const struct leases_view *view, uint32_t i)
{
	const struct lease *lease = &view->leases[i];

	if (lease->name != 0)
		return lease->drops;
	if (i >= view->cut_at)
		return 0;
	return lease->drops - (i + 1 == view->cut_at ? view->cut : 0);
}

static struct leases_view
leases_open(
    const struct limit *limit, const struct bucket *bucket, int64_t now_us)
{
	const struct lease_log *log = bucket->log.log;
	struct leases_view view = {
	    .fresh_us = now_us + limit->window_us,
	    .fresh = bucket->log.fresh,
	    .level = bucket->log.fresh - bucket->log.cut,
	};
	uint32_t first = 0;

	if (log) {
		view.level += log->drops;
		for (;
		     first < log->count && log->leases[first].end_us <= now_us;
		     first++)
			view.level -= log->leases[first].drops;
		view.leases = log->leases + first;
		view.count = log->count - first;
	}
	leases_find_cut(&view, bucket->log.cut);
	return view;
}

/* When so many of the drops, from 1 to all, have ended. */
static int64_t
leases_end_of(const struct leases_view *view, int64_t drops)
{
	bool has_fresh = view->fresh > 0;
	uint32_t i = 0;

	for (;;) {
		bool is_fresh =
		    has_fresh && (i == view->count ||
				     view->fresh_us < view->leases[i].end_us);

		assert(is_fresh || i < view->count);
		drops -= is_fresh ? view->fresh : leases_drops(view, i);
		if (drops <= 0)
			return is_fresh ? view->fresh_us
					: view->leases[i].end_us;
		has_fresh &= !is_fresh;
		i += !is_fresh;
	}
}

/* The drops without a name that end after ${after_us}, and are in the log. */
static int64_t
leases_later(const struct leases_view *view, int64_t after_us)
{
	int64_t drops = 0;

	for (uint32_t i = view->count; i > 0; i--) {
		if (view->leases[i - 1].end_us <= after_us)
			break;
		if (view->leases[i - 1].name == 0)
			drops += leases_drops(view, i - 1);
	}
	return drops;
}

/*
 * The decision.
 */

static int64_t
leases_least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void
leases_put(struct bucket *bucket, const struct leases_view *view, int64_t drops)
{
	bucket->log.stamp_us = view->fresh_us;
	bucket->log.fresh += (int32_t)drops;
}

/* Of what ends last: in the log, fresh, and in the log again. */
static void
leases_take_out(
    struct bucket *bucket, const struct leases_view *view, int64_t drops)
{
	int64_t all = leases_later(view, 0);
	int64_t later =
	    view->fresh > 0 ? leases_later(view, view->fresh_us) : all;
	int64_t cut = leases_least(drops, later);
	int64_t fresh = leases_least(drops - cut, view->fresh);

	drops -= cut + fresh;
	bucket->log.fresh -= (int32_t)fresh;
	bucket->log.cut += (int32_t)(cut + leases_least(drops, all - cut));
}

static void
leases_tell(const struct limit *limit, const struct bucket *bucket,
    int64_t now_us, struct decision *decision)
{
	struct leases_view view = leases_open(limit, bucket, now_us);

	decision->level = leases_least(view.level, limit_most(limit));
	decision->blocked_us = 0;
	decision->next_us = decision->empty_us = 0;
	if (view.level == 0)
		return;
	decision->next_us = leases_end_of(&view, 1) - now_us;
	decision->empty_us = leases_end_of(&view, view.level) - now_us;
}

/* The bucket, which holds more, must hold ${room} drops at most. */
static void
leases_deny(const struct limit *limit, const struct bucket *bucket,
    int64_t room, int64_t now_us, struct decision *decision)
{
	struct leases_view view = leases_open(limit, bucket, now_us);

	decision->retry_us = RETRY_NEVER;
	if (room < 0)
		return;
	decision->lacks = (uint16_t)(view.level - room);
	decision->retry_us = leases_end_of(&view, view.level - room) - now_us;
}

/* How many of ${amount} drops TAKE puts in.  If none fits, it is decided as one
 * drop, which does not. */
static int64_t
leases_take(const struct limit *limit, int64_t amount, int64_t level,
    struct decision *decision)
{
	int64_t fit = level < limit->capacity ? limit->capacity - level : 0;

	decision->taken = 0;
	if (amount <= 0)
		return amount;
	decision->taken = (int32_t)leases_least(fit, amount);
	return decision->taken > 0 ? decision->taken : 1;
}

static bool
leases_reset(struct bucket *bucket, struct decision *decision)
{
	struct lease_log *log = bucket->log.log;
	bool changed = bucket->log.fresh > 0 || (log && log->count > 0);

	if (log)
		log->count = 0, log->drops = 0;
	*bucket = (struct bucket){.log = {.log = log}};
	*decision = (struct decision){.allowed = true};
	return changed;
}

bool
leases_decide(const struct limit *limit, enum op op, int64_t amount,
    int64_t now_us, struct bucket *bucket, struct decision *decision)
{
	const struct leases_view view = leases_open(limit, bucket, now_us);
	const struct bucket held = *bucket;
	const int64_t most =
	    op == OP_CHARGE ? limit_most(limit) : limit->capacity;

	if (op == OP_RESET)
		return leases_reset(bucket, decision);
	if (op == OP_TAKE)
		amount = leases_take(limit, amount, view.level, decision);
	decision->allowed = amount <= 0 || amount <= most - view.level;
	if (op != OP_PEEK && amount < 0)
		leases_take_out(bucket, &view, -amount);
	else if (op != OP_PEEK && amount > 0 && decision->allowed)
		leases_put(bucket, &view, amount);
	leases_tell(limit, bucket, now_us, decision);
	decision->retry_us = 0;
	decision->lacks = 0;
	if (!decision->allowed)
		leases_deny(limit, bucket, most - amount, now_us, decision);
	return bucket->log.fresh != held.log.fresh ||
	       bucket->log.cut != held.log.cut;
}

/*
 * The log.
 */

struct lease_log *
leases_start(void *bytes, size_t size)
{
	struct lease_log *log = bytes;

	log->count = 0;
	log->room = (uint32_t)((size - sizeof(*log)) / sizeof(log->leases[0]));
	log->drops = 0;
	return log;
}

uint32_t
leases_room(const struct bucket *bucket, int64_t now_us)
{
	const struct lease_log *log = bucket->log.log;
	uint32_t count = bucket->log.fresh > 0;

	for (uint32_t i = 0; log && i < log->count; i++)
		count += log->leases[i].end_us > now_us;
	return count;
}

/* Take the first ${count} behind ${at} away. */
static void
leases_remove(struct lease_log *log, uint32_t at, uint32_t count)
{
	for (uint32_t i = at; i < at + count; i++)
		log->drops -= log->leases[i].drops;
	memmove(&log->leases[at], &log->leases[at + count],
	    (log->count - at - count) * sizeof(log->leases[0]));
	log->count -= count;
}

/* Of those that end at one time, these with a name come first. */
static bool
leases_is_behind(const struct lease *lease, const struct lease *other)
{
	return lease->end_us > other->end_us ||
	       (lease->end_us == other->end_us && lease->name == 0 &&
		   other->name != 0);
}

static void
leases_insert(struct lease_log *log, uint32_t at, struct lease lease)
{
	assert(log->count < log->room);
	memmove(&log->leases[at + 1], &log->leases[at],
	    (log->count - at) * sizeof(lease));
	log->leases[at] = lease;
	log->drops += lease.drops;
	log->count++;
}

/* Put a lease in its place, behind those that are its like; drops without a
 * name join others of the same end. */
static void
leases_add(struct lease_log *log, struct lease lease)
{
	uint32_t at = log->count;

	while (at > 0 && leases_is_behind(&log->leases[at - 1], &lease))
		at--;
	for (uint32_t i = at; i > 0 && lease.name == 0 &&
			      log->leases[i - 1].end_us == lease.end_us;
	     i--)
		if (log->leases[i - 1].name == 0) {
			log->leases[i - 1].drops += lease.drops;
			log->drops += lease.drops;
			return;
		}
	leases_insert(log, at, lease);
}

/* Take ${drops} off lease ${i}, and remove it if none is left. */
static void
leases_reduce(struct lease_log *log, uint32_t i, int32_t drops)
{
	log->leases[i].drops -= drops;
	log->drops -= drops;
	if (log->leases[i].drops == 0)
		leases_remove(log, i, 1);
}

void
leases_settle(const struct limit *limit, struct bucket *bucket, int64_t now_us)
{
	struct lease_log *log = bucket->log.log;
	int32_t cut = bucket->log.cut, fresh = bucket->log.fresh;
	uint32_t over = 0;

	*bucket = (struct bucket){.log = {.log = log}};
	if (!log)
		return;
	while (over < log->count && log->leases[over].end_us <= now_us)
		over++;
	leases_remove(log, 0, over);
	for (uint32_t i = log->count; cut > 0 && i > 0; i--) {
		const struct lease *lease = &log->leases[i - 1];
		int32_t drops = lease->drops < cut ? lease->drops : cut;

		if (lease->name != 0)
			continue;
		leases_reduce(log, i - 1, drops);
		cut -= drops;
	}
	if (fresh > 0)
		leases_add(
		    log, (struct lease){.end_us = now_us + limit->window_us,
			     .drops = fresh});
	if (log->count > 0)
		bucket->log.stamp_us = log->leases[log->count - 1].end_us;
}

/* What was put in at one moment ends at one. */
void
leases_give_back(const struct limit *limit, int64_t amount, int64_t stamp,
    int64_t now_us, struct bucket *bucket)
{
	struct lease_log *log;

	leases_settle(limit, bucket, now_us);
	log = bucket->log.log;
	for (uint32_t i = log ? log->count : 0; i > 0; i--) {
		const struct lease *lease = &log->leases[i - 1];

		if (lease->end_us != stamp || lease->name != 0)
			continue;
		leases_reduce(
		    log, i - 1, (int32_t)leases_least(lease->drops, amount));
		break;
	}
	leases_settle(limit, bucket, now_us);
}

/* The place of the lease of that name, or the count. */
static uint32_t
leases_find(const struct lease_log *log, uint64_t name)
{
	uint32_t i = 0;

	while (i < log->count && log->leases[i].name != name)
		i++;
	return i;
}

/* A holder keeps what it has, also where the bucket holds more than the
 * capacity now. */
bool
leases_lease(const struct limit *limit, enum op op, uint64_t name,
    int64_t amount, int64_t now_us, struct bucket *bucket,
    struct decision *decision)
{
	struct lease_log *log = bucket->log.log;
	struct lease held = {0};
	bool changes;
	uint32_t i;

	leases_settle(limit, bucket, now_us);
	i = leases_find(log, name);
	if (i < log->count) {
		held = log->leases[i];
		leases_remove(log, i, 1);
	}
	decision->retry_us = 0;
	decision->allowed = op == OP_RELEASE
				? held.drops > 0
				: amount <= held.drops ||
				      amount <= limit->capacity - log->drops;
	if (!decision->allowed && op == OP_HOLD)
		leases_deny(
		    limit, bucket, limit->capacity - amount, now_us, decision);
	changes = decision->allowed && (op == OP_RELEASE || amount > 0);
	if (!changes && held.drops > 0)
		leases_insert(log, i, held);
	if (changes && op == OP_HOLD)
		leases_add(log, (struct lease){now_us + limit->window_us, name,
				    (int32_t)amount});
	leases_settle(limit, bucket, now_us);
	leases_tell(limit, bucket, now_us, decision);
	return changes;
}

/* The bucket is settled. */
bool
leases_is_drained(const struct bucket *bucket, int64_t now_us)
{
	return bucket->log.stamp_us <= now_us;
}
