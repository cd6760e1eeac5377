#include "control/slave.h"

#include "base/clock.h"
#include "base/log.h"
#include "redis/reply.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Somebody else may write to the key while it is copied: so often in a row it
 * is tried again at once, then when the master is next looked at. */
#define CONFLICTS_MAX 10

/* Messages on their way to a server that does not answer.  Each counts for some
 * bytes more than it has, since it takes them here. */
#define FORWARD_MAX_BYTES  ((size_t)8 << 20)
#define FORWARD_COST_BYTES 100

/*
 *   DOWN --> IDLE <--> LOOKING --> COPYING
 *    ^________|___________|___________|
 */
#define SLAVE_STATES(X)                                                        \
	X(DOWN)                                                                \
	X(IDLE)                                                                \
	X(LOOKING) /* WATCH and ZRANGE are in flight */                        \
	X(COPYING) /* MULTI to EXEC are */

enum slave_state {
#define X(name) SLAVE_##name,
	SLAVE_STATES(X)
#undef X
};

static const char *const state_names[] = {
#define X(name) #name,
    SLAVE_STATES(X)
#undef X
};

struct slave_counts {
	uint64_t copies;
	uint64_t unchanged; /* times that it had what it should */
	uint64_t failures;
	uint64_t forwarded; /* messages that are no reloads */
	uint64_t lost;	    /* the same, not forwarded */
};

struct slave {
	const struct slave_common *common;
	const struct slave_options *options;
	struct link *link;
	struct command command; /* its room is used again */
	enum slave_state state;

	/* what is to be */
	struct members *members;       /* NULL: not known yet */
	char reload[SLAVE_RELOAD_MAX]; /* the order, if ordered */
	bool ordered;		       /* and not told, as far as is known */
	bool owed;		       /* to be told whatever is there */

	/* what is under way */
	bool again;		 /* look again after the copy */
	bool telling;		 /* the copy tells of an order */
	size_t adding, removing; /* members, by the copy */
	char error[160];	 /* the first that was answered, or "" */
	bool wrong_server;	 /* it says that it is not the one */
	unsigned conflicts;	 /* in a row */
	bool untold;		 /* last copied without an order */

	/* messages in flight */
	size_t forwards;
	size_t forward_bytes;

	struct slave_counts counts, reported;
	struct log_pace pace; /* of failures in the log */
	bool behind;	      /* not seen right since a failure */
};

static void
set_state(struct slave *slave, enum slave_state state)
{
	log_debug("slave %s: %s -> %s", slave->options->name,
	    state_names[slave->state], state_names[state]);
	slave->state = state;
}

static void
complain(struct slave *slave, const char *reason)
{
	slave->counts.failures++;
	slave->behind = true;
	if (log_is_due(&slave->pace))
		log_warning("slave %s: not up to date: %s",
		    slave->options->name, reason);
}

/* An order that was not told for sure is told (again) later. */
static void
owe(struct slave *slave)
{
	if (slave->state == SLAVE_COPYING)
		slave->ordered |= slave->telling;
	slave->owed |= slave->ordered;
}

/* Start a command of ${count} arguments with the verb and what it is about. */
static struct command *
start(struct slave *slave, size_t count, const char *verb, const char *name)
{
	command_start(&slave->command, count);
	command_add_text(&slave->command, verb);
	if (name)
		command_add_text(&slave->command, name);
	return &slave->command;
}

/* Queue the command.  Return 0, or -1: the link is down, maybe just now. */
static int
call(struct slave *slave, link_done *done)
{
	int64_t deadline_us =
	    clock_us() + slave->options->link.socket_timeout_us;

	if (link_call(slave->link, &slave->command, deadline_us, done, slave) ==
	    0)
		return 0;
	link_drop(slave->link, strerror(ENOMEM));
	return -1;
}

/* Remember the first error of several answers. */
static void
note_error(struct slave *slave, const redisReply *reply)
{
	if (reply->type != REDIS_REPLY_ERROR)
		return;
	slave->wrong_server |= reply_is_wrong_server(reply);
	if (!*slave->error)
		log_escape(
		    slave->error, sizeof(slave->error), reply->str, reply->len);
}

/* An answer of which only an error matters. */
static void
on_step(const redisReply *reply, void *arg)
{
	if (reply)
		note_error(arg, reply);
}

/* Queue one step of several; where it cannot be, the last one's answer or
 * on_down() tells. */
static void
step(struct slave *slave)
{
	if (call(slave, on_step) == -1)
		log_debug("slave %s: a step is missing", slave->options->name);
}

