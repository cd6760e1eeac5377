/*
 * tail: shows the decisions of one dripgated as they are made.
 * Holds: it asks again and again for what came since, and says how many
 * decisions it does not show because there were too many.
 * The heart is tail_loop().
 */
#include "base/attr.h"
#include "base/clock.h"
#include "cli/commands.h"
#include "cli/fields.h"
#include "cli/gate_client.h"
#include "cli/interrupt.h"
#include "cli/json.h"
#include "cli/text.h"
#include "limit/glob.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TICK_US INT64_C(200000)

/* Ask at once after so many decisions: there may be more. */
#define MANY 60

struct tail {
	const struct tool *tool;
	const char *glob; /* keys that are shown; NULL: all */
	struct gate_client client;
	char next[40];  /* the number of the next decision; "": not known */
	unsigned heard; /* decisions in the last response */
	int64_t shown;
};

/* The clock of a line: 14:23:05.123. */
static void
tail_write_clock(const char *seconds)
{
	char text[40];
	double at = strtod(seconds, NULL);
	time_t whole = (time_t)at;
	struct tm tm;

	localtime_r(&whole, &tm);
	strftime(text, sizeof(text), "%H:%M:%S", &tm);
	printf("%s.%03d ", text, (int)((at - (double)whole) * 1000));
}

static void
tail_show(const struct tail *tail, const char *line, const char *key)
{
	bool denied = strncmp(line, "DENY ", 5) == 0;
	const char *at = strstr(line, " at=");
	const char *fields = line + strcspn(line, " ");
	struct json json = {.to = stdout};

	if (tail->tool->json) {
		json_open(&json, NULL, '{');
		json_text(&json, "key", key);
		json_raw(&json, "allowed", denied ? "false" : "true");
		fields_write(&json, fields);
		json_close(&json, '}');
		json_end(&json);
		return;
	}
	if (at)
		tail_write_clock(at + strlen(" at="));
	fputs(tool_colour(tail->tool, denied ? COLOUR_RED : COLOUR_GREEN),
	    stdout);
	fputs(denied ? "DENY " : "ALLOW", stdout);
	fputs(tool_plain(tail->tool), stdout);
	putchar(' ');
	text_write(stdout, key, strlen(key));
	text_write(stdout, fields, at ? (size_t)(at - fields) : strlen(fields));
	putchar('\n');
}

static bool
tail_is_wanted(const struct tail *tail, const char *line, const char *key)
{
	const struct tool *tool = tail->tool;
	bool denied = strncmp(line, "DENY ", 5) == 0;

	if (!denied && strncmp(line, "ALLOW ", 6) != 0)
		return false;
	return !(tool->denied && !denied) && !(tool->allowed && denied) &&
	       (!tail->glob || glob_matches(tail->glob, key, strlen(key)));
}

/* "next number=N dropped=M" */
static void
tail_take_next(struct tail *tail, const char *fields)
{
	struct field field;

	while (fields_next(&fields, &field)) {
		if (field_is(&field, "number"))
			snprintf(tail->next, sizeof(tail->next), "%.*s",
			    (int)field.value_len, field.value);
		else if (field_is(&field, "dropped") && *field.value != '0' &&
			 !tail->tool->json)
			text_line("... %.*s decisions were too many",
			    (int)field.value_len, field.value);
	}
}

/* A decision, with its key at the end, or what comes next. */
static void
tail_take_line(struct tail *tail, const char *line)
{
	char copy[4096];
	char *key;

	if (strncmp(line, "next ", 5) == 0) {
		tail_take_next(tail, line + 5);
		return;
	}
	snprintf(copy, sizeof(copy), "%s", line);
	key = strstr(copy, " key=");
	if (!key)
		return;
	tail->heard++;
	*key = '\0';
	key += strlen(" key=");
	if (!tail_is_wanted(tail, copy, key) ||
	    (tail->tool->count && tail->shown == tail->tool->count))
		return;
	tail_show(tail, copy, key);
	tail->shown++;
}

/* Return 0, or -1: the error was printed, or the user interrupted. */
static int
tail_ask(struct tail *tail, const char *address)
{
	char request[60];
	const char *line = NULL;

	tail->heard = 0;
	snprintf(request, sizeof(request), "RECENT %s", tail->next);
	if (gate_client_send(&tail->client, request) == 0)
		while ((line = gate_client_line(&tail->client)) &&
		       strcmp(line, "END") != 0) {
			if (strncmp(line, "ERR ", 4) == 0) {
				tool_error("%s", line + 4);
				return -1;
			}
			tail_take_line(tail, line);
		}
	if (line)
		return 0;
	if (errno != EINTR)
		tool_error("%s: %s", address, gate_client_why(&tail->client));
	return -1;
}

static int
tail_loop(struct tail *tail, const char *address)
{
	interrupt_catch();
	for (;;) {
		if (tail_ask(tail, address) == -1)
			return errno == EINTR ? STATUS_FINE : STATUS_ERROR;
		if (fflush(stdout) == EOF)
			return STATUS_ERROR;
		if (tail->tool->count && tail->shown == tail->tool->count)
			return STATUS_FINE;
		if (tail->heard < MANY &&
		    interrupt_wait(-1, clock_us() + TICK_US) ==
			WAIT_INTERRUPTED)
			return STATUS_FINE;
	}
}

int
tail_run(struct tool *tool)
{
	struct tail tail = {
	    .tool = tool, .glob = tool->word_count > 0 ? tool->words[0] : NULL};
	const struct gate_address address = {
	    tool_address(tool), tool_certificate(tool)};
	const char *fault = tail.glob ? glob_fault(tail.glob) : NULL;
	char reason[400];
	int status;

	if (fault)
		return tool_error("%s %s", tail.glob, fault);
	if (tool->denied && tool->allowed)
		return tool_error("--denied or --allowed, not both");
	if (!address.text)
		return STATUS_ERROR;
	if (gate_client_open(&tail.client, &address, tool_timeout_us(tool),
		reason, sizeof(reason)) == -1)
		return tool_error("%s; is dripgated running there?", reason);
	status = tail_loop(&tail, address.text);
	gate_client_close(&tail.client);
	return status;
}
