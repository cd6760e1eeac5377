/*
 * Job: replays recorded demand against the limits of a file and against those
 * in force, and says what differs.
 * Invariant: both sets see the same requests in the same order.
 * The heart: what_if_replay().
 */
#include "base/attr.h"
#include "cli/commands.h"
#include "cli/json.h"
#include "cli/limit_set.h"
#include "cli/record.h"
#include "cli/replay.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cli/timeline.h"
#include "cli/victims.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So many keys are shown. */
#define SHOWN_KEYS 10

/* What one limit did. */
struct tally {
	int64_t requests, denied;
};

/* One of the two sets. */
struct what_if_side {
	struct limit_set set;
	struct replay *replay;
	struct tally *tallies; /* by the limit's order */
	struct tally none;     /* of what no limit is for */
	int64_t denied;
};

struct what_if {
	struct tool *tool;
	struct what_if_side now, then;
	struct victims *victims;
	struct timeline timeline;
	int64_t requests;
	int64_t dropped;
	int64_t first_us, last_us;
};

static int
what_if_no_memory(void)
{
	return tool_error("out of memory");
}

/*
 * The two sets.
 */

static const struct rules *
what_if_rules(const struct what_if_side *side)
{
	return side->set.count > 0 ? side->set.entries[0].rules : NULL;
}

/* Its set was read. */
static int
what_if_start_side(struct what_if_side *side)
{
	const struct rules *rules = what_if_rules(side);

	if (!rules)
		return tool_error("%s: no limits", side->set.name);
	side->replay = replay_new(rules);
	side->tallies = calloc(rules_count(rules) + 1, sizeof(*side->tallies));
	return side->replay && side->tallies ? STATUS_FINE
					     : what_if_no_memory();
}

static int
what_if_read_sides(struct what_if *what_if)
{
	struct tool *tool = what_if->tool;

	if (limit_set_read_file(&what_if->then.set, tool->words[0]) == -1)
		return STATUS_ERROR;
	if ((tool->against
		    ? limit_set_read_file(&what_if->now.set, tool->against)
		    : limit_set_read_daemon(&what_if->now.set, tool)) == -1)
		return STATUS_ERROR;
	if (what_if_start_side(&what_if->then) != STATUS_FINE)
		return STATUS_ERROR;
	return what_if_start_side(&what_if->now);
}

static void
what_if_end_side(struct what_if_side *side)
{
	replay_free(side->replay);
	free(side->tallies);
	limit_set_free(&side->set);
}

static struct tally *
what_if_tally(struct what_if_side *side, const struct limit *limit)
{
	return limit ? &side->tallies[limit->order] : &side->none;
}

/* The tally of the limit of that name, or NULL. */
static const struct tally *
what_if_named(const struct what_if_side *side, const char *name)
{
	const struct rules *rules = what_if_rules(side);

	for (size_t i = 0; i < rules_count(rules); i++)
		if (strcmp(rules_at(rules, i)->name, name) == 0)
			return &side->tallies[i];
	return NULL;
}

/*
 * Replaying.
 */

static int
what_if_decide(struct what_if_side *side, const struct demand *demand,
    struct replay_decision *decision)
{
	struct tally *tally;

	if (replay_decide(side->replay, demand, decision) == -1)
		return -1;
	tally = what_if_tally(side, decision->limit);
	tally->requests++;
	tally->denied += !decision->allowed;
	side->denied += !decision->allowed;
	return 0;
}

static int
what_if_take(struct what_if *what_if, const struct demand *demand)
{
	struct replay_decision now, then;
	struct timeline *timeline = &what_if->timeline;

	if (what_if_decide(&what_if->now, demand, &now) == -1 ||
	    what_if_decide(&what_if->then, demand, &then) == -1)
		return -1;
	if (what_if->requests++ == 0)
		what_if->first_us = demand->at_us;
	what_if->last_us = demand->at_us;
	timeline_add(timeline, TIMELINE_ALL, demand->at_us);
	if (!now.allowed)
		timeline_add(timeline, TIMELINE_BEFORE, demand->at_us);
	if (!then.allowed)
		timeline_add(timeline, TIMELINE_AFTER, demand->at_us);
	if (now.allowed && then.allowed)
		return 0;
	return victims_add(what_if->victims, &demand->key,
	    then.limit ? then.limit->name : "-", demand->at_us, !now.allowed,
	    !then.allowed);
}

