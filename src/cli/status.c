/*
 * status: how one dripgated is, on one screen; the exit status says whether
 * something is wrong.
 * Holds: what is not understood is left out, so that it goes with newer
 * daemons.
 * The heart is the table of subjects.
 */
#include "base/attr.h"
#include "base/clock.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/fields.h"
#include "cli/interrupt.h"
#include "cli/json.h"
#include "cli/rates.h"
#include "cli/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How long requests are counted for their rates, and how many limits show. */
#define RATE_US  INT64_C(1000000)
#define BUSY_MAX 5

#define VALUE_LEN 400

struct summary {
	struct tool *tool;
	struct json json;
	const char *array; /* that is open, in JSON; or NULL */
	bool is_wrong;
	struct rates before, now;
};

/* A line without its first word, and the field that goes on to its end. */
struct status_line {
	char fields[2500];
	const char *tail_name, *tail; /* NULL: none */
};

static void
status_find(
    const struct status_line *line, const char *name, char to[VALUE_LEN])
{
	const char *at = line->fields;
	struct field field;

	strcpy(to, "?");
	while (fields_next(&at, &field))
		if (field_is(&field, name))
			snprintf(to, VALUE_LEN, "%.*s", (int)field.value_len,
			    field.value);
}

/* 12.5 as "12 s", 7260 as "2 h 1 min". */
static void
status_time(
    char to[VALUE_LEN], const struct status_line *line, const char *name)
{
	char value[VALUE_LEN];
	long seconds;

	status_find(line, name, value);
	seconds = strtol(value, NULL, 10);
	if (seconds < 60)
		snprintf(to, VALUE_LEN, "%ld s", seconds);
	else if (seconds < 3600)
		snprintf(to, VALUE_LEN, "%ld min", seconds / 60);
	else if (seconds < 86400)
		snprintf(to, VALUE_LEN, "%ld h %ld min", seconds / 3600,
		    seconds / 60 % 60);
	else
		snprintf(to, VALUE_LEN, "%ld d %ld h", seconds / 86400,
		    seconds / 3600 % 24);
}

static void
status_daemon(const struct status_line *line)
{
	static const struct {
		const char *state, *text;
	} states[] = {
	    {"redis", "Redis decides"},
	    {"memory", "buckets are in memory"},
	    {"fallback", "Redis does not respond, on_error decides"},
	    {"draining", "it is about to end"},
	    {"nolimits", "no limits are in force"},
	};
	char version[VALUE_LEN], state[VALUE_LEN], up[VALUE_LEN];
	const char *text = state;

	status_find(line, "version", version);
	status_find(line, "state", state);
	status_time(up, line, "uptime");
	for (size_t i = 0; i < COUNT(states); i++)
		if (strcmp(states[i].state, state) == 0)
			text = states[i].text;
	text_line("daemon    %s, for %s: %s", version, up, text);
}

static void
status_limits(const struct status_line *line)
{
	char count[VALUE_LEN], digest[VALUE_LEN], age[VALUE_LEN];

	status_find(line, "count", count);
	status_find(line, "digest", digest);
	status_time(age, line, "age");
	text_line("limits    %s, since %s ago (%.8s)", count, age, digest);
	if (line->tail)
		text_line("          last change: %s", line->tail);
}

static void
status_refused(const struct status_line *line)
{
	char age[VALUE_LEN];

	status_time(age, line, "age");
	text_line("refused   %s ago: %s", age, line->tail ? line->tail : "?");
}

static void
status_override(const struct status_line *line)
{
	char pattern[VALUE_LEN], used[VALUE_LEN];

	status_find(line, "pattern", pattern);
	status_find(line, "used", used);
	text_line("override  %s: %s (used %s times)", pattern,
	    line->tail ? line->tail : "?", used);
}

static void
status_server(const struct status_line *line)
{
	char up[VALUE_LEN], since[VALUE_LEN], calls[VALUE_LEN];
	char errors[VALUE_LEN], reconnects[VALUE_LEN];

	status_find(line, "up", up);
	status_find(line, "calls", calls);
	status_find(line, "errors", errors);
	status_find(line, "reconnects", reconnects);
	status_time(since, line, "since");
	text_line("redis     %s %s, since %s ago; %s calls, %s errors, "
		  "%s reconnects",
	    line->tail ? line->tail : "?",
	    strcmp(up, "yes") == 0 ? "up" : "DOWN", since, calls, errors,
	    reconnects);
}

static void
status_upstream(const struct status_line *line)
{
	char requests[VALUE_LEN], sent[VALUE_LEN], failed[VALUE_LEN];
	char refused[VALUE_LEN], state[VALUE_LEN];

	status_find(line, "requests", requests);
	status_find(line, "sent", sent);
	status_find(line, "failed", failed);
	status_find(line, "refused", refused);
	status_find(line, "state", state);
	text_line("upstream  %s %s; %s requests not stored, %s sent, %s "
		  "failed, %s refused",
	    line->tail ? line->tail : "?", state, requests, sent, failed,
	    refused);
}

