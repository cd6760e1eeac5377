/*
 * why: may a key go ahead, and if not, why not: one sentence, then what it
 * rests on.
 * Holds: the key is a word of the protocol, so that no request can follow it.
 * The heart is why_write_verdict().
 */
#include "base/attr.h"
#include "base/clock.h"
#include "cli/client.h"
#include "cli/client_words.h"
#include "cli/commands.h"
#include "cli/explain.h"
#include "cli/fields.h"
#include "cli/json.h"
#include "cli/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define REQUEST_LEN 512
#define LINE_LEN    4096

/* The decision about one drop more, and what TOP says of the key. */
struct verdict {
	struct tool *tool;
	const char *key;
	char decider[LINE_LEN];  /* the key that decides: that, or one which its
				  * limit charges too */
	char decision[LINE_LEN]; /* "DENY limit=login level=5 ..." */
	char denied[LINE_LEN];   /* "limit=login rate=...", or "" */
	char
	    override[LINE_LEN]; /* "deny until TIME by AUTHOR: REASON", or "" */
	char upstream[LINE_LEN]; /* "state=blocked again=...", of one that is
				  * not ready and charges the key, or "" */
	char sentence[3200];
};

static bool
why_find(const char *text, const char *name, char *to, size_t size)
{
	struct field field;

	*to = '\0';
	while (fields_next(&text, &field))
		if (field_is(&field, name)) {
			snprintf(to, size, "%.*s", (int)field.value_len,
			    field.value);
			return true;
		}
	return false;
}

/* A number of a decision, or 0. */
static double
why_number(const char *text, const char *name)
{
	char value[40];

	return why_find(text, name, value, sizeof(value)) ? strtod(value, NULL)
							  : 0;
}

/* 14:23:05, or, if that is not today's, with the date. */
static void
why_clock(char *to, size_t size, double seconds)
{
	time_t now = time(NULL), then = now + (time_t)(seconds + 0.5);
	struct tm today, at;

	localtime_r(&now, &today);
	localtime_r(&then, &at);
	strftime(to, size,
	    today.tm_yday == at.tm_yday && today.tm_year == at.tm_year
		? "%H:%M:%S"
		: "%Y-%m-%d %H:%M:%S",
	    &at);
}

/* The line about the key, among those of TOP. */
static void
why_take_top(const char *line, void *arg)
{
	struct verdict *verdict = arg;
	const char *key = strstr(line, " key=");

	if (strncmp(line, "denied ", 7) == 0 && key &&
	    strcmp(key + 5, verdict->decider) == 0)
		snprintf(verdict->denied, sizeof(verdict->denied), "%.*s",
		    (int)(key - line - 7), line + 7);
}

static const char *
why_fields(const struct verdict *verdict)
{
	return verdict->decision + strcspn(verdict->decision, " ");
}

/* The last field is the key that decides, if there are several.  Return whether
 * it is there. */
static bool
why_take_decider(struct verdict *verdict)
{
	char *field = strstr(verdict->decision, " key=");

	snprintf(verdict->decider, sizeof(verdict->decider), "%s",
	    field ? field + strlen(" key=") : verdict->key);
	if (field)
		*field = '\0';
	return field != NULL;
}

/* TOP has the key as its limit normalizes it; an override may change what its
 * limit says; requests to an upstream may be held back by more than that. */
static void
why_take_explained(const char *line, void *arg)
{
	static const char mark[] = "), override ";
	struct verdict *verdict = arg;
	const char *override =
	    strncmp(line, "limit ", 6) == 0 ? strstr(line, mark) : NULL;
	char state[40];

	if (override)
		snprintf(verdict->override, sizeof(verdict->override), "%s",
		    override + strlen(mark));
	if (strncmp(line, "upstream ", 9) == 0 &&
	    why_find(line + 9, "state", state, sizeof(state)) &&
	    strcmp(state, "ready") != 0)
		snprintf(verdict->upstream, sizeof(verdict->upstream), "%s",
		    line + 9);
	if (strncmp(line, "normalized ", 11) == 0)
		snprintf(verdict->decider, sizeof(verdict->decider), "%s",
		    line + 11);
}

static int
why_ask(struct verdict *verdict)
{
	char request[REQUEST_LEN];
	int status;

	snprintf(request, sizeof(request), "PEEK %s 1", verdict->key);
	status = client_line(verdict->tool, request, verdict->decision,
	    sizeof(verdict->decision));
	if (status != STATUS_FINE)
		return status;
	if (why_take_decider(verdict))
		return client_lines(
		    verdict->tool, "TOP 1000", why_take_top, verdict);
	snprintf(request, sizeof(request), "EXPLAIN %s", verdict->key);
	status =
	    client_lines(verdict->tool, request, why_take_explained, verdict);
	if (status != STATUS_FINE)
		return status;
	return client_lines(verdict->tool, "TOP 1000", why_take_top, verdict);
}

static bool
why_is_denied(const struct verdict *verdict)
{
	return strncmp(verdict->decision, "DENY ", 5) == 0;
}

/* " (5 of 5 drops)" */
static void
why_write_level(FILE *to, const char *fields)
{
	fprintf(to, " (%.0f of %.0f drops)", why_number(fields, "level"),
	    why_number(fields, "capacity"));
}

