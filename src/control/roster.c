/*
 * Job: asks for the hash every PERIOD_US while the board is wanted, and turns
 * the reply into lines.
 * Invariant: at most one call is under way.
 * Heart: roster_on_timer() and roster_write().
 */
#include "control/roster.h"

#include "base/clock.h"
#include "base/log.h"
#include "control/fleet_member.h"
#include "net/timer.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PERIOD_US INT64_C(1000000)

/* About so many fields of the hash are looked at. */
#define SCAN_COUNT 1000

/* Longest name that is shown, escaped. */
#define NAME_SIZE 300

struct roster {
	struct link *link;
	struct roster_options options;
	struct timer timer;
	bool asking;
	struct command command;
	struct buf lines; /* reused, for its memory */
};

struct roster_row {
	struct fleet_member member;
	enum fleet_state state;
};

/* Those that do not run the limits of the key come first. */
static int
roster_compare(const void *a, const void *b)
{
	const struct roster_row *left = a, *right = b;
	bool left_current = left->state == FLEET_CURRENT,
	     right_current = right->state == FLEET_CURRENT;

	if (left_current != right_current)
		return left_current - right_current;
	return strcmp(left->member.name, right->member.name);
}

static long long
roster_ago(int64_t now, int64_t then)
{
	return now > then ? now - then : 0;
}

static int
roster_write_row(struct buf *out, const struct roster_row *row, int64_t now)
{
	const struct fleet_member *member = &row->member;
	char digest[FLEET_DIGEST_SIZE * 4], name[NAME_SIZE];

	return buf_printf(out,
	    "member digest=%s limits=%lld loaded=%lld seen=%lld state=%s "
	    "node=%s\n",
	    log_escape(
		digest, sizeof(digest), member->digest, strlen(member->digest)),
	    (long long)member->count, roster_ago(now, member->loaded_at),
	    roster_ago(now, member->seen_at), fleet_state_words[row->state],
	    log_escape(name, sizeof(name), member->name, member->name_len));
}

static int
roster_write_sums(
    struct buf *out, const struct roster_row *rows, size_t count, bool more)
{
	size_t sums[FLEET_STATE_COUNT] = {0};

	for (size_t i = 0; i < count; i++)
		sums[rows[i].state]++;
	if (buf_printf(out, "fleet count=%zu", count) == -1)
		return -1;
	for (int state = 0; state < FLEET_STATE_COUNT; state++)
		if (buf_printf(out, " %s=%zu", fleet_state_words[state],
			sums[state]) == -1)
			return -1;
	return buf_printf(out, " more=%s\n", more ? "yes" : "no");
}

/* Write the ${count} rows that ${fields} has. */
static int
roster_write(struct roster *roster, struct roster_row *rows,
    const redisReply *fields, bool more)
{
	struct buf *out = &roster->lines;
	int64_t now = time(NULL);
	size_t count = 0;

	for (size_t i = 0; i + 1 < fields->elements; i += 2) {
		struct roster_row *row = &rows[count];

		if (fleet_member_read(&row->member, fields->element[i],
			fields->element[i + 1]) == -1)
			continue;
		row->state = fleet_member_state(
		    &row->member, roster->options.digest, now);
		count++;
	}
	if (count > 0)
		qsort(rows, count, sizeof(*rows), roster_compare);
	if (roster_write_sums(out, rows, count, more) == -1)
		return -1;
	for (size_t i = 0; i < count && i < ROSTER_LINES_MAX; i++)
		if (roster_write_row(out, &rows[i], now) == -1)
			return -1;
	return 0;
}

static bool
roster_is_reply(const redisReply *reply)
{
	return reply && reply->type == REDIS_REPLY_ARRAY &&
	       reply->elements == 2 &&
	       reply->element[0]->type == REDIS_REPLY_STRING &&
	       reply->element[1]->type == REDIS_REPLY_ARRAY;
}

/* What went wrong is in the log already: fleet.c uses the same hash. */
static void
roster_on_scanned(const redisReply *reply, void *arg)
{
	struct roster *roster = arg;
	const redisReply *fields;
	struct roster_row *rows;

	roster->asking = false;
	if (!roster_is_reply(reply))
		return;
	fields = reply->element[1];
	rows = calloc(fields->elements / 2 + 1, sizeof(*rows));
	buf_consume(&roster->lines, buf_len(&roster->lines));
	if (rows && roster_write(roster, rows, fields,
			strcmp(reply->element[0]->str, "0") != 0) == 0)
		fleet_board_put(
		    roster->options.board, clock_us(), &roster->lines);
	free(rows);
}

static void
roster_ask(struct roster *roster)
{
	command_start(&roster->command, 5);
	command_add_text(&roster->command, "HSCAN");
	command_add_text(&roster->command, roster->options.key);
	command_add_text(&roster->command, "0");
	command_add_text(&roster->command, "COUNT");
	command_add_int(&roster->command, SCAN_COUNT);
	if (link_call(roster->link, &roster->command,
		clock_us() + roster->options.timeout_us, roster_on_scanned,
		roster) == -1)
		return;
	roster->asking = true;
	link_flush(roster->link);
}

static void
roster_on_timer(void *arg)
{
	struct roster *roster = arg;

	timer_set(&roster->timer, PERIOD_US);
	if (!roster->asking &&
	    fleet_board_is_wanted(roster->options.board, clock_us()))
		roster_ask(roster);
}

struct roster *
roster_new(
    struct loop *loop, struct link *link, const struct roster_options *options)
{
	struct roster *roster = calloc(1, sizeof(*roster));

	if (!roster)
		return NULL;
	roster->link = link;
	roster->options = *options;
	timer_init(&roster->timer, loop, roster_on_timer, roster);
	timer_set(&roster->timer, PERIOD_US);
	return roster;
}

void
roster_free(struct roster *roster)
{
	if (!roster)
		return;
	timer_stop(&roster->timer);
	command_free(&roster->command);
	buf_free(&roster->lines);
	free(roster);
}
