#include "server/key_commands.h"

#include "limit/limit.h"

enum {
	PEEK_LIMIT, /* the bucket of the limit that the key matches */
	PEEK_CELL,  /* that of CL.THROTTLE */
	RESET_LIMIT,
	RESET_CELL,
	STEPS
};

#define NO_KEY (-2) /* as Redis says it */

static void
key_commands_ask(struct slot *slot, unsigned step)
{
	enum op op =
	    step == PEEK_LIMIT || step == PEEK_CELL ? OP_PEEK : OP_RESET;

	slot->keys.step = step;
	check_add(&slot->check, op, slot->bytes, slot->len, 0);
	check_keep_alone(&slot->check);
	/* Its buckets hold times, so any capacity will do. */
	if (step == PEEK_CELL || step == RESET_CELL)
		check_use_inline_limit(&slot->check, 1, LIMIT_INLINE_LIFE_US);
	slot_start_check(slot);
}

static int
key_commands_begin(
    struct slot *slot, const struct request *request, bool deletes)
{
	if (slot_copy(slot, request->key, request->key_len) == -1)
		return -1;
	slot->keys = (struct slot_keys){.deletes = deletes};
	key_commands_ask(slot, PEEK_LIMIT);
	slot_advance(slot);
	return 0;
}

int
key_commands_look(struct slot *slot, const struct request *request)
{
	return key_commands_begin(slot, request, false);
}

int
key_commands_delete(struct slot *slot, const struct request *request)
{
	return key_commands_begin(slot, request, true);
}

/* Note what a peek has found. */
static void
key_commands_note(struct slot *slot)
{
	const struct check *check = &slot->check;
	const struct decision *decision = &check->decision;
	int64_t life_us = decision->empty_us > decision->blocked_us
			      ? decision->empty_us
			      : decision->blocked_us;

	if (check->outcome == OUTCOME_DECISION && check->limit && life_us > 0) {
		slot->keys.found |= 1u << slot->keys.step;
		if (life_us > slot->keys.life_us)
			slot->keys.life_us = life_us;
	}
}

static bool
key_commands_failed(const struct check *check)
{
	return check->outcome == OUTCOME_UNAVAILABLE ||
	       check->outcome == OUTCOME_NOMEMORY ||
	       (check->outcome == OUTCOME_DECISION &&
		   check->decided_by == DECIDED_BY_FALLBACK);
}

/* Whether the bucket of a RESET was found by its peek. */
static bool
key_commands_has(const struct slot *slot, unsigned reset)
{
	return (slot->keys.found & (1u << (reset - RESET_LIMIT))) != 0;
}

bool
key_commands_next(struct slot *slot)
{
	unsigned step = slot->keys.step + 1;

	slot->keys.failed |= key_commands_failed(&slot->check);
	if (slot->keys.failed)
		return false;
	if (slot->keys.step < RESET_LIMIT)
		key_commands_note(slot);
	while (step >= RESET_LIMIT && step < STEPS &&
	       !key_commands_has(slot, step))
		step++;
	if (step == STEPS || (step >= RESET_LIMIT && !slot->keys.deletes))
		return false;
	check_end(&slot->check);
	key_commands_ask(slot, step);
	return true;
}

static int
key_commands_write(const struct slot *slot, struct buf *out, int64_t number)
{
	return slot->keys.failed
		   ? slot->protocol->error(
			 out, slot->encoding, ERROR_UNAVAILABLE)
		   : slot->protocol->number(out, slot->encoding, number);
}

int
key_commands_write_count(struct slot *slot, struct buf *out)
{
	return key_commands_write(slot, out, slot->keys.found != 0);
}

static int
key_commands_write_life(const struct slot *slot, struct buf *out, int64_t unit)
{
	return key_commands_write(slot, out,
	    slot->keys.found ? (slot->keys.life_us + unit - 1) / unit : NO_KEY);
}

int
key_commands_write_seconds(struct slot *slot, struct buf *out)
{
	return key_commands_write_life(slot, out, 1000000);
}

int
key_commands_write_ms(struct slot *slot, struct buf *out)
{
	return key_commands_write_life(slot, out, 1000);
}