/* This attempt is over; the next one comes when the slave is given members
 * again, or is back. */
static void
give_up(struct slave *slave, const char *reason)
{
	owe(slave);
	set_state(slave, SLAVE_IDLE);
	slave->conflicts = 0;
	complain(slave, reason);
	if (slave->wrong_server)
		link_drop(slave->link, reason);
}

static void
on_told(const redisReply *reply, void *arg)
{
	struct slave *slave = arg;

	if (reply && reply->type != REDIS_REPLY_ERROR)
		return;
	slave->ordered = slave->owed = true;
	if (reply)
		complain(slave, "it takes no messages");
}

static void
tell(struct slave *slave)
{
	command_add_text(
	    start(slave, 3, "PUBLISH", slave->common->channel), slave->reload);
	slave->ordered = slave->owed = slave->untold = false;
	if (call(slave, on_told) == -1)
		slave->ordered = slave->owed = true;
}

/* It has what it should. */
static void
settle(struct slave *slave)
{
	set_state(slave, SLAVE_IDLE);
	link_proven(slave->link);
	slave->behind = false;
	slave->conflicts = 0;
}

static void look(struct slave *slave);

static void
on_copied(const redisReply *reply, void *arg)
{
	struct slave *slave = arg;
	bool again = slave->again;

	if (!reply)
		return; /* on_down() follows */
	slave->again = false;
	note_error(slave, reply);
	for (size_t i = 0; i < reply->elements; i++)
		note_error(slave, reply->element[i]);
	if (*slave->error) {
		give_up(slave, slave->error);
	} else if (reply->type == REDIS_REPLY_ARRAY) {
		slave->counts.copies++;
		slave->untold = !slave->telling;
		log_info("slave %s: %zu limits copied (%zu removed)",
		    slave->options->name, slave->adding, slave->removing);
		settle(slave);
	} else if (++slave->conflicts == CONFLICTS_MAX) {
		give_up(slave, "somebody else keeps changing its limits");
	} else {
		owe(slave);
		set_state(slave, SLAVE_IDLE);
		again = true;
	}
	if (again)
		look(slave);
}

static void
add_removal(struct slave *slave, const redisReply *had)
{
	start(slave, 2 + slave->removing, "ZREM", slave->common->limits_key);
	for (size_t i = 0; i < had->elements; i += 2) {
		const redisReply *member = had->element[i];

		if (!members_has(slave->members, member->str, member->len))
			command_add(&slave->command, member->str, member->len);
	}
	step(slave);
}

static void
add_members(struct slave *slave)
{
	start(slave, 2 + 2 * slave->adding, "ZADD", slave->common->limits_key);
	for (size_t i = 0; i < slave->adding; i++) {
		const struct member *member = members_at(slave->members, i);

		command_add_int(
		    &slave->command, (int64_t)(i + 1) * MEMBERS_SCORE_STEP);
		command_add(&slave->command, member->bytes, member->len);
	}
	step(slave);
}

static size_t
count_unwanted(const struct slave *slave, const redisReply *had)
{
	size_t count = 0;

	for (size_t i = 0; i < had->elements; i += 2)
		count += !members_has(
		    slave->members, had->element[i]->str, had->element[i]->len);
	return count;
}

/* The heart: from what it had to what it is to have, and the word of it, as
 * one. The reload goes out in the transaction: whoever hears of it finds the
 * set. */
static void
copy(struct slave *slave, const redisReply *had)
{
	slave->adding = members_count(slave->members);
	slave->removing = count_unwanted(slave, had);
	slave->telling = slave->ordered;
	slave->ordered = slave->owed = false;
	set_state(slave, SLAVE_COPYING);

	start(slave, 1, "MULTI", NULL);
	step(slave);
	if (slave->removing > 0)
		add_removal(slave, had);
	add_members(slave);
	command_add_text(start(slave, 3, "PUBLISH", slave->common->channel),
	    slave->telling ? slave->reload : slave->common->reload);
	step(slave);
	start(slave, 1, "EXEC", NULL);
	if (call(slave, on_copied) == 0)
		link_flush(slave->link);
}

/* Who ordered a reload after a copy that nobody ordered may want another spread
 * than was told with that. */
static void
leave(struct slave *slave)
{
	slave->counts.unchanged++;
	if (slave->behind)
		log_info("slave %s: has its %zu limits", slave->options->name,
		    members_count(slave->members));
	settle(slave);
	if (slave->owed || (slave->ordered && slave->untold))
		tell(slave);
	slave->ordered = slave->owed;
}

