#include "control/target_internal.h"

static bool
target_copy_needs_overrides(const struct target *target)
{
	return target->overrides && target->found &&
	       !members_equal_hash(target->overrides, target->found);
}

bool
target_copy_is_due(const struct target *target, const redisReply *members)
{
	return !members_equal(target->members, members) ||
	       target_copy_needs_overrides(target);
}

static size_t
target_copy_count_unwanted(
    const struct target *target, const redisReply *members)
{
	size_t count = 0;

	for (size_t i = 0; i < members->elements; i += 2)
		count += !members_has(target->members, members->element[i]->str,
		    members->element[i]->len);
	return count;
}

static void
target_copy_remove(struct target *target, const redisReply *members)
{
	target_start(
	    target, 2 + target->removing, "ZREM", target->common->limits_key);
	for (size_t i = 0; i < members->elements; i += 2) {
		const redisReply *member = members->element[i];

		if (!members_has(target->members, member->str, member->len))
			command_add(&target->command, member->str, member->len);
	}
	target_step(target);
}

static void
target_copy_add(struct target *target)
{
	target_start(
	    target, 2 + 2 * target->adding, "ZADD", target->common->limits_key);
	for (size_t i = 0; i < target->adding; i++) {
		const struct member *member = members_at(target->members, i);

		command_add_int(
		    &target->command, (int64_t)(i + 1) * MEMBERS_SCORE_STEP);
		command_add(&target->command, member->bytes, member->len);
	}
	target_step(target);
}

static void
target_copy_members(struct target *target, const redisReply *members)
{
	target->adding = members_count(target->members);
	target->removing = target_copy_count_unwanted(target, members);
	if (target->removing > 0)
		target_copy_remove(target, members);
	target_copy_add(target);
}

/* The hash does not expire there: those that have ended count no more, and
 * once they are gone from the master, so are these. */
static void
target_copy_overrides(struct target *target)
{
	const char *key = target->common->overrides_key;
	size_t count = members_count(target->overrides);

	target->copies_overrides = true;
	target_start(target, 2, "DEL", key);
	target_step(target);
	if (count == 0)
		return;
	target_start(target, 2 + count, "HSET", key);
	for (size_t i = 0; i < count; i++) {
		const struct member *part = members_at(target->overrides, i);

		command_add(&target->command, part->bytes, part->len);
	}
	target_step(target);
}

void
target_copy(struct target *target, const redisReply *members, link_done *done)
{
	target->adding = target->removing = 0;
	target->copies_overrides = false;
	target_start(target, 1, "MULTI", NULL);
	target_step(target);
	if (!members_equal(target->members, members))
		target_copy_members(target, members);
	if (target_copy_needs_overrides(target))
		target_copy_overrides(target);
	target_start_publish(target);
	target_step(target);
	target_start(target, 1, "EXEC", NULL);
	if (target_call(target, done) == 0)
		link_flush(target->link);
}