static int
what_if_replay(struct what_if *what_if, FILE *file, const char *name)
{
	struct recording recording;
	struct demand demand;
	enum recording_result result = RECORDING_BAD;
	int status = STATUS_FINE;

	if (recording_open(&recording, file, name) == 0)
		while ((result = recording_next(&recording, &demand)) ==
		       RECORDING_DEMAND)
			if (what_if_take(what_if, &demand) == -1) {
				status = what_if_no_memory();
				break;
			}
	what_if->dropped = recording.dropped;
	if (result == RECORDING_BAD)
		status = STATUS_ERROR;
	else if (recording.is_cut)
		fprintf(stderr,
		    "dripgate: %s ends within a line, which is "
		    "left out\n",
		    name);
	recording_end(&recording);
	return status;
}

/*
 * Showing.
 */

static double
what_if_seconds(const struct what_if *what_if)
{
	return (double)(what_if->last_us - what_if->first_us) / 1e6;
}

static void
what_if_add_row(struct table *table, const char *name, const struct tally *now,
    const struct tally *then)
{
	const struct tally *shown = then ? then : now;

	table_add(table, "%s", name);
	table_add(table, "%" PRId64, shown->requests);
	if (then)
		table_add(table, "%" PRId64, then->requests - then->denied);
	else
		table_add(table, "%s", "-");
	if (then)
		table_add(table, "%" PRId64, then->denied);
	else
		table_add(table, "%s", "-");
	if (then && then->denied > (now ? now->denied : 0))
		table_colour(table, COLOUR_RED);
	if (now)
		table_add(table, "%" PRId64, now->denied);
	else
		table_add(table, "%s", "-");
}

static int
what_if_show_limits(const struct what_if *what_if)
{
	static const char *const headings[] = {
	    "LIMIT", " REQUESTS", " ALLOWED", " DENIED", " NOW"};
	const struct rules *then = what_if_rules(&what_if->then);
	const struct rules *now = what_if_rules(&what_if->now);
	struct table table = {.columns = COUNT(headings)};
	int status;

	for (size_t i = 0; i < COUNT(headings); i++)
		table_add(&table, "%s", headings[i]);
	for (size_t i = 0; i < rules_count(then); i++)
		what_if_add_row(&table, rules_at(then, i)->name,
		    what_if_named(&what_if->now, rules_at(then, i)->name),
		    &what_if->then.tallies[i]);
	for (size_t i = 0; i < rules_count(now); i++)
		if (!what_if_named(&what_if->then, rules_at(now, i)->name))
			what_if_add_row(&table, rules_at(now, i)->name,
			    &what_if->now.tallies[i], NULL);
	if (what_if->then.none.requests + what_if->now.none.requests > 0)
		what_if_add_row(
		    &table, "-", &what_if->now.none, &what_if->then.none);
	status =
	    table_print(&table, what_if->tool, (struct table_room){0}, stdout);
	table_free(&table);
	return status;
}

static int
what_if_show_keys(const struct what_if *what_if)
{
	static const char *const headings[] = {
	    "KEY", "LIMIT", " DENIED", " NOW", " FIRST"};
	const struct victim *list;
	size_t count = victims_sort(what_if->victims, &list);
	struct table table = {.columns = COUNT(headings)};
	int status = 0;

	for (size_t i = 0; i < COUNT(headings); i++)
		table_add(&table, "%s", headings[i]);
	for (size_t i = 0; i < count && i < SHOWN_KEYS; i++) {
		table_add_bytes(&table, list[i].key, list[i].len);
		table_add(&table, "%s", list[i].limit);
		table_add(&table, "%" PRId64, list[i].denied_then);
		table_add(&table, "%" PRId64, list[i].denied_now);
		table_add(&table, "%.1f s",
		    (double)(list[i].first_us - what_if->first_us) / 1e6);
	}
	if (count > 0) {
		putchar('\n');
		status = table_print(
		    &table, what_if->tool, (struct table_room){0}, stdout);
		if (count > SHOWN_KEYS)
			text_line("and %zu more keys", count - SHOWN_KEYS);
	}
	table_free(&table);
	return status;
}

static int
what_if_show(const struct what_if *what_if)
{
	int64_t now = what_if->now.denied, then = what_if->then.denied;

	text_line("%" PRId64 " requests in %.1f s; %" PRId64
		  " more were not recorded",
	    what_if->requests, what_if_seconds(what_if), what_if->dropped);
	text_line("%" PRId64 " denied, %" PRId64 " by the limits in force",
	    then, now);
	putchar('\n');
	if (what_if_show_limits(what_if) == -1 ||
	    what_if_show_keys(what_if) == -1)
		return -1;
	return 0;
}

static void
what_if_json_tally(struct json *json, const char *name, const struct tally *now,
    const struct tally *then)
{
	json_open(json, NULL, '{');
	json_text(json, "limit", name);
	if (then) {
		json_int(json, "requests", then->requests);
		json_int(json, "denied", then->denied);
	}
	if (now) {
		json_int(json, "requests_now", now->requests);
		json_int(json, "denied_now", now->denied);
	}
	json_close(json, '}');
}

