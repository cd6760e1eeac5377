/*
 * Job: makes one server have the members, and the overrides: WATCH, HGETALL,
 * ZRANGE, and MULTI to EXEC.
 * Invariant: a notice is forgotten only after the server has acknowledged it,
 * or one at least as strong. Heart: target_on_read().
 */
#include "control/target_internal.h"

#include "base/clock.h"
#include "redis/reply.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Another client may write to the keys during a copy: so many times in a row
 * the target tries again at once, then only at the next update. */
#define CONFLICTS_MAX 10

static const char *const target_state_names[] = {
#define X(name) #name,
    TARGET_STATES(X)
#undef X
};

static void
target_set_state(struct target *target, enum target_state state)
{
	log_debug("target %s: %s -> %s", target->options->name,
	    target_state_names[target->state], target_state_names[state]);
	target->state = state;
}

static void
target_fail(struct target *target, const char *reason)
{
	target->counts.failures++;
	target->behind = true;
	log_limited(&target->limiter, LOG_LEVEL_WARNING,
	    "target %s: not up to date: %s", target->options->name, reason);
}

/* Publish the notice later: the server may not have seen it. */
static void
target_postpone(struct target *target)
{
	notice_add(&target->pending, &target->announcing);
	target->announcing = (struct notice){0};
	target->must_announce |= !notice_is_none(&target->pending);
}

struct command *
target_start(
    struct target *target, size_t count, const char *verb, const char *name)
{
	command_start(&target->command, count);
	command_add_text(&target->command, verb);
	if (name)
		command_add_text(&target->command, name);
	return &target->command;
}

int
target_call(struct target *target, link_done *done)
{
	int64_t deadline_us =
	    clock_us() + target->options->link.socket_timeout_us;

	if (link_call(
		target->link, &target->command, deadline_us, done, target) == 0)
		return 0;
	link_drop(target->link, strerror(ENOMEM));
	return -1;
}

/* Remember the first error of several replies. */
static void
target_note_error(struct target *target, const redisReply *reply)
{
	if (reply->type != REDIS_REPLY_ERROR)
		return;
	target->wrong_server |= reply_is_wrong_server(reply);
	if (!*target->error)
		log_escape(target->error, sizeof(target->error), reply->str,
		    reply->len);
}

/* Only an error matters here. */
static void
target_on_step(const redisReply *reply, void *arg)
{
	if (reply)
		target_note_error(arg, reply);
}

void
target_step(struct target *target)
{
	if (target_call(target, target_on_step) == -1)
		log_debug("target %s: a command was not queued",
		    target->options->name);
}

/* End this attempt; the next one comes with the next update or reconnect. */
static void
target_give_up(struct target *target, const char *reason)
{
	target_postpone(target);
	target_set_state(target, TARGET_IDLE);
	target->conflicts = 0;
	target_fail(target, reason);
	if (target->wrong_server)
		link_drop(target->link, reason);
}

static void
target_on_announced(const redisReply *reply, void *arg)
{
	struct target *target = arg;

	if (reply && reply->type != REDIS_REPLY_ERROR) {
		target->announcing = (struct notice){0};
		return;
	}
	target_postpone(target);
	if (reply)
		target_fail(target, "PUBLISH failed");
}

void
target_start_publish(struct target *target)
{
	const struct notice *notice = notice_is_none(&target->pending)
					  ? &target->common->plain
					  : &target->pending;

	command_add_text(
	    target_start(target, 3, "PUBLISH", target->common->channel),
	    notice->text);
	target->announced_until_us = clock_us() + notice->spread_us;
	target->announcing = target->pending;
	target->pending = (struct notice){0};
	target->must_announce = false;
}

static void
target_announce(struct target *target)
{
	target_start_publish(target);
	if (target_call(target, target_on_announced) == -1)
		target_postpone(target);
}

/* The server has the members. */
static void
target_finish(struct target *target)
{
	target_set_state(target, TARGET_IDLE);
	link_proven(target->link);
	target->behind = false;
	target->conflicts = 0;
}

static void target_read(struct target *target);

static void
target_log_copy(const struct target *target)
{
	if (target->adding > 0)
		log_info("target %s: copied %zu limits, removed %zu",
		    target->options->name, target->adding, target->removing);
	if (target->copies_overrides)
		log_info("target %s: copied %zu overrides",
		    target->options->name,
		    members_count(target->overrides) / 2);
}

static void
target_on_copied(const redisReply *reply, void *arg)
{
	struct target *target = arg;
	bool reread = target->reread;

	if (!reply)
		return; /* target_on_down() follows */
	target->reread = false;
	target_note_error(target, reply);
	for (size_t i = 0; i < reply->elements; i++)
		target_note_error(target, reply->element[i]);
	if (*target->error) {
		target_give_up(target, target->error);
	} else if (reply->type == REDIS_REPLY_ARRAY) {
		target->counts.copies++;
		target->announcing = (struct notice){0};
		target_log_copy(target);
		target_finish(target);
	} else if (++target->conflicts == CONFLICTS_MAX) {
		target_give_up(target, "another client keeps changing the key");
	} else {
		target_postpone(target);
		target_set_state(target, TARGET_IDLE);
		reread = true;
	}
	if (reread)
		target_read(target);
}

/* Whether the pending notice would have daemons reload before those did that
 * were announced already. */
static bool
target_is_urgent(const struct target *target)
{
	return !notice_is_none(&target->pending) &&
	       clock_us() + target->pending.spread_us <
		   target->announced_until_us;
}

/* The members are no news.  Publish the notice all the same if it may have been
 * lost, or if it is stronger than what was announced. */
