/*
 * Job: the checks of a request with several keys, one after another.
 * Invariant: the slot's check is the one of ${step}; ${told} is the decision,
 * of those that charged, with the least room.
 * The heart: joint_next().
 */
#include "server/joint.h"

#include "limit/routes.h"

#include <string.h>

/*
 * With n keys, steps 1 to n-1 peek at the key of that number, and steps n to
 * 2n-1 charge: first ${first}, then the others in order.
 */
static unsigned
joint_key_of(const struct slot_joint *joint)
{
	unsigned place = joint->step - joint->count;

	if (joint->step < joint->count)
		return joint->step;
	if (place == 0)
		return joint->first;
	return place <= joint->first ? place - 1 : place;
}

static void
joint_ask(struct slot *slot, const struct route_key *keys)
{
	const struct slot_joint *joint = &slot->joint;
	const struct route_key *key = &keys[joint_key_of(joint)];
	bool charges = joint->step >= joint->count;

	check_add(&slot->check, charges ? OP_CONSUME : OP_PEEK, key->bytes,
	    key->len, key->amount);
	slot_start_check(slot);
}

/* The drops that still fit. */
static int64_t
joint_room(const struct limit *limit, const struct decision *decision)
{
	return limit ? limit->capacity - decision->level : INT64_MAX;
}

/* A key was charged: the response is about the one with the least room. */
static void
joint_note(struct slot *slot)
{
	struct slot_joint *joint = &slot->joint;
	const struct check *check = &slot->check;
	bool is_first = joint->step == joint->count;

	joint->shadow_denied =
	    (!is_first && joint->shadow_denied) || check->shadow_denied;
	if (!is_first && joint_room(joint->limit, &joint->decision) <=
			     joint_room(check->limit, &check->decision))
		return;
	joint->limit = check->limit;
	joint->decision = check->decision;
	joint->decided_by = check->decided_by;
}

/* All were charged. */
static void
joint_tell(struct slot *slot)
{
	const struct slot_joint *joint = &slot->joint;

	slot->check.limit = joint->limit;
	slot->check.decision = joint->decision;
	slot->check.decided_by = joint->decided_by;
	slot->check.shadow_denied = joint->shadow_denied;
}

/* Choose the step that follows.  Return whether there is one. */
static bool
joint_step(struct slot *slot)
{
	struct slot_joint *joint = &slot->joint;
	bool charged = joint->step >= joint->count;

	if (slot->check.outcome != OUTCOME_DECISION)
		return false;
	if (!slot->check.decision.allowed) {
		if (charged)
			return false;
		joint->first = joint->step;
		joint->step = joint->count;
		return true;
	}
	if (charged)
		joint_note(slot);
	if (++joint->step < 2 * joint->count)
		return true;
	joint_tell(slot);
	return false;
}

static bool
joint_go_on(struct slot *slot, const struct route_key *keys)
{
	if (!joint_step(slot))
		return false;
	check_reopen(&slot->check);
	joint_ask(slot, keys);
	return true;
}

bool
joint_next(struct slot *slot)
{
	/* A request with one key, or none, has no copy of them. */
	return slot->bytes && joint_go_on(slot, (const void *)slot->bytes);
}

/* Begin with several keys.  What is not decided at once needs a copy. */
static int
joint_begin_keys(struct slot *slot, const struct routed_request *routed)
{
	slot->joint = (struct slot_joint){.count = routed->count, .step = 1};
	joint_ask(slot, routed->keys);
	while (slot->ready && joint_go_on(slot, routed->keys))
		;
	if (slot->ready)
		return 0;
	slot->queue->blocker = slot;
	return slot_copy(slot, (const char *)routed->keys,
	    routed->count * sizeof(*routed->keys));
}

int
joint_begin(struct slot *slot, const struct request *request)
{
	const struct routed_request *routed = request->routed;

	switch (routed->routed) {
	case ROUTED_KEYS:
		if (routed->count > 1)
			return joint_begin_keys(slot, routed);
		check_add(&slot->check, OP_CONSUME, routed->keys[0].bytes,
		    routed->keys[0].len, routed->keys[0].amount);
		slot_start_check(slot);
		return 0;
	case ROUTED_NOWHERE:
		check_settle_unmatched(&slot->check);
		return 0;
	case ROUTED_FREE:
	case ROUTED_DENIED:
	case ROUTED_TOOLONG:
		break;
	}
	check_settle(&slot->check, routed->routed == ROUTED_FREE);
	return 0;
}