static void
what_if_json_limits(const struct what_if *what_if, struct json *json)
{
	const struct rules *then = what_if_rules(&what_if->then);
	const struct rules *now = what_if_rules(&what_if->now);

	json_open(json, "limits", '[');
	for (size_t i = 0; i < rules_count(then); i++)
		what_if_json_tally(json, rules_at(then, i)->name,
		    what_if_named(&what_if->now, rules_at(then, i)->name),
		    &what_if->then.tallies[i]);
	for (size_t i = 0; i < rules_count(now); i++)
		if (!what_if_named(&what_if->then, rules_at(now, i)->name))
			what_if_json_tally(json, rules_at(now, i)->name,
			    &what_if->now.tallies[i], NULL);
	what_if_json_tally(json, "-", &what_if->now.none, &what_if->then.none);
	json_close(json, ']');
}

static void
what_if_show_json(const struct what_if *what_if)
{
	struct json json = {.to = stdout};
	const struct victim *list;
	size_t count = victims_sort(what_if->victims, &list);
	char seconds[40];

	snprintf(seconds, sizeof(seconds), "%.6f", what_if_seconds(what_if));
	json_open(&json, NULL, '{');
	json_int(&json, "requests", what_if->requests);
	json_raw(&json, "seconds", seconds);
	json_int(&json, "dropped", what_if->dropped);
	json_int(&json, "denied", what_if->then.denied);
	json_int(&json, "denied_now", what_if->now.denied);
	what_if_json_limits(what_if, &json);
	json_open(&json, "keys", '[');
	for (size_t i = 0; i < count && i < SHOWN_KEYS; i++) {
		json_open(&json, NULL, '{');
		json_bytes(&json, "key", list[i].key, list[i].len);
		json_text(&json, "limit", list[i].limit);
		json_int(&json, "denied", list[i].denied_then);
		json_int(&json, "denied_now", list[i].denied_now);
		json_int(&json, "first_us", list[i].first_us);
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_int(&json, "keys_denied", (int64_t)count);
	json_close(&json, '}');
	json_end(&json);
}

static int
what_if_draw(const struct what_if *what_if)
{
	const char *path = what_if->tool->chart;
	FILE *to;
	int failed;

	if (!path)
		return STATUS_FINE;
	to = fopen(path, "we");
	if (!to)
		return tool_error("%s: %m", path);
	timeline_draw(&what_if->timeline, to);
	failed = ferror(to);
	return fclose(to) == EOF || failed ? tool_error("%s: %m", path)
					   : STATUS_FINE;
}

/*
 * The command.
 */

/* The demand: what is recorded now, or the file. */
static FILE *
what_if_demand(struct tool *tool)
{
	FILE *file;

	if (tool->live_us == 0) {
		file = fopen(tool->demand, "re");
		if (!file)
			tool_error("%s: %m", tool->demand);
		return file;
	}
	file = tool->demand ? fopen(tool->demand, "w+xe") : tmpfile();
	if (!file) {
		tool_error("%s: %m", tool->demand ? tool->demand : "tmpfile");
		return NULL;
	}
	if (record_live(tool, file) == STATUS_FINE) {
		rewind(file);
		return file;
	}
	fclose(file);
	return NULL;
}

static int
what_if_do(struct what_if *what_if)
{
	struct tool *tool = what_if->tool;
	int status = what_if_read_sides(what_if);
	FILE *file;

	if (status != STATUS_FINE)
		return status;
	file = what_if_demand(tool);
	if (!file)
		return STATUS_ERROR;
	status =
	    what_if_replay(what_if, file, tool->demand ? tool->demand : "live");
	fclose(file);
	if (status != STATUS_FINE)
		return status;
	if (tool->json)
		what_if_show_json(what_if);
	else if (what_if_show(what_if) == -1)
		return STATUS_ERROR;
	status = what_if_draw(what_if);
	if (status != STATUS_FINE)
		return status;
	return victims_gained(what_if->victims) ? STATUS_DIFFERENT
						: STATUS_FINE;
}

int
what_if_run(struct tool *tool)
{
	struct what_if *what_if;
	int status;

	if (!tool->demand && tool->live_us == 0)
		return tool_error("what-if needs --demand RECORDING, as tail "
				  "--record writes it, or --live TIME");
	what_if = calloc(1, sizeof(*what_if));
	if (!what_if)
		return what_if_no_memory();
	what_if->tool = tool;
	what_if->victims = victims_new();
	status = what_if->victims ? what_if_do(what_if) : what_if_no_memory();
	victims_free(what_if->victims);
	what_if_end_side(&what_if->now);
	what_if_end_side(&what_if->then);
	free(what_if);
	return status;
}