static void
target_on_unchanged(struct target *target)
{
	target->counts.unchanged++;
	if (target->behind)
		log_info("target %s: up to date again, %zu limits",
		    target->options->name, members_count(target->members));
	target_finish(target);
	if (target->must_announce || target_is_urgent(target))
		target_announce(target);
	else
		target->pending = (struct notice){0};
}

static void
target_forget_found(struct target *target)
{
	members_unref(target->found);
	target->found = NULL;
}

/* Overrides that cannot be read must not keep limits from the server. */
static void
target_on_overrides(const redisReply *found, void *arg)
{
	struct target *target = arg;
	char error[160];

	if (!found)
		return;
	target->found = members_new(found);
	if (target->found || !target->overrides)
		return;
	log_limited(&target->overrides_limiter, LOG_LEVEL_WARNING,
	    "target %s: overrides not copied: %s", target->options->name,
	    found->type == REDIS_REPLY_ERROR
		? log_escape(error, sizeof(error), found->str, found->len)
		: strerror(errno));
}

/* What is wrong, the reply to the next command shows. */
static void
target_on_overrides_watched(const redisReply *reply, void *arg)
{
	(void)reply;
	(void)arg;
}

static void
target_read_overrides(struct target *target)
{
	const char *key = target->common->overrides_key;

	target_forget_found(target);
	target_start(target, 2, "WATCH", key);
	if (target_call(target, target_on_overrides_watched) == -1)
		return;
	target_start(target, 2, "HGETALL", key);
	if (target_call(target, target_on_overrides) == -1)
		log_debug("target %s: a command was not queued",
		    target->options->name);
}

static void
target_on_read(const redisReply *found, void *arg)
{
	struct target *target = arg;

	if (!found)
		return; /* target_on_down() follows */
	target_note_error(target, found);
	if (!*target->error && members_is_reply(found) &&
	    target_copy_is_due(target, found)) {
		target_set_state(target, TARGET_COPYING);
		target_copy(target, found, target_on_copied);
		return;
	}
	target_start(target, 1, "UNWATCH", NULL);
	target_step(target);
	if (target->state == TARGET_DOWN)
		return;
	if (*target->error)
		target_give_up(target, target->error);
	else if (!members_is_reply(found))
		target_give_up(target, "its reply is no sorted set");
	else
		target_on_unchanged(target);
	link_flush(target->link);
}

/* Read what the server has, if it is up and not busy. */
static void
target_read(struct target *target)
{
	if (target->state != TARGET_IDLE || !target->members)
		return;
	*target->error = '\0';
	target->wrong_server = false;
	target_set_state(target, TARGET_READING);

	target_start(target, 2, "WATCH", target->common->limits_key);
	target_step(target);
	target_read_overrides(target);
	target_start(target, 5, "ZRANGE", target->common->limits_key);
	command_add_text(&target->command, "0");
	command_add_text(&target->command, "-1");
	command_add_text(&target->command, "WITHSCORES");
	if (target_call(target, target_on_read) == 0)
		link_flush(target->link);
}

static void
target_on_up(void *arg)
{
	struct target *target = arg;

	target_postpone(target);
	target_set_state(target, TARGET_IDLE);
	target_read(target);
}

static void
target_on_down(void *arg)
{
	struct target *target = arg;

	target_postpone(target);
	target_set_state(target, TARGET_DOWN);
	target->reread = false;
	if (!target->behind)
		target_fail(target, "it is down");
}

static const struct link_events link_events = {
    .up = target_on_up, .down = target_on_down};

struct target *
target_new(
    const struct target_common *common, const struct target_options *options)
{
	struct target *target = calloc(1, sizeof(*target));

	if (!target)
		return NULL;
	target->common = common;
	target->options = options;
	target->announced_until_us = INT64_MAX; /* not known */
	target->link = link_new(
	    common->loop, common->dialer, &options->link, &link_events, target);
	if (!target->link) {
		target_free(target);
		return NULL;
	}
	target->forwards = (struct forwards){.link = target->link,
	    .channel = common->channel,
	    .timeout_us = options->link.socket_timeout_us};
	return target;
}

void
target_free(struct target *target)
{
	if (!target)
		return;
	link_free(target->link);
	members_unref(target->members);
	members_unref(target->overrides);
	members_unref(target->found);
	forwards_free(&target->forwards);
	command_free(&target->command);
	free(target);
}

void
target_update(struct target *target, struct members *members,
    struct members *overrides, const struct notice *notice)
{
	members_ref(members);
	members_unref(target->members);
	target->members = members;
	if (overrides)
		members_ref(overrides);
	members_unref(target->overrides);
	target->overrides = overrides;
	notice_add(&target->pending, notice);
	/* A read in flight is compared with the new members. */
	target->reread = target->state == TARGET_COPYING;
	target_read(target);
}

void
target_forward(struct target *target, const char *bytes, size_t len)
{
	forwards_send(&target->forwards, bytes, len);
}

void
target_report(struct target *target)
{
	struct target_counts *counts = &target->counts;
	struct target_counts last = target->reported;

	counts->forwarded = target->forwards.forwarded;
	counts->lost = target->forwards.lost;
	last.unchanged = counts->unchanged;
	if (memcmp(&last, counts, sizeof(last)) == 0)
		return;
	target->reported = *counts;
	log_info("target %s: copies %llu, unchanged %llu, failures %llu, "
		 "forwarded %llu, lost %llu",
	    target->options->name, (unsigned long long)counts->copies,
	    (unsigned long long)counts->unchanged,
	    (unsigned long long)counts->failures,
	    (unsigned long long)counts->forwarded,
	    (unsigned long long)counts->lost);
}