static void
status_requests(const struct status_line *line)
{
	char allowed[VALUE_LEN], denied[VALUE_LEN], fallback[VALUE_LEN];
	double all;

	status_find(line, "allowed", allowed);
	status_find(line, "denied", denied);
	status_find(line, "fallback", fallback);
	all = strtod(allowed, NULL) + strtod(denied, NULL);
	text_line("requests  %s allowed, %s denied, %s decided by on_error "
		  "(%.1f %%)",
	    allowed, denied, fallback,
	    all > 0 ? strtod(fallback, NULL) / all * 100 : 0);
}

static const struct {
	const char *word, *tail;
	const char *array; /* of several, in JSON; NULL: there is one */
	void (*show)(const struct status_line *line);
} subjects[] = {
    {"daemon", NULL, NULL, status_daemon},
    {"limits", " changes=", NULL, status_limits},
    {"refused", " reason=", NULL, status_refused},
    {"override", " note=", "overrides", status_override},
    {"server", " name=", "servers", status_server},
    {"upstream", " name=", "upstreams", status_upstream},
    {"requests", NULL, NULL, status_requests},
};

/* Have the array open that these lines are in, or none. */
static void
status_set_array(struct summary *summary, const char *array)
{
	if (summary->array == array)
		return;
	if (summary->array)
		json_close(&summary->json, ']');
	if (array)
		json_open(&summary->json, array, '[');
	summary->array = array;
}

static void
status_write(struct summary *summary, size_t i, const struct status_line *line)
{
	struct json *json = &summary->json;
	char tail[20];

	status_set_array(summary, subjects[i].array);
	json_open(json, subjects[i].array ? NULL : subjects[i].word, '{');
	fields_write(json, line->fields);
	if (line->tail) {
		snprintf(tail, sizeof(tail), "%.*s",
		    (int)strcspn(subjects[i].tail + 1, "="),
		    subjects[i].tail + 1);
		json_text(json, tail, line->tail);
	}
	json_close(json, '}');
}

/* Whether something is wrong. */
static void
status_judge(struct summary *summary, size_t i, const struct status_line *line)
{
	char value[VALUE_LEN];

	if (strcmp(subjects[i].word, "daemon") == 0) {
		status_find(line, "state", value);
		summary->is_wrong |=
		    strcmp(value, "redis") != 0 && strcmp(value, "memory") != 0;
	} else if (strcmp(subjects[i].word, "server") == 0) {
		status_find(line, "up", value);
		summary->is_wrong |= strcmp(value, "yes") != 0;
	} else if (strcmp(subjects[i].word, "refused") == 0) {
		summary->is_wrong = true;
	}
}

static void
status_take_line(const char *text, void *arg)
{
	struct summary *summary = arg;
	size_t len = strcspn(text, " ");

	for (size_t i = 0; i < COUNT(subjects); i++) {
		struct status_line line = {.tail = NULL};
		char *tail;

		if (strlen(subjects[i].word) != len ||
		    strncmp(text, subjects[i].word, len) != 0)
			continue;
		snprintf(line.fields, sizeof(line.fields), "%s", text + len);
		tail = subjects[i].tail ? strstr(line.fields, subjects[i].tail)
					: NULL;
		if (tail) {
			*tail = '\0';
			line.tail = tail + strlen(subjects[i].tail);
		}
		status_judge(summary, i, &line);
		if (summary->tool->json)
			status_write(summary, i, &line);
		else
			subjects[i].show(&line);
	}
}

/*
 * The busiest limits.
 */

static void
status_take_rate(const char *line, void *arg)
{
	if (rates_add(arg, line) == -1)
		return; /* it is not shown */
}

static int
status_measure(struct summary *summary)
{
	int status = client_lines(
	    summary->tool, "LIMITS", status_take_rate, &summary->before);

	if (status != STATUS_FINE)
		return status;
	summary->before.at_us = clock_us();
	interrupt_wait(-1, clock_us() + RATE_US);
	status = client_lines(
	    summary->tool, "LIMITS", status_take_rate, &summary->now);
	summary->now.at_us = clock_us();
	rates_finish(&summary->now, &summary->before);
	return status;
}

static void
status_show_busiest(const struct rates *rates)
{
	for (size_t i = 0; i < rates->count && i < BUSY_MAX; i++) {
		const struct rate_row *row = &rates->rows[i];

		if (row->per_second[RATE_allowed] +
			row->per_second[RATE_denied] <
		    0.5)
			break;
		text_line("%-10s%s: %.0f allowed, %.0f denied a second",
		    i == 0 ? "busiest" : "", row->name,
		    row->per_second[RATE_allowed],
		    row->per_second[RATE_denied]);
	}
}

int
status_show(struct tool *tool)
{
	struct summary summary = {.tool = tool, .json = {.to = stdout}};
	int status = tool->json ? STATUS_FINE : status_measure(&summary);

	if (status == STATUS_FINE) {
		if (tool->json)
			json_open(&summary.json, NULL, '{');
		status =
		    client_lines(tool, "STATUS", status_take_line, &summary);
	}
	if (status == STATUS_FINE && tool->json) {
		status_set_array(&summary, NULL);
		json_close(&summary.json, '}');
		json_end(&summary.json);
	} else if (status == STATUS_FINE) {
		status_show_busiest(&summary.now);
	}
	rates_free(&summary.before);
	rates_free(&summary.now);
	return status == STATUS_FINE && summary.is_wrong ? STATUS_DIFFERENT
							 : status;
}