/* Until when, since when, and what lifts it. */
static void
why_write_denial(FILE *to, const struct verdict *verdict, const char *fields)
{
	double blocked = why_number(fields, "blocked");
	char at[40], retry[40], from[40];

	why_find(fields, "from", from, sizeof(from));
	if (strcmp(from, "action") == 0) {
		if (!*verdict->override)
			fputs(", whose action is deny", to);
		return;
	}
	fputs(blocked > 0 ? ", which blocks it" : ", whose bucket is full", to);
	why_write_level(to, fields);
	why_find(fields, "retry", retry, sizeof(retry));
	if (strcmp(retry, "never") == 0) {
		fputs(", for ever", to);
	} else {
		why_clock(at, sizeof(at), why_number(fields, "retry"));
		fprintf(
		    to, ", until %s (%.1f s)", at, why_number(fields, "retry"));
	}
	if (*verdict->denied) {
		why_clock(
		    at, sizeof(at), -why_number(verdict->denied, "first"));
		fprintf(to, "; denied since %s, %.1f times a second", at,
		    why_number(verdict->denied, "rate"));
	}
	fprintf(to, "; dripgate reset %s lifts it", verdict->decider);
}

/* What decides, if it is not what should. */
static void
why_write_fallback(FILE *to, const char *fields)
{
	char from[40];

	if (why_find(fields, "from", from, sizeof(from)) &&
	    strcmp(from, "fallback") == 0)
		fputs(", as on_error says, since Redis does not respond", to);
}

/* By whom, until when, and why. */
static void
why_write_override(FILE *to, const struct verdict *verdict)
{
	if (*verdict->override)
		fprintf(to, "; an override is in force: %s", verdict->override);
}

/* "; but upstream api is blocked until 14:23:05 (12.0 s)" */
static void
why_write_upstream(FILE *to, const struct verdict *verdict)
{
	double again = why_number(verdict->upstream, "again");
	char name[80], state[40], at[40];

	if (!why_find(verdict->upstream, "name", name, sizeof(name)))
		return;
	why_find(verdict->upstream, "state", state, sizeof(state));
	why_clock(at, sizeof(at), again);
	fprintf(to, "; but upstream %s is %s until %s (%.1f s)", name, state,
	    at, again);
}

static void
why_write_verdict(FILE *to, const struct verdict *verdict)
{
	const char *fields = why_fields(verdict);
	bool denied = why_is_denied(verdict);
	char limit[80];

	why_find(fields, "limit", limit, sizeof(limit));
	fprintf(to, "%s is %s", verdict->key, denied ? "denied" : "allowed");
	if (strcmp(limit, "-") == 0) {
		fprintf(to, ": no limit matches %s",
		    strcmp(verdict->decider, verdict->key) == 0
			? "it"
			: verdict->decider);
	} else {
		fprintf(to, " by limit %s", limit);
		if (strcmp(verdict->decider, verdict->key) != 0)
			fprintf(to, " of %s", verdict->decider);
		if (denied)
			why_write_denial(to, verdict, fields);
		else
			why_write_level(to, fields);
		why_write_fallback(to, fields);
		why_write_override(to, verdict);
	}
	why_write_upstream(to, verdict);
	fputc('.', to);
}

static int
why_write_members(struct json *json, void *arg)
{
	const struct verdict *verdict = arg;
	int status;

	json_text(json, "key", verdict->key);
	if (strcmp(verdict->decider, verdict->key) != 0)
		json_text(json, "decider", verdict->decider);
	json_raw(json, "allowed", why_is_denied(verdict) ? "false" : "true");
	json_text(json, "verdict", verdict->sentence);
	fields_write(json, why_fields(verdict));
	if (*verdict->override)
		json_text(json, "override", verdict->override);
	if (*verdict->denied) {
		json_open(json, "denied", '{');
		fields_write(json, verdict->denied);
		json_close(json, '}');
	}
	if (*verdict->upstream) {
		json_open(json, "upstream", '{');
		fields_write(json, verdict->upstream);
		json_close(json, '}');
	}
	json_open(json, "explain", '{');
	status = explain_write_members(json, verdict->tool);
	json_close(json, '}');
	return status;
}

static int
why_write_text(const struct verdict *verdict)
{
	const struct tool *tool = verdict->tool;
	char request[REQUEST_LEN];

	fputs(tool_colour(
		  tool, why_is_denied(verdict) ? COLOUR_RED : COLOUR_GREEN),
	    stdout);
	text_write(stdout, verdict->sentence, strlen(verdict->sentence));
	fputs(tool_plain(tool), stdout);
	fputs("\n\n", stdout);
	snprintf(request, sizeof(request), "EXPLAIN %s", verdict->key);
	return client_lines(verdict->tool, request, client_show_plain, NULL);
}

int
why_show(struct tool *tool)
{
	struct verdict verdict = {.tool = tool, .key = tool->words[0]};
	FILE *to;
	int status;

	if (client_words_check(tool) == -1)
		return STATUS_ERROR;
	status = why_ask(&verdict);
	if (status != STATUS_FINE)
		return status;
	to = fmemopen(verdict.sentence, sizeof(verdict.sentence), "w");
	if (!to)
		return tool_error("out of memory");
	why_write_verdict(to, &verdict);
	fclose(to);
	status = tool->json ? client_object(why_write_members, &verdict)
			    : why_write_text(&verdict);
	return status == STATUS_FINE && why_is_denied(&verdict)
		   ? STATUS_DIFFERENT
		   : status;
}