static void
on_looked(const redisReply *had, void *arg)
{
	struct slave *slave = arg;

	if (!had)
		return; /* on_down() follows */
	note_error(slave, had);
	if (!*slave->error && members_is_answer(had) &&
	    !members_equal(slave->members, had)) {
		copy(slave, had);
		return;
	}
	start(slave, 1, "UNWATCH", NULL);
	step(slave);
	if (slave->state == SLAVE_DOWN)
		return;
	if (*slave->error)
		give_up(slave, slave->error);
	else if (!members_is_answer(had))
		give_up(slave, "it answers what is no sorted set");
	else
		leave(slave);
	link_flush(slave->link);
}

/* See what it has, unless that is not possible or under way. */
static void
look(struct slave *slave)
{
	if (slave->state != SLAVE_IDLE || !slave->members)
		return;
	*slave->error = '\0';
	slave->wrong_server = false;
	set_state(slave, SLAVE_LOOKING);

	start(slave, 2, "WATCH", slave->common->limits_key);
	step(slave);
	start(slave, 5, "ZRANGE", slave->common->limits_key);
	command_add_text(&slave->command, "0");
	command_add_text(&slave->command, "-1");
	command_add_text(&slave->command, "WITHSCORES");
	if (call(slave, on_looked) == 0)
		link_flush(slave->link);
}

static void
on_up(void *arg)
{
	struct slave *slave = arg;

	owe(slave);
	set_state(slave, SLAVE_IDLE);
	look(slave);
}

static void
on_down(void *arg)
{
	struct slave *slave = arg;

	owe(slave);
	set_state(slave, SLAVE_DOWN);
	slave->again = false;
	if (!slave->behind)
		complain(slave, "it is down");
}

static const struct link_events link_events = {.up = on_up, .down = on_down};

struct slave *
slave_new(
    const struct slave_common *common, const struct slave_options *options)
{
	struct slave *slave = calloc(1, sizeof(*slave));

	if (!slave)
		return NULL;
	slave->common = common;
	slave->options = options;
	slave->link = link_new(
	    common->base, common->dialer, &options->link, &link_events, slave);
	if (slave->link)
		return slave;
	slave_free(slave);
	return NULL;
}

void
slave_free(struct slave *slave)
{
	if (!slave)
		return;
	link_free(slave->link);
	members_unref(slave->members);
	command_free(&slave->command);
	free(slave);
}

void
slave_hold(struct slave *slave, struct members *members, const char *reload)
{
	members_ref(members);
	members_unref(slave->members);
	slave->members = members;
	if (reload) {
		snprintf(slave->reload, sizeof(slave->reload), "%s", reload);
		slave->ordered = true;
	}
	/* Who is looking compares with these already. */
	slave->again = slave->state == SLAVE_COPYING;
	look(slave);
}

static void
on_forwarded(const redisReply *reply, void *arg)
{
	struct slave *slave = arg;

	if (--slave->forwards == 0)
		slave->forward_bytes = 0;
	if (reply && reply->type != REDIS_REPLY_ERROR)
		slave->counts.forwarded++;
	else
		slave->counts.lost++;
}

void
slave_forward(struct slave *slave, const char *bytes, size_t len)
{
	size_t cost = len + FORWARD_COST_BYTES;

	if (slave->state == SLAVE_DOWN ||
	    slave->forward_bytes + cost > FORWARD_MAX_BYTES) {
		slave->counts.lost++;
		return;
	}
	command_add(
	    start(slave, 3, "PUBLISH", slave->common->channel), bytes, len);
	if (call(slave, on_forwarded) == -1) {
		slave->counts.lost++;
		return;
	}
	slave->forwards++;
	slave->forward_bytes += cost;
	link_flush(slave->link);
}

void
slave_report(struct slave *slave)
{
	const struct slave_counts *counts = &slave->counts;
	struct slave_counts said = slave->reported;

	said.unchanged = counts->unchanged;
	if (memcmp(&said, counts, sizeof(said)) == 0)
		return;
	slave->reported = *counts;
	log_info("slave %s: copied %llu, unchanged %llu, failures %llu, "
		 "forwarded %llu, lost %llu",
	    slave->options->name, (unsigned long long)counts->copies,
	    (unsigned long long)counts->unchanged,
	    (unsigned long long)counts->failures,
	    (unsigned long long)counts->forwarded,
	    (unsigned long long)counts->lost);
}
