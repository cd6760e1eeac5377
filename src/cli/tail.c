/*
 * tail: shows the decisions of one dripgated as they are made.
 * Holds: dripgated says how many decisions it does not show because they were
 * too many, and so does this.
 * The heart is tail_loop().
 */
#include "base/attr.h"
#include "cli/commands.h"
#include "cli/fields.h"
#include "cli/gate_client.h"
#include "cli/interrupt.h"
#include "cli/json.h"
#include "cli/text.h"
#include "limit/glob.h"
#include "limit/key.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct tail {
	const struct tool *tool;
	const char *address;
	struct gate_client client;
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

/* "DROPPED n" */
static void
tail_show_dropped(const struct tail *tail, const char *count)
{
	if (!tail->tool->json)
		text_line("... %s decisions were too many", count);
}

/* A decision, with its key at the end, or how many are not shown. */
static void
tail_take_line(struct tail *tail, const char *line)
{
	char copy[4096];
	char *key;

	if (strncmp(line, "DROPPED ", 8) == 0) {
		tail_show_dropped(tail, line + 8);
		return;
	}
	snprintf(copy, sizeof(copy), "%s", line);
	key = strstr(copy, " key=");
	if (!key)
		return;
	*key = '\0';
	key += strlen(" key=");
	tail_show(tail, copy, key);
	tail->shown++;
}

/* No line came. */
static int
tail_end(const struct tail *tail)
{
	return errno == EINTR ? STATUS_FINE
			      : tool_error("%s: %s", tail->address,
				    gate_client_why(&tail->client));
}

static int
tail_start(struct tail *tail)
{
	const struct tool *tool = tail->tool;
	char request[600];
	const char *line;

	snprintf(request, sizeof(request), "MONITOR %s%s",
	    tool->word_count > 0 ? tool->words[0] : "*",
	    tool->denied    ? " denied"
	    : tool->allowed ? " allowed"
			    : "");
	if (gate_client_send(&tail->client, request) == -1)
		return tail_end(tail);
	line = gate_client_line(&tail->client);
	if (!line)
		return tail_end(tail);
	if (strncmp(line, "ERR ", 4) == 0)
		return tool_error("%s", line + 4);
	gate_client_be_patient(&tail->client);
	return STATUS_FINE;
}

/* Until the user interrupts, or as many as the user wants are shown. */
static int
tail_loop(struct tail *tail)
{
	const struct tool *tool = tail->tool;
	int status = tail_start(tail);

	while (status == STATUS_FINE &&
	       !(tool->count && tail->shown == tool->count)) {
		const char *line = gate_client_line(&tail->client);

		if (!line)
			return tail_end(tail);
		tail_take_line(tail, line);
		if (fflush(stdout) == EOF)
			status = STATUS_ERROR;
	}
	return status;
}

int
tail_run(struct tool *tool)
{
	struct gate_address address;
	struct tail tail = {.tool = tool};
	const char *glob = tool->word_count > 0 ? tool->words[0] : "*";
	char reason[400];
	int status;

	if (strlen(glob) > KEY_MAX)
		return tool_error("%s is too long", glob);
	if (glob_fault(glob))
		return tool_error("%s %s", glob, glob_fault(glob));
	if (tool->denied && tool->allowed)
		return tool_error("--denied or --allowed, not both");
	if (tool_find_gate(tool, &address) == -1)
		return STATUS_ERROR;
	tail.address = address.text;
	if (gate_client_open(&tail.client, &address, tool_timeout_us(tool),
		reason, sizeof(reason)) == -1)
		return tool_error("%s; is dripgated running there?", reason);
	interrupt_catch();
	status = tail_loop(&tail);
	gate_client_close(&tail.client);
	return status;
}
